"""The data card: what images there are, what was left out and why, what train and test share."""

from collections import Counter
from collections.abc import Iterable, Sequence

from fewlabels.audit.leakage import GROUP_KINDS, KINDS
from fewlabels.reporting.copies import copies_in_training
from fewlabels.reporting.data_report import SPLITS, DataSet, counts_table, notable
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.tables import html_table
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.tables import NOTHING, Row, Table, markdown_code, markdown_text, number

#: Sizes of images that are named, of each data set.
SIZES_NAMED = 3


def section(source: Source) -> Section:
    """Tables of all data sets, and what else is notable, copies of test images first."""
    sets, leakage = source.data_sets, source.tables.leakage
    compared = source.rows("leakage/compared.csv")
    parts = [
        (counts_table(sets), "Images used, files left out, masks"),
        (classes_table(sets), "Images of each class"),
        (shapes_table(sets), "Sizes, slides and fields"),
        (left_out_table(sets), "Files left out, by reason"),
        (shared_table(compared, sets), "What sets of images share"),
    ]
    return Section(
        "data",
        "Data card",
        render(
            "data_card.jinja",
            alarms=copies_in_training(leakage),
            tables=[html_table(table, caption) for table, caption in parts if table],
            notable=notable(sets, leakage, source.target),
            control=slide_control(source.rows("leakage/slide_only.csv"), source),
        ),
    )


def classes_table(sets: Iterable[DataSet]) -> Table | None:
    """Images by class and split; None where no data set has labels."""
    lines = []
    for data in sets:
        counts = Counter((row["label"], row["split"]) for row in data.index if row["label"])
        for label in sorted({label for label, _ in counts}):
            of_splits = [counts[label, split] for split in SPLITS]
            cells = [str(count or NOTHING) for count in of_splits]
            lines.append([f"`{data.name}`", markdown_text(label), *cells, str(sum(of_splits))])
    if not lines:
        return None
    return Table(["data set", "class", *SPLITS, "all"], lines)


def shapes_table(sets: Iterable[DataSet]) -> Table:
    """Sizes, slides and fields of each split."""
    lines = []
    for data in sets:
        for split in SPLITS:
            rows = [row for row in data.index if row["split"] == split]
            if rows:
                slides, fields = (
                    len({row[key] for row in rows if row.get(key)}) for key in ("slide", "field")
                )
                cells = [f"`{data.name}`", split, str(len(rows)), sizes(rows)]
                lines.append([*cells, str(slides or NOTHING), str(fields or NOTHING)])
    header = ["data set", "split", "images", "pixels", "slides", "fields"]
    return Table(header, lines, note=f"{NOTHING}: the file names tell none.")


def sizes(rows: Sequence[Row]) -> str:
    """The commonest sizes of images, and between what the others lie.

    >>> sizes([{"width": "4", "height": "3"}] * 2)
    '4 × 3 (2)'
    """
    counts = Counter((int(row["width"]), int(row["height"])) for row in rows)
    named = counts.most_common(SIZES_NAMED)
    text = ", ".join(f"{width} × {height} ({count})" for (width, height), count in named)
    others = len(counts) - len(named)
    if not others:
        return text
    smallest, largest = min(counts, key=_area), max(counts, key=_area)
    ends = " to ".join(f"{width} × {height}" for width, height in (smallest, largest))
    return f"{text} and {others} other sizes, all of {ends}"


def _area(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * size[1], size[0]


def left_out_table(sets: Iterable[DataSet]) -> Table | None:
    """Files that are not used, by reason, with an example; None where all are used."""
    lines = []
    for data in sets:
        for reason, count in data.reasons.most_common():
            example = next(row["path"] for row in data.left_out if row["reason"] == reason)
            words = markdown_text(reason.replace("_", " "))
            lines.append([f"`{data.name}`", words, str(count), markdown_code(example)])
    return Table(["data set", "reason", "files", "for instance"], lines) if lines else None


def shared_table(compared: Sequence[Row], sets: Iterable[DataSet]) -> Table | None:
    """How many images of a set have a copy in another one, or come from its slides; None where none were compared."""
    if not compared:
        return None
    told = {
        (data.name, row["split"], kind)
        for data in sets
        for row in data.index
        for kind in GROUP_KINDS
        if row.get(kind)
    }
    lines = []
    for row in compared:
        first, second = (
            f"{row[f'{side}_dataset']} {row[f'{side}_split']}" for side in ("first", "second")
        )
        title = f"{second}, within" if first == second else f"{second} in {first}"
        here = (row["second_dataset"], row["second_split"])
        counts = [
            NOTHING if kind in GROUP_KINDS and (*here, kind) not in told else number(row[kind], 0)
            for kind in KINDS
        ]
        lines.append([markdown_text(title), row["second_images"], *counts])
    note = (
        "Numbers of images, of slides and of fields. A copy counts once, under the leftmost kind that fits. "
        "–: the file names tell none. Every pair: "
        "`leakage/pairs.csv`."
    )
    return Table(["images of", "images", *KINDS.values()], lines, note=note)


def slide_control(rows: Sequence[Row], source: Source) -> str:
    """How far the slide alone tells the class: a network that does no better may have learnt the slides."""
    value = {(row["control"], row["metric"]): row["value"] for row in rows}
    majority, alone = (value.get((name, "accuracy"), "") for name in ("majority", "slide_only"))
    if not alone:
        return ""
    decimals = source.settings.decimals
    known = float(value.get(("", "test_images_with_a_slide"), "") or 0)
    told = "" if known else " No test image's name tells its slide, so the two are the same."
    return (
        f"Control: the slide's name alone gives an accuracy of {number(alone, decimals)} per cent; always the most "
        f"frequent class gives {number(majority, decimals)}.{told}"
    )
