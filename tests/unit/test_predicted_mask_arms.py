"""Arms with predicted masks: what the config may say of them, and what the summary's notes tell."""

import pytest
from configs import check_complaint, load, plan
from summaries import readable, write_tables

from fewlabels.core.files import write_csv
from predict_masks import SCORE_COLUMNS

ARM = (
    "arms: {mine: {title: t, masks: %s, predicted_masks: %s, encoders: "
    "[{encoder: imagenet_resnet18, trained: all}]}}\nexperiment: {arms: [resnet, mine]}\n"
)


@pytest.mark.parametrize("use", ["replace", "crop", "channel"])
def test_an_arm_may_use_predicted_masks(use):
    experiment = plan(ARM % ('"off"', use))
    assert experiment.arms["mine"].recipe.predicted_masks == use
    assert experiment.arms["resnet"].recipe.predicted_masks == "off"


@pytest.mark.parametrize("off", ["off", '"off"'])
def test_off_may_be_written_without_quotes(off):
    """YAML 1.1 reads it as false."""
    assert plan(ARM % ("replace", off)).arms["mine"].recipe.predicted_masks == "off"


def test_masks_of_two_kinds_are_refused():
    parts = ["key 'arms.mine.masks' is append, and predicted_masks is crop: set one of them to off"]
    check_complaint(ARM % ("append", "crop"), parts)


def test_an_arm_that_is_not_run_may_say_anything():
    plan((ARM % ("append", "crop")).replace("[resnet, mine]", "[resnet]"))


def test_a_target_without_masks_is_refused():
    overlay = "datasets: {wbc: {masks: null}}\n" + ARM % ('"off"', "crop")
    parts = [
        "key 'arms.mine.predicted_masks' is crop, but the target has no masks to learn them from: set datasets.wbc"
    ]
    check_complaint(overlay, parts)


def test_an_unknown_use_is_refused():
    check_complaint(ARM % ('"off"', "cropp"), ["'arms.mine.predicted_masks' is 'cropp'", "'crop'"])


def test_the_width_makes_whole_groups():
    check_complaint("masks: {predicted: {width: 12}}", ["'masks.predicted.width' is 12"], load)


def test_the_margin_is_none_of_the_networks():
    first, second = (
        load(f"masks: {{predicted: {{crop_margin: {margin}}}}}").masks.predicted
        for margin in (0.1, 0.2)
    )
    assert first != second
    assert first.network() == second.network()
    assert "crop_margin" not in first.network().plain()


@pytest.fixture
def options(tmp_path):
    """Tables of two fractions and two replicates, with the scores of predicted masks at three subsets."""
    scores = {
        "one.csv": [("100", "", 40, 0, "", "no masks outside the subset")],
        "two.csv": [("1", "", 3, 37, 0.8, ""), ("1", "Basophil", 1, 2, 0.1, "")],
        "three.csv": [("1", "", 5, 35, 0.9, "")],
    }
    for name, rows in scores.items():
        columns = ("fraction", "label", "masks", "held_out", "dice", "state")
        cells = [dict(zip(columns, row, strict=True)) for row in rows]
        write_csv(tmp_path / name, SCORE_COLUMNS, cells)
    files = [tmp_path / name for name in scores]
    return write_tables(tmp_path), {
        "mask_scores": files,
        "predicted_mask_arms": ["combinedNet", "unused"],
    }


def test_the_notes_tell_how_good_predicted_masks_are(options):
    tables, masks = options
    plain = readable(tables)
    assert "Test images are shown plain to every arm." in plain
    assert "Predicted masks" not in plain
    text = readable(tables, **masks)
    assert "Test images are shown plain to every other arm." in text
    assert "- Predicted masks: `combinedNet` see training and test images alike" in text
    assert (
        "means over replicates: no masks outside the subset at 100 % (learnt from 40); 0.850 at 1 % (learnt from 4). "
        "What they take is not in `s per run`."
    ) in text


def test_the_notes_tell_what_predicted_masks_take(options, tmp_path):
    tables, masks = options
    rows = [{"model": "predicted_masks", "fraction": "1", "seconds": s} for s in (30, 50, 43.6)]
    write_csv(tmp_path / "costs.csv", ["model", "fraction", "seconds"], rows)
    line = "takes 44 s for each subset, which is not in `s per run`."
    assert line in readable(tables, **masks)
