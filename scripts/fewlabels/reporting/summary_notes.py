"""What a reader must know to read the summary's tables rightly."""

from collections.abc import Collection, Mapping

from fewlabels.core.fractions import fraction_text
from fewlabels.reporting.copies import copies_among_tests
from fewlabels.reporting.mask_notes import mask_notes
from fewlabels.reporting.summary_data import SummarySettings, Tables
from fewlabels.reporting.summary_tables import METRIC_NAMES, second_metric
from fewlabels.reporting.tables import markdown_code, markdown_text
from fewlabels.statistics.evaluation import NO_INTERVAL
from fewlabels.statistics.over_replicates import LEARNT_NOTHING
from fewlabels.statistics.predictions import LEAST_EFFECTIVE

BASELINES = {
    "majority": "always the most frequent class of the training images",
    "slide_only": "the slide's name alone, not the image",
}
#: Source of a backbone's weights -> how networks that start from it are told of; the library's default is not.
STARTS = {
    "default": "",
    "random": "Networks that start from random weights, not from pretrained ones",
    "packaged": "Networks that start from ImageNet weights out of a package",
}
#: What verdicts hold for.
ABOUT = {
    "declared": "`verdict` is on this checkpoint: each pretraining was made once, by one seed, and another seed's may "
    "do better or worse (`experiment.pretraining_seeds: per_replicate` makes it anew for each replicate).",
    "per_replicate": "`verdict` is on the recipe: each replicate has its own pretraining.",
}
POOLS = {
    "this": "Intervals and verdicts are conditional on this pool of training images: subsets of other images may give "
    "other results (`statistics.training_pool: any` widens them for it).",
    "any": "Intervals and verdicts are widened to hold for other pools of as many training images.",
}
#: Steps that differ by more than this factor are told: of two fractions, and of two arms.
UNEVEN_STEPS = 2


def notes(tables: Tables, settings: SummarySettings) -> list[str]:
    """What a reader must know to read Table 1 rightly."""
    lines = [
        *_numbers(tables, settings),
        *_columns_of_runs(tables),
        *_intervals(tables, settings),
        *copies_among_tests(tables.leakage),
        *_replicates(tables),
        *_verdicts(tables, settings),
        "`at best test epoch` is the accuracy by the published protocol, which chooses the epoch on the test images: "
        "too high, by `optimism` against `accuracy`. `reported` are the published numbers, of that protocol.",
    ]
    names = dict.fromkeys(row["arm"] for row in tables.metrics)
    lines += [f"`{name}`: {BASELINES[name]}." for name in names if name in BASELINES]
    lines += mask_notes(tables, settings)
    held_out = bool(tables.fractions_by("validation"))
    if settings.subsets == "given":
        lines.append(
            "Subsets were given, not drawn: replicates vary only initialisation and order of images."
        )
    elif len(tables.replicates) > 1:
        lines.append(_what_replicates_vary(set(tables.fractions), held_out))
    lines.append("`s per run`: median wall time of one training; it varies between equal runs.")
    lines += _starts(settings.starts)
    lines += [
        f"Licence of the weights of `{name}`: {markdown_text(licence)}."
        for name, licence in settings.licences.items()
    ]
    lines += _transductive(tables, settings)
    if settings.synthetic:
        lines.append(
            "The images are synthetic drawings: these numbers say nothing about real cells."
        )
    return lines


