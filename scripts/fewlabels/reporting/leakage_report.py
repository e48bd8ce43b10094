"""The leakage audit in words."""

from collections.abc import Mapping, Sequence

from fewlabels.audit.duplicates import THUMBNAIL
from fewlabels.audit.judgement import judged
from fewlabels.audit.leakage import GROUP_KINDS, KINDS, Part
from fewlabels.reporting.copies import copies_among_tests, copies_in_training
from fewlabels.reporting.tables import NOTHING, markdown_table


def leakage_report(
    compared: Sequence[tuple[Part, Part]],
    rows: Sequence[Mapping],
    numbers: Sequence[Mapping],
    distance: int,
    correlation: float,
) -> str:
    """What was found, in Markdown.

    Args:
        compared: pairs of parts, the second to be kept clean.
        rows: findings, by the columns of pairs.csv.
        numbers: the same comparisons in numbers, by the columns of compared.csv.
        distance: most bits of 64 that near duplicates' hashes differ in.
        correlation: least, of near duplicates' thumbnails.
    """
    unique = {id(part): part for pair in compared for part in pair}.values()
    blank = sum(int((~part.thumbnails.contrast).sum()) for part in unique)
    table = judged(_as_text(numbers), dict.fromkeys(KINDS, "warn"))
    notable = copies_in_training(table) + copies_among_tests(table)
    lines = [
        "# Leakage audit",
        "",
        *(f"- **{line}**" for line in notable),
        *([""] if notable else []),
        "How many images of the first-named set have a copy in the second, or come from a slide or a "
        "microscope field that the second has images of.",
        "",
        counts_table(compared, rows),
        "",
        "A copy counts once, under the leftmost kind that fits. `12 (6 %) on 2`: 12 images, on 2 slides or fields that "
        "both have. –: the file names tell none.",
        "Near duplicates: perceptual hashes (pHash, 64 bits) of one of the 8 flips and right-angle rotations at most "
        f"{distance} bits apart, and thumbnails ({THUMBNAIL} x {THUMBNAIL}, in colour) "
        f"that correlate by at least {correlation:g}. Images of one cell shifted or cropped otherwise, "
        "and overlapping fields, are mostly not found.",
    ]
    if blank:
        lines.append(f"Nearly blank images, compared by bytes and pixels alone: {blank}.")
    lines += ["", "All pairs: `pairs.csv`; the first ones to look at: `thumbnails.png`.", ""]
    return "\n".join(lines)


def _as_text(rows: Sequence[Mapping]) -> list[dict[str, str]]:
    """Rows as they are read from a CSV."""
    return [{key: str(value) for key, value in row.items()} for row in rows]


def counts_table(compared: Sequence[tuple[Part, Part]], rows: Sequence[Mapping]) -> str:
    """Counts per pair of parts and kind, as a Markdown table; numbers are images of the second part."""
    lines = []
    for first, second in compared:
        here = [
            row
            for row in rows
            if (row["first_dataset"], row["first_split"]) == (first.dataset, first.split)
            and (row["second_dataset"], row["second_split"]) == (second.dataset, second.split)
        ]
        cells = [str(sum(row["kind"] == kind for row in here)) for kind in list(KINDS)[:3]]
        cells += [_group_cell(first, second, here, kind) for kind in GROUP_KINDS]
        title = f"{second.title}, within" if first is second else f"{second.title} in {first.title}"
        lines.append([title, str(len(second.rows)), *cells])
    return markdown_table(["", "images", *KINDS.values()], lines)


def _group_cell(first: Part, second: Part, rows: Sequence[Mapping], kind: str) -> str:
    told = [sum(bool(row[kind]) for row in part.rows) for part in (first, second)]
    if first is second or first.names != second.names or not all(told):
        return NOTHING
    groups = [row for row in rows if row["kind"] == kind]
    images = sum(row["second_images"] for row in groups)
    return f"{images} ({100 * images / len(second.rows):.0f} %) on {len(groups)}"
