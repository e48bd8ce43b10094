"""A new arm built of existing encoders needs no code: only lines in a config."""

import csv

import pytest

pytestmark = pytest.mark.long

NEW_ARM = """
arms:
  twoTissues:
    title: both tissue classifiers, one of them open, masked copies appended
    masks: append
    encoders:
      - {encoder: pRCC_clustered_resnet, trained: [layer4]}
      - {encoder: resnet_cam16, trained: []}
experiment: {arms: [resnet, combinedNet, combinedNetClustered, twoTissues]}
subsets: {fractions: [100]}
"""


def test_an_arm_from_the_config_alone(finished, tmp_path):
    overlay = tmp_path / "new_arm.yaml"
    overlay.write_text(NEW_ARM)
    options = ("--configfile", "tests/tiny.yaml", str(overlay))
    wanted = "results/predictions/replicate1/twoTissues_wbc_100.csv"
    done = finished.snakemake(wanted, "--cores", "2", *options)
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.count("rule train_classifier:") == 1
    assert "rule pretrain_" not in done.stdout
    with (finished.folder / wanted).open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 20
    log = finished.folder / "results/logs/train_classifier/replicate1/twoTissues_wbc_100.log"
    assert "epoch 2/2" in log.read_text()
    # The check of networks knows the arm now; other tests find it as it was.
    finished.run("--", "results/networks/heeded.txt")
