"""What is said behind the last job."""

from fewlabels.workflow.closing import disk_line, failure_lines, success_lines
from fewlabels.workflow.progress import Step


def test_what_to_open_first_stands_first(tmp_path):
    results, resources = tmp_path / "results", tmp_path / "resources"
    (results / "models").mkdir(parents=True)
    for name in ("summary.md", "comparisons.csv", "report.html", "data.md"):
        (results / name).write_text(name)
    # comparisons.csv is of an earlier run; report.html was asked for, but not made.
    made = {results / "report.html", results / "summary.md", results / "data.md"}
    lines = success_lines(results, resources, made, 12, 200.0)
    assert lines[1] == f"Done: 12 steps in 4 min. Results are in {results}/."
    assert lines[2].split(None, 3)[:3] == ["Open", "first:", str(results / "report.html")]
    assert [line.split()[0] for line in lines[3:5]] == [
        str(results / "summary.md"),
        str(results / "data.md"),
    ]
    assert len(lines) == 6
    (results / "report.html").unlink()
    lines = success_lines(results, resources, made, 1, 2.0)
    assert "Done: 1 step in 2 s." in lines[1] and "summary.md" in lines[2]


def test_large_folders_are_named_with_their_size(tmp_path):
    for name, size in {"models": 30_000_000, "figures": 1000, "images": 20_000_000}.items():
        (tmp_path / name).mkdir()
        with (tmp_path / name / "a").open("wb") as file:
            file.truncate(size)
    line = disk_line(tmp_path, tmp_path / "missing")
    assert f"{tmp_path} 50.0 MB (models 30.0 MB, images 20.0 MB); " in line
    assert f"{tmp_path}/missing 0.0 MB. " in line
    assert "make clean-cache" in line


def test_a_failure_tells_the_reason_and_how_to_go_on():
    logs = {"a.log": "12:00 start\nerror: mend it\n\n", "b.log": ""}
    failed = [
        Step("train_classifier", "replicate1/a", "a.log", ""),
        Step("evaluate", "", "b.log", ""),
    ]
    command = ["snakemake", "--configfile", "my file.yaml"]
    lines = failure_lines(failed, 3, 9, command, logs.__getitem__)
    assert lines == [
        "",
        "Stopped: 3 of 9 steps are done, and stay.",
        "  failed: train_classifier replicate1/a",
        "    error: mend it",
        "    log: a.log",
        "  failed: evaluate",
        "    log: b.log",
        "Once that is mended, go on with: snakemake --configfile 'my file.yaml'",
    ]


def test_a_run_that_was_stopped_by_its_user_has_nothing_to_mend():
    lines = failure_lines([], 3, 9, ["snakemake"])
    assert lines[1:] == ["Stopped: 3 of 9 steps are done, and stay.", "Go on with: snakemake"]


def test_of_many_failures_some_are_told():
    failed = [Step("train_classifier", str(n), "", "") for n in range(8)]
    lines = failure_lines(failed, 0, 9, ["snakemake"], lambda log: "")
    assert [line for line in lines if "failed:" in line] == [
        f"  failed: train_classifier {n}" for n in range(5)
    ]
    assert "  and 3 more" in lines
