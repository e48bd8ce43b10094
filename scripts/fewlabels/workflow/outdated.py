"""What a run outdates: tables that no longer speak of the present state, and states of images that nobody asks for."""

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

#: The tables that a reader takes for the results, below the results folder.
TABLES = (
    *("report.html", "summary.md", "summary.csv", "comparisons.csv", "labels.csv"),
    *("label_efficiency.csv", "label_errors.csv", "spread.csv", "costs.csv"),
    *("data.md", "data.csv", "benchmarks.csv", "provenance.json"),
)
FOLDER = "outdated"


def move_tables(results: Path, tables: Iterable[str]) -> list[str]:
    """Move those tables that are there into the folder for outdated ones, and give their names."""
    moved = []
    for name in tables:
        if (results / name).is_file():
            (results / FOLDER).mkdir(exist_ok=True)
            os.replace(results / name, results / FOLDER / name)
            moved.append(name)
    return moved


def outdate_tables(results: Path, remade: Collection[Path]) -> str | None:
    """Move away the tables that a run will replace, if its summary is among them, so that none is left that looks
    current, should it fail or be killed.

    Args:
        remade: files that the run will make.

    Returns:
        a line that says so; None where nothing was moved.
    """
    if results / "summary.md" not in remade:
        return None
    moved = move_tables(results, [name for name in TABLES if results / name in remade])
    return _line(results, moved, "this run makes them anew")


def outdate_all(results: Path) -> str | None:
    """Move all tables away, as a check says stop; give a line that says so."""
    return _line(results, move_tables(results, TABLES), "they are not of the present state")


def _line(results: Path, moved: list[str], why: str) -> str | None:
    if "summary.md" not in moved:
        return None
    return f"The earlier tables ({', '.join(moved)}) are now in {results / FOLDER}: {why}."


def remove_states(results: Path, present: Mapping[str, str]) -> list[str]:
    """Remove what was made of earlier contents of data sets, but for what published files lead to.

    Args:
        present: data set -> the content that it has now.

    Returns:
        names of the removed folders.
    """
    images = results / "images"
    removed = []
    for dataset, content in present.items():
        published = images / f"{dataset}.npy"
        kept = {f"{dataset}_{content}", published.resolve().parent.name}
        for state in sorted((images / "states").glob(f"{dataset}_*")):
            if state.name not in kept and published.exists():
                shutil.rmtree(state)
                removed.append(state.name)
    return removed
