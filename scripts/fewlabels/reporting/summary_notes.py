"""What a reader must know to read the summary's tables rightly."""

from collections.abc import Mapping

from fewlabels.reporting.copies import copies_among_tests
from fewlabels.reporting.summary_tables import SummarySettings, Tables
from fewlabels.reporting.tables import markdown_code

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


def notes(tables: Tables, settings: SummarySettings) -> list[str]:
    """What a reader must know to read Table 1 rightly."""
    single = [row for row in tables.runs if row["replicate"] != "mean"]
    images = sorted({row["n"] for row in single if row["n"]}, key=int)
    replicates = tables.replicates
    level = f"{100 * (1 - settings.alpha):g} %"
    held_out = bool(tables.fractions_by("validation"))
    epoch = "the epoch that validation images chose" if held_out else "the last epoch"
    if held_out and (without := tables.fractions_by("last")):
        at = ", ".join(f"{fraction} %" for fraction in without)
        epoch += f" (at {at} of the last one where there were too few images for validation)"
    lines = [
        f"Test images: {', '.join(images) or 'none'}. "
        + (
            f"Replicates (seeds): {', '.join(replicates)}."
            if len(replicates) > 1
            else f"One replicate (seed {replicates[0]}): how much results change with the seed is not covered."
        ),
        f"`accuracy` and `macro-F1` in per cent, of {epoch}; in brackets, {level} intervals. "
        + (
            "Means over replicates; the intervals hold for new replicates and new test images of the same kind."
            if len(replicates) > 1
            else "The intervals hold for new test images of the same kind."
        ),
    ]
    if untested := tables.untested:
        named = ", ".join(map(markdown_code, untested))
        lines.append(
            f"No test images of {named}: `macro-F1` and the other means over classes are over the classes that test "
            "images have."
        )
    if any(row["interval"].endswith("_images") for row in tables.runs):
        lines.append(
            "The intervals take test images as independent: their file names tell too few slides to resample "
            "these. If images of a slide fail together, they are too narrow."
        )
    lines += copies_among_tests(tables.leakage)
    if 1 < len(replicates) < 5:
        lines.append(
            f"{len(replicates)} replicates hardly tell how far replicates spread, hence wide intervals"
            f"{' and few verdicts' if tables.comparisons else ''}: run 5 or more."
        )
    if baselines := list(dict.fromkeys(row["baseline"] for row in tables.comparisons)):
        named = ", ".join(f"`{name}`" for name in baselines)
        lines += [
            f"`difference`: accuracy of the arm minus that of {named} on the same images, in points.",
            "`verdict`: `better` or `worse` where the difference is not chance, `equivalent` where it is shown "
            f"to be smaller than {float(settings.margin)} points, both with at most {100 * settings.alpha:g} % "
            "false claims among all of this table (Holm); else `undecided`, with what would decide if the present "
            "difference is the true one.",
        ]
    if missing := tables.missing_baselines:
        named = ", ".join(missing)
        lines.append(
            f"no baseline: {named} {'is' if len(missing) == 1 else 'are'} not among the runs."
        )
    lines.append(
        "`at best test epoch` is the accuracy by the published protocol, which chooses the epoch on the test images: "
        "too high, by `optimism` against `accuracy`. `reported` are the published numbers, of that protocol."
    )
    names = dict.fromkeys(row["arm"] for row in tables.metrics)
    lines += [f"`{name}`: {BASELINES[name]}." for name in names if name in BASELINES]
    if settings.subsets == "given":
        lines.append(
            "Subsets were given, not drawn: replicates vary only initialisation and order of images."
        )
    elif len(replicates) > 1:
        lines.append(_what_replicates_vary({row["fraction"] for row in single}, held_out))
    lines.append("`s per run`: median wall time of one training; it varies between equal runs.")
    lines += _starts(settings.starts)
    if settings.synthetic:
        lines.append(
            "The images are synthetic drawings: these numbers say nothing about real cells."
        )
    return lines


def _what_replicates_vary(fractions: set[str], held_out: bool) -> str:
    whole = "replicates vary only initialisation and order" + (
        ", and which images are held out for validation." if held_out else "."
    )
    if fractions == {"100"}:
        return whole.capitalize()
    if "100" in fractions:
        return f"Each replicate draws its own subsets; at 100 % {whole}"
    return "Each replicate draws its own subsets."


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
