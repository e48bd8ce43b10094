"""New images through trained classifiers: what the workflow gave for the same pictures, by hand and by the rule."""

import subprocess
import sys

import pytest

from fewlabels.core.files import read_csv, write_csv

pytestmark = pytest.mark.long

RAW = "resources/synthetic/images/WBC_100"


def predict(workflow, *options) -> list[dict[str, str]]:
    """Run the script in a workflow's folder; gives the table that it writes."""
    command = [sys.executable, "scripts/predict.py", *map(str, options)]
    command += ["--device", "cpu", "--precision", "float32"]
    done = subprocess.run(command, cwd=workflow.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return read_csv(options[options.index("--out") + 1])


def test_predictions_of_raw_test_images_are_the_workflows(finished, tmp_path):
    """The same checkpoint, the raw files: digit for digit."""
    root = finished.folder / RAW
    index = {
        row["id"]: row
        for row in read_csv(finished.folder / "results/images/wbc_index.csv")
        if row["split"] == "test"
    }
    rows = [{"path": root / row["path"], "label": row["label"]} for row in index.values()]
    write_csv(tmp_path / "table.csv", ["path", "label"], rows)
    for arm in ("resnet", "combinedNet"):
        run = f"replicate1/{arm}_wbc_100"
        expected = read_csv(finished.folder / f"results/predictions/{run}.csv")
        model = f"results/models/{run}.pt"
        out = tmp_path / f"{arm}.csv"
        options = ("--model", model, "--images", tmp_path / "table.csv", "--out", out)
        found = predict(finished, *options, "--threads", 1)
        assert len(found) == len(index)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours["path"] == str(root / index[theirs["id"]]["path"])
            shared = set(theirs) - {"id"}
            assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}


def test_the_rule_averages_the_replicates_of_an_arm(finished_copy, tmp_path):
    asked = "results/predict/clinic/resnet_wbc_10"
    config = ("--config", "new_images={clinic: WBC_100/val}")
    assert finished_copy.planned(*config, "--", f"{asked}.csv") == {"predict": 1}
    finished_copy.run(*config, "--", f"{asked}.csv")
    found = read_csv(finished_copy.folder / f"{asked}.csv")
    pictures = {
        path.relative_to(finished_copy.folder / RAW / "val").as_posix()
        for path in (finished_copy.folder / RAW / "val/data").rglob("*.*")
    }
    assert pictures and pictures <= {row["path"] for row in found}
    model = "results/models/replicate1/resnet_wbc_10.pt"
    options = ("--model", model, "--images", f"{RAW}/val", "--out", tmp_path / "by_hand.csv")
    by_hand = predict(finished_copy, *options, "--threads", 1)
    assert [row["path"] for row in by_hand] == [row["path"] for row in found]
    assert [row["predicted"] for row in by_hand] == [row["predicted"] for row in found]
    assert (finished_copy.folder / f"{asked}.html").exists()
    assert read_csv(finished_copy.folder / f"{asked}_left_out.csv") == []


def test_what_cannot_be_asked_for_is_one_line(finished):
    for asked, config, words in (
        ("other/resnet_wbc_100", "{clinic: WBC_100}", "key 'new_images' has no 'other'"),
        ("clinic/lite_wbc_100", "{clinic: WBC_100}", "lite is not trained at 100 %"),
        ("clinic/resnet_wbc_100", "{clinic: nowhere}", "nowhere does not exist: set data_root and"),
    ):
        done = finished.snakemake(
            *("--dry-run", "--configfile", "tests/tiny.yaml", "--config", f"new_images={config}"),
            *("--", f"results/predict/{asked}.csv"),
        )
        assert done.returncode != 0
        assert words in done.stdout
        assert "Traceback" not in done.stdout
