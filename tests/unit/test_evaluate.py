"""Scoring: every run of the grid and every pretrained classifier, from its two files."""

import pytest
from builders import call, failure

from wbc.files import read_csv, write_csv


def write_run(folder, file: str, labels: str, predicted: str, accuracies: list[float]) -> None:
    write_csv(
        folder / "predictions" / file,
        ["id", "label", "predicted"],
        (
            {"id": str(place), "label": label, "predicted": guess}
            for place, (label, guess) in enumerate(zip(labels, predicted, strict=True))
        ),
    )
    write_csv(
        folder / "history" / file,
        ["epoch", "test_accuracy"],
        ({"epoch": n, "test_accuracy": value} for n, value in enumerate(accuracies, start=1)),
    )


@pytest.fixture
def options(tmp_path):
    """Two arms, two fractions, two replicates, one pretrained classifier."""
    for arm in ("one", "two"):
        for fraction in ("100", "0.5"):
            for replicate in ("1", "7"):
                write_run(
                    tmp_path,
                    f"replicate{replicate}/{arm}_wbc_{fraction}.csv",
                    "aaabbc",
                    "aabbcc" if arm == "one" else "aaabbc",
                    [0.5, 0.75, 0.75],
                )
    write_run(tmp_path, "resnet_cam16.csv", "aab", "aaa", [2 / 3])
    return {
        "results": tmp_path,
        "arms": ["one", "two"],
        "fractions": ["100", "0.5"],
        "replicates": ["1", "7"],
        "pretrained": ["resnet_cam16"],
        "metrics": tmp_path / "metrics.csv",
    }


def test_rows_and_values(options):
    assert call("evaluate", **options) == 0
    rows = read_csv(options["metrics"])
    assert list(rows[0]) == [*("arm", "fraction", "replicate", "selection", "metric", "value", "n")]
    # Five rows for each of the 8 runs and of the one pretrained classifier.
    assert len(rows) == 5 * 9
    runs = list(dict.fromkeys((row["arm"], row["fraction"], row["replicate"]) for row in rows))
    assert runs == [
        *(
            (arm, fraction, seed)
            for arm in ("one", "two")
            for fraction in ("100", "0.5")
            for seed in "17"
        ),
        ("resnet_cam16", "", ""),
    ]
    assert {row["n"] for row in rows if row["fraction"]} == {"6"}
    first = {(row["selection"], row["metric"]): float(row["value"]) for row in rows[:5]}
    # By hand: see test_metrics.
    assert first == pytest.approx(
        {
            ("last", "accuracy"): 100 * 4 / 6,
            ("last", "macro_f1"): 100 * (4 / 5 + 1 / 2 + 2 / 3) / 3,
            ("last", "balanced_accuracy"): 100 * (2 / 3 + 1 / 2 + 1) / 3,
            ("best_test", "accuracy"): 75,
            ("best_test", "epoch"): 2,
        },
        rel=1e-6,
    )
    two = [row for row in rows if row["arm"] == "two" and row["selection"] == "last"]
    assert {float(row["value"]) for row in two} == {100.0}
    pretrained = [row for row in rows if not row["fraction"]]
    assert [float(row["value"]) for row in pretrained] == pytest.approx(
        [100 * 2 / 3, 40, 50, 100 * 2 / 3, 1], rel=1e-6
    )
    assert {row["n"] for row in pretrained} == {"3"}


def test_without_pretrained_classifiers(options):
    assert call("evaluate", **options | {"pretrained": []}) == 0
    assert len(read_csv(options["metrics"])) == 5 * 8


@pytest.mark.parametrize("kind", ["predictions", "history"])
def test_a_missing_file_is_one_line(options, capsys, tmp_path, kind):
    (tmp_path / kind / "replicate7/two_wbc_0.5.csv").unlink()
    line = failure(capsys, "evaluate", **options)
    assert f"{kind}/replicate7/two_wbc_0.5.csv does not exist" in line
    assert not options["metrics"].exists()


@pytest.mark.parametrize("kind", ["predictions", "history"])
def test_an_empty_file_is_one_line(options, capsys, tmp_path, kind):
    path = tmp_path / kind / "replicate7/two_wbc_0.5.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert "replicate7/two_wbc_0.5.csv is empty" in failure(capsys, "evaluate", **options)
