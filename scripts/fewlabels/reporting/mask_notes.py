"""What a reader must know of masks: which images were seen through which."""

from statistics import median

from fewlabels.core.fractions import by_size, fraction_text
from fewlabels.core.run_sheet import PREDICTED_MASKS
from fewlabels.reporting.summary_data import SummarySettings, Tables, mean_of
from fewlabels.reporting.tables import Row

#: What test images get, but for arms with predicted masks.
TEST_MASKS = {
    "off": "Test images are shown plain to every {arm}.",
    "arm": "Test images are masked for the arms whose training images are: arms do not see the same pixels.",
}


def mask_notes(tables: Tables, settings: SummarySettings) -> list[str]:
    """What test images get, and how good predicted masks are."""
    named = ", ".join(f"`{arm}`" for arm in tables.arms if arm in settings.predicted_mask_arms)
    if not named:
        return [TEST_MASKS[settings.test_masks].format(arm="arm")]
    measured = "; ".join(
        _score(fraction, [row for row in tables.mask_scores if row["fraction"] == fraction])
        for fraction in by_size(row["fraction"] for row in tables.mask_scores)
    )
    return [
        TEST_MASKS[settings.test_masks].format(arm="other arm"),
        f"Predicted masks: {named} see training and test images alike through masks that a network predicts, learnt "
        "from the masks that the subset owns. Dice of masks of training images outside it, means over replicates: "
        f"{measured}. {_seconds(tables)}",
    ]


def _seconds(tables: Tables) -> str:
    """What the masks cost beside the trainings."""
    seconds = [float(row["seconds"]) for row in tables.costs if row["model"] == PREDICTED_MASKS]
    if not seconds:
        return "What they take is not in `s per run`."
    return f"Learning and predicting them takes {median(seconds):,.0f} s for each subset, which is not in `s per run`."


def _score(fraction: str, rows: list[Row]) -> str:
    """Dice at one fraction, and of how many masks."""
    whole = [row for row in rows if not row["label"]]
    learnt = mean_of(row["masks"] for row in whole) or 0
    dice = mean_of(row["dice"] for row in whole)
    value = next(row["state"] for row in whole) if dice is None else f"{dice:.3f}"
    return f"{value} at {fraction_text(fraction)} (learnt from {learnt:,.0f})"
