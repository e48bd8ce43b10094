"""What a results folder knows of one run: its training images, its results, and those of its other replicates."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import Run, read_run_sheet
from fewlabels.reporting.summary_data import PUBLISHED

RUN_SHEET = "runs.csv"


@dataclass(frozen=True)
class TrainingImages:
    """The labelled images that a run learnt from.

    Attributes:
        counts: class -> images.
        masks: how many of them have a mask of their own.
        slides: of how many slides they are; None where none is known.
        fingerprint: a hash of the set, as in labels.csv; empty where it is not known.
    """

    counts: dict[str, int]
    masks: int
    slides: int | None
    fingerprint: str

    @property
    def total(self) -> int:
        """Their number."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run; nothing of a checkpoint without its results folder.

    Attributes:
        run: its row of the run sheet.
        training: None where the list of its images is not there.
        results: rows of metrics/evaluate.csv, of this run.
        accuracies: of all replicates of its arm and fraction on the test images, in per cent.
    """

    run: Run | None = None
    training: TrainingImages | None = None
    results: list[dict[str, str]] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def results_of(checkpoint: Path) -> Path | None:
    """The results folder that a checkpoint lies in: the nearest one above it with a run sheet; None: there is none."""
    return next(
        (folder for folder in checkpoint.absolute().parents if (folder / RUN_SHEET).is_file()), None
    )


def facts_of(checkpoint: Path, results: Path | None, subset: Path | None = None) -> RunFacts:
    """What a results folder knows of the run that a checkpoint is of.

    Args:
        results: None where there is none.
        subset: the list of its training images; None: looked for in the results folder.

    Raises:
        UserError: a table is missing that comes with every finished run.
    """
    if results is None:
        return RunFacts()
    place = checkpoint.absolute()
    runs = read_run_sheet(results / RUN_SHEET)
    found = [run for run in runs if (results.absolute() / run.path("models", "pt")) == place]
    if not found:
        return RunFacts()
    run = found[0]
    rows = [
        row
        for row in read_csv(results / "metrics/evaluate.csv")
        if (row["arm"], row["fraction"]) == (run.arm, run.fraction)
        and row["selection"] != PUBLISHED
    ]
    own = [row for row in rows if row["replicate"] == run.replicate]
    replicates = {other.replicate for other in runs}
    accuracies = [
        float(row["value"])
        for row in rows
        if (row["metric"], row["test_set"]) == ("accuracy", "test")
        and row["replicate"] in replicates
        and row["value"]
    ]
    listed = subset or results / run.subset()
    training = _training_images(listed, results, run) if listed.is_file() else None
    return RunFacts(run, training, own, accuracies)


def _training_images(subset: Path, results: Path, run: Run) -> TrainingImages:
    rows = [row for row in read_csv(subset) if row.get("part", "train") == "train"]
    suffix = "_grouped" if run.split == "grouped" else ""
    index = results / f"images/{run.target}{suffix}_index.csv"
    slide_of = {row["id"]: row["slide"] for row in read_csv(index)}
    slides = {slide_of.get(row["id"], "") for row in rows} - {""}
    return TrainingImages(
        counts=dict(Counter(row["label"] for row in rows)),
        masks=sum(row["mask"] == "1" for row in rows),
        slides=len(slides) or None,
        fingerprint=_fingerprint(results, run),
    )


def _fingerprint(results: Path, run: Run) -> str:
    wanted: Mapping[str, str] = {
        "arm": run.arm,
        "fraction": run.fraction,
        "replicate": run.replicate,
    }
    for row in read_csv(results / "labels.csv"):
        if all(row[key] == value for key, value in wanted.items()):
            return row["subset"]
    return ""
