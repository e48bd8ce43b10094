"""What became of the raw files of each data set: a tidy table, and the same in a few lines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fewlabels.audit.leakage import COPY_KINDS
from fewlabels.reporting.copies import copies_among_tests, copies_in_training, other_copies
from fewlabels.reporting.tables import (
    NOTHING,
    Row,
    Table,
    markdown_code,
    markdown_text,
)

COLUMNS = ["dataset", "item", "split", "detail", "files"]
SPLITS = ("train", "validation", "test")
#: Share of the pixels that are foreground -> what a mask is called at that share.
EXTREMES = {0.0: "empty", 1.0: "full"}
#: A kind of problem that has a sentence of its own.
UNTESTED_KIND = "class_without_test_images"


@dataclass(frozen=True)
class DataSet:
    """What index_images and apply_masks wrote of one data set; all cells text.

    Attributes:
        index: rows of its images.
        problems: kind, path, detail, files.
        left_out: path, reason.
        reading: how values are read: ``masks`` (``data/mask_reading.py``, and how many are used, empty, full) and
            ``intensities`` (``data/intensities.py``), each None where there are none.
        masks: rows of apply_masks; None where it did not look at this set.
    """

    name: str
    index: Sequence[Row]
    problems: Sequence[Row] = ()
    left_out: Sequence[Row] = ()
    reading: Mapping[str, Mapping | None] = field(default_factory=dict)
    masks: Sequence[Row] | None = None

    @property
    def images(self) -> Counter[str]:
        """Split -> images used."""
        return Counter(row["split"] for row in self.index)

    @property
    def reasons(self) -> Counter[str]:
        """Reason -> files left out."""
        return Counter(row["reason"] for row in self.left_out)

    @property
    def told(self) -> Counter[str]:
        """Kind of problem -> files that it is about."""
        found: Counter[str] = Counter()
        for row in self.problems:
            found[row["kind"]] += int(row["files"] or 0)
        return found

    @property
    def mask_states(self) -> dict[str, int]:
        """used, applied, kept (not applied), empty, full -> masks; a mask counts under each that holds.

        Nothing without masks; no applied and no kept where apply_masks did not look at them.
        """
        if self.masks is None:
            found = self.reading.get("masks") or {}
            return {name: found[name] for name in ("used", *EXTREMES.values()) if found.get("used")}
        if not self.masks:
            return {}
        states = dict.fromkeys(("used", "applied", "kept", *EXTREMES.values()), 0)
        for row in self.masks:
            states["used"] += 1
            states[row["state"]] += 1
            if name := EXTREMES.get(float(row["foreground"])):
                states[name] += 1
        return states

    @property
    def untested(self) -> list[str]:
        """Classes of training images that no test image has, where there are test images."""
        labels = {
            split: {row["label"] for row in self.index if row["split"] == split and row["label"]}
            for split in ("train", "test")
        }
        return sorted(labels["train"] - labels["test"]) if labels["test"] else []


def data_rows(sets: Iterable[DataSet], leakage: Iterable[Row]) -> list[dict]:
    """Rows of ``COLUMNS``: one number of files each.

    ``item`` is images, left_out (``detail``: the reason), problem (kind), mask (see ``mask_states``), reading of masks
    or intensities (``detail``: in words), copies (kind, and the set that has the other).
    """
    rows: list[dict] = []
    for data in sets:
        counts = {
            "left_out": data.reasons,
            "problem": data.told,
            "mask": data.mask_states,
        }
        rows += [
            {"dataset": data.name, "item": "images", "split": split, "files": count}
            for split, count in data.images.items()
        ]
        rows += [
            {"dataset": data.name, "item": item, "detail": detail, "files": count}
            for item, found in counts.items()
            for detail, count in sorted(found.items())
        ]
        rows += [
            {"dataset": data.name, "item": f"reading of {what}", "detail": words}
            for what, words in _readings(data)
        ]
    rows += [
        {
            **{"dataset": row["second_dataset"], "item": "copies", "split": row["second_split"]},
            "detail": f"{row['kind']} in {row['first_dataset']} {row['first_split']}",
            "files": row["count"],
        }
        for row in leakage
        if row["kind"] in COPY_KINDS
    ]
    return rows


def data_report(sets: Sequence[DataSet], leakage: Sequence[Row], target: str) -> str:
    """The same for reading, in Markdown: what is most notable first, a table, what else is notable.

    Args:
        leakage: rows of check_leakage.
        target: the data set whose test images Table 1 is about.
    """
    alarms = [f"**{line}**" for line in copies_in_training(leakage)]
    parts = [
        "# Data",
        bullets(alarms),
        counts_table(sets).markdown(),
        bullets(notable(sets, leakage, target)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def counts_table(sets: Iterable[DataSet]) -> Table:
    """Images, files left out and masks of each data set."""
    lines = []
    for data in sets:
        masks = data.mask_states
        cells = [data.images[split] for split in SPLITS] + [sum(data.reasons.values())]
        lines.append(
            [
                f"`{data.name}`",
                *(str(cell or NOTHING) for cell in cells),
                *(
                    str(masks.get(name, NOTHING))
                    for name in ("used", "applied", *EXTREMES.values())
                ),
            ]
        )
    header = ["images used", *SPLITS, "files left out", "masks", "applied", "empty", "full"]
    return Table(header, lines)


def notable(sets: Iterable[DataSet], leakage: Sequence[Row], target: str) -> list[str]:
    """What a reader must know of the data besides the table, in sentences."""
    lines = []
    for data in sets:
        if data.reasons:
            lines.append(f"`{data.name}`: left out: {_counted(data.reasons)}.")
        # What a problem left out is told above.
        elsewhere = {*data.reasons, UNTESTED_KIND}
        lines += [
            f"`{data.name}`: {_first_of(kind, data)}" for kind in data.told if kind not in elsewhere
        ]
        lines += [
            f"`{data.name}`: {what}: {markdown_text(words)}." for what, words in _readings(data)
        ]
        if data.name == target and data.untested:
            named = ", ".join(map(markdown_code, data.untested))
            lines.append(
                f"`{data.name}`: no test images of {named}: means over classes are over the others."
            )
    return lines + copies_among_tests(leakage) + other_copies(leakage)


def bullets(lines: Iterable[str]) -> str:
    """A Markdown list, empty without lines."""
    return "\n".join(f"- {line}" for line in lines)


def _counted(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in found.items())


def _first_of(kind: str, data: DataSet) -> str:
    """A kind of problem by its first one, and how many more there are."""
    found = [row for row in data.problems if row["kind"] == kind]
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    told = markdown_text(f"{found[0]['path']} {found[0]['detail']}")
    return f"{kind.replace('_', ' ')}: {told}{more}."


def _readings(data: DataSet) -> list[tuple[str, str]]:
    """How masks, and images of more than 8 bits, are read, in words."""
    found = []
    if masks := data.reading.get("masks"):
        meaning = {
            "opaque": "what is opaque",
            "transparent": "what is transparent",
            "index": f"the palette's entry {_intervals(masks['foreground'])}",
        }.get(masks["source"], _intervals(masks["foreground"]))
        found.append(("masks", f"{masks['seen']}; foreground is {meaning}{_by(masks)}"))
    intensities = data.reading.get("intensities")
    if intensities and intensities["deep_files"]:
        whole, real = (intensities[key] for key in ("integer_white", "float_white"))
        white = f"{whole:g}" if whole == real else f"{whole:g}, {real:g} of floating point numbers"
        found.append(("intensities", f"{intensities['seen']}; white is {white}{_by(intensities)}"))
    return found


def _by(reading: Mapping) -> str:
    return ", by the config" if reading["chosen"] == "config" else ""


def _intervals(intervals: Iterable[Sequence[float]]) -> str:
    """Values in words.

    >>> _intervals([[1, 1], [128, 255]])
    '1, 128 to 255'
    """
    return ", ".join(
        f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in intervals
    )