def _numbers(tables: Tables, settings: SummarySettings) -> list[str]:
    """Test images, replicates, and what the first columns are."""
    images = sorted({row["n"] for row in tables.single_runs if row["n"]}, key=int)
    replicates = tables.replicates
    held_out = bool(tables.fractions_by("validation"))
    epoch = "the epoch that validation images chose" if held_out else "the last epoch"
    if held_out and (without := tables.fractions_by("last")):
        at = ", ".join(map(fraction_text, without))
        epoch += f" (at {at} of the last one where there were too few images for validation)"
    first, second = (
        METRIC_NAMES[metric] for metric in (tables.primary, second_metric(tables.primary))
    )
    several = len(replicates) > 1
    lines = [
        f"Test images: {', '.join(images) or 'none'}. "
        + (
            f"Replicates (seeds): {', '.join(replicates)}."
            if several
            else f"One replicate (seed {replicates[0]}): how much results change with the seed is not covered."
        ),
        f"`{first}` and `{second}` in per cent, of {epoch}; in brackets, {_level(settings)} intervals. "
        + (
            "Means over replicates; the intervals hold for new replicates and new test images of the same kind."
            if several
            else "The intervals hold for new test images of the same kind."
        ),
    ]
    if untested := tables.untested:
        named = ", ".join(map(markdown_code, untested))
        lines.append(
            f"No test images of {named}: `macro-F1` and the other means over classes are over the classes that test "
            "images have."
        )
    return lines


def _columns_of_runs(tables: Tables) -> list[str]:
    """What `images` and `steps` are, and that few images may be few steps."""
    if not tables.labels:
        return []
    lines = [
        "`images`: labelled training images, in brackets those of the class with the fewest; `steps`: optimiser steps "
        "of a training. Both are means over replicates."
    ]
    steps = {
        (arm, fraction): number
        for arm in tables.arms
        for fraction in tables.fractions
        if (number := tables.counted(arm, fraction, "steps"))
    }
    for arm in tables.arms:
        own = {fraction: number for (name, fraction), number in steps.items() if name == arm}
        if own and _uneven(own.values()):
            fewest, most = min(own, key=own.__getitem__), max(own, key=own.__getitem__)
            lines.append(
                f"Few labels are few steps for `{arm}`, {own[fewest]:,.0f} at {fraction_text(fewest)} and "
                f"{own[most]:,.0f} at {fraction_text(most)}: what looks like few labels may be few steps. `min_steps` "
                "(section `training`) tells the two apart."
            )
    for fraction in tables.fractions:
        of_arms = [number for (_, label), number in steps.items() if label == fraction]
        if of_arms and _uneven(of_arms):
            lines.append(
                f"Arms take {min(of_arms):,.0f} to {max(of_arms):,.0f} steps at {fraction_text(fraction)}: their "
                "differences may be those of the steps."
            )
    return lines


def _uneven(steps: Collection[float]) -> bool:
    return max(steps) > UNEVEN_STEPS * min(steps)


def _intervals(tables: Tables, settings: SummarySettings) -> list[str]:
    """What intervals take as independent, and where there are none."""
    lines = [POOLS[settings.training_pool]]
    if any(row["interval"].endswith("_images") for row in tables.runs):
        lines.append(
            "The intervals take test images as independent: no slides are known. If images of a slide fail together, "
            "they are too narrow."
        )
    sizes = {
        (int(row["units"]), float(row["effective_units"]), int(row["images"]))
        for row in tables.own_comparisons
        if row["units"]
    }
    for units, effective, images in sorted(sizes):
        if units < images:
            lines.append(
                f"Slides, not images, are taken as independent: the {images} test images are of {units} slides, worth "
                f"{effective:.1f} of equal size. Below {LEAST_EFFECTIVE} of these there is no verdict."
            )
    reasons: dict[str, list[str]] = {}
    for fraction in tables.fractions:
        for arm in tables.arms:
            row = tables.shown(arm, fraction, tables.primary)
            for note in row["state"].split("; "):
                if note.startswith(NO_INTERVAL):
                    reasons.setdefault(note, []).append(f"`{arm}` at {fraction_text(fraction)}")
    everywhere = len(tables.fractions) * len(tables.arms)
    for note, places in reasons.items():
        where = "all runs" if len(places) == everywhere else ", ".join(places)
        lines.append(f"{_sentence(note)}: {where}.")
    return lines


def _sentence(text: str) -> str:
    shown = markdown_text(text)
    return shown[:1].upper() + shown[1:]


