"""A grouped split and an external test set, run beside the finished workflow's results."""

import csv
import shutil

from conftest import Workflow

RUN = "results/predictions/replicate1"
OPTIONS = (
    *("--config", "experiment={splits: [given, grouped]}"),
    "external={Again: {folder: WBC_100/val/data}}",
    # The external images are wbc's test images, some of which the grouped split trains on.
    "leakage={bytes: warn}",
)


def read(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_grouped_arm_and_an_external_test_set(finished, tmp_path):
    # A copy of everything: the finished results must stay as they are.
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    workflow = Workflow(tmp_path / "copy")
    wanted = [f"{RUN}/resnetGrouped_wbc_100.csv", f"{RUN}/resnet_wbc_100_on_Again.csv"]
    output = workflow.run(*OPTIONS, "--", *wanted)
    assert output.count("rule train_classifier:") == 1
    assert "rule pretrain_" not in output

    grouped = read(workflow.folder / "results/images/wbc_grouped_index.csv")
    slides = {
        split: {row["slide"] for row in grouped if row["split"] == split}
        for split in ("train", "test")
    }
    assert slides["train"]
    assert not slides["train"] & slides["test"]
    test_ids = [row["id"] for row in grouped if row["split"] == "test"]
    assert [row["id"] for row in read(workflow.folder / wanted[0])] == test_ids
    subset = read(workflow.folder / "results/subsets/replicate1/wbc_100_grouped.csv")
    assert not {row["id"] for row in subset} & set(test_ids)

    # The same images give the same predictions.
    own, external = (
        read(workflow.folder / name) for name in (f"{RUN}/resnet_wbc_100.csv", wanted[1])
    )
    assert [{**row, "id": f"val/{row['id']}"} for row in external] == own
    report = (workflow.folder / "results/leakage/leakage.md").read_text()
    assert "| wbc_grouped test in wbc_grouped train |" in report
    assert "| Again test in wbc train | 20 |" in report
