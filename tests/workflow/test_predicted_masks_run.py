"""Arms that see every image through predicted masks, from the config alone, on tiny images."""

import csv

import pytest

pytestmark = pytest.mark.long

ARMS = """
masks: {predicted: {width: 8, size: 32, steps: 10, batch_size: 4, crop_margin: 0.2}}
arms:
  replaced:
    title: background black
    masks: "off"
    predicted_masks: replace
    encoders: [{encoder: imagenet_resnet18, trained: [layer4]}]
  cropped:
    title: cropped
    masks: "off"
    predicted_masks: crop
    encoders: [{encoder: imagenet_resnet18, trained: [layer4]}]
  fourChannels:
    title: with a fourth channel
    masks: "off"
    predicted_masks: channel
    encoders: [{encoder: imagenet_resnet18, trained: all}]
experiment: {arms: [resnet, combinedNet, combinedNetClustered, replaced, cropped, fourChannels]}
"""
NAMES = ("replaced", "cropped", "fourChannels")


def rows_of(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_three_arms_share_the_masks_of_their_subset(finished_copy):
    (finished_copy.folder / "masks.yaml").write_text(ARMS)
    options = ("--configfile", "tests/tiny.yaml", "masks.yaml")
    wanted = [f"results/predictions/replicate1/{name}_wbc_100.csv" for name in NAMES]
    done = finished_copy.snakemake(*wanted, "--cores", "2", *options)
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.count("rule predict_masks:") == 1
    assert done.stdout.count("rule train_classifier:") == 3
    assert "rule cache_features:" not in done.stdout
    predictions = [rows_of(finished_copy.folder / path) for path in wanted]
    assert [len(rows) for rows in predictions] == [20, 20, 20]
    folder = finished_copy.folder / "results/predicted_masks/replicate1"
    assert len(rows_of(folder / "wbc_100.csv")) == 80
    # At 100 % every mask is learnt from.
    whole = rows_of(folder / "wbc_100_scores.csv")[0]
    assert (whole["held_out"], whole["state"]) == ("0", "no masks outside the subset")
    # 10 % of so few images own no mask, which is said in one line.
    at_10 = "results/predictions/replicate1/cropped_wbc_10.csv"
    failed = finished_copy.snakemake(at_10, "--cores", "1", *options)
    assert failed.returncode != 0
    assert "error: the subset of 10 % owns no mask to learn predicted masks from: " in failed.stdout
    # A frozen first block would never use the fourth channel: said before anything is trained.
    (finished_copy.folder / "frozen.yaml").write_text(
        ARMS.replace("trained: all", "trained: [layer4]")
    )
    last = ("--configfile", "tests/tiny.yaml", "frozen.yaml")
    stopped = finished_copy.snakemake("results/networks/heeded.txt", "--cores", "1", *last)
    assert stopped.returncode != 0
    line = "key 'arms.fourChannels.encoders.0.trained': the mask is a fourth channel of conv1"
    assert line in stopped.stdout