def _replicates(tables: Tables) -> list[str]:
    """Too few replicates, and runs that did not learn."""
    count, lines = len(tables.replicates), []
    verdicts = f"{' and few verdicts' if tables.comparisons else ''}"
    if count == 1 and tables.comparisons:
        lines.append("One replicate gives no verdict: run 5 or more.")
    elif count == 2:
        lines.append(
            "Two replicates hardly tell how far replicates spread: take every interval and verdict for a hint, and run "
            "5 or more."
        )
    elif 2 < count < 5:
        lines.append(
            f"{count} replicates hardly tell how far replicates spread, hence wide intervals{verdicts}: run 5 or more."
        )
    idle = [
        f"`{row['arm']}` at {fraction_text(row['fraction'])}, seed {row['replicate']}"
        for row in tables.single_runs
        if LEARNT_NOTHING in row["state"].split("; ")
    ]
    if idle:
        lines.append(
            f"Runs that learnt nothing, being not above the majority class: {'; '.join(idle)}."
        )
    return lines


def _verdicts(tables: Tables, settings: SummarySettings) -> list[str]:
    """What differences and verdicts are, and what chance of a false one there is."""
    if not (baselines := list(dict.fromkeys(row["baseline"] for row in tables.comparisons))):
        return []
    named = ", ".join(f"`{name}`" for name in baselines)
    primary, chance = METRIC_NAMES[tables.primary], f"{100 * settings.alpha:g} %"
    lines = [
        f"`difference`: {primary} of the arm minus that of {named} on the same images, in points, as it is: without "
        "adjustment for the number of comparisons.",
        f"`verdict`, by `{primary}`, the primary metric, declared before the run: `better` or `worse` where the "
        f"difference is not chance, `equivalent` where it is shown to be smaller than {float(settings.margin)} points, "
        f"else `undecided`. At most {chance} chance of any false claim in this table, separately for differences and "
        "for equivalence (Holm).",
    ]
    if any(row["p_holm"] for row in tables.pooled_efficiency):
        lines.append(
            f'The tests of whole curves, in "Labels saved", are a further family, with at most {chance} chance of any '
            "false claim of its own."
        )
    lines += [
        ABOUT[settings.pretraining_seeds],
        "`detectable`: the smallest true difference that would have been found with a chance of 80 %, at the spread of "
        "replicates and test images that was measured; in brackets, how well that is known.",
    ]
    return lines


def _level(settings: SummarySettings) -> str:
    return f"{100 * (1 - settings.alpha):g} %"


def _what_replicates_vary(fractions: set[str], held_out: bool) -> str:
    whole = "replicates vary only initialisation and order" + (
        ", and which images are held out for validation." if held_out else "."
    )
    if fractions == {"100"}:
        return whole.capitalize()
    if "100" in fractions:
        return f"Each replicate draws its own subsets; at 100 % {whole}"
    return "Each replicate draws its own subsets."


def _transductive(tables: Tables, settings: SummarySettings) -> list[str]:
    """What the mark of an arm whose encoder saw test images means."""
    named = ", ".join(f"`{arm}`" for arm in tables.arms if arm in settings.transductive)
    if not named:
        return []
    return [
        f"transductive: {named} come from a network that had seen test images of the target before "
        "(`backbones.<name>.saw_test_data`), so that their numbers may be too high for new images, and differences "
        "to other arms with them."
    ]


def _starts(weights_of: Mapping[str, str]) -> list[str]:
    """One sentence for each source of weights but the library's default; any other source is a file."""
    lines = []
    for weights in dict.fromkeys(weights_of.values()):
        sentence = STARTS.get(
            weights, f"Networks that start from the weights in {markdown_code(weights)}"
        )
        named = ", ".join(f"`{name}`" for name, source in weights_of.items() if source == weights)
        lines += [f"{sentence}: {named}."] if sentence else []
    return lines
