"""What each arm and pretraining cost, for the summary."""

from statistics import median

from fewlabels.core.fractions import fraction_text
from fewlabels.reporting.summary_data import Tables
from fewlabels.reporting.tables import NOTHING, Table

#: Column of costs.csv -> heading. Medians over replicates of the first two, the highest of the others.
COLUMNS = {
    "seconds": "s per run",
    "images_per_second": "images/s",
    "peak_memory_mb": "memory MB",
    "peak_gpu_mb": "GPU memory MB",
}
MIDDLE = ("seconds", "images_per_second")


def costs_table(tables: Tables) -> Table | None:
    """One line per fraction and arm, then those of pretrainings; None where no training left a record."""
    runs: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in tables.costs:
        runs.setdefault((row["fraction"], row["model"]), []).append(row)
    order = [(fraction, arm) for fraction in tables.fractions for arm in tables.arms]
    order += [key for key in runs if key not in order]
    lines = [
        [
            fraction_text(fraction) if fraction else NOTHING,
            f"`{model}`",
            *(_cell(runs[fraction, model], column) for column in COLUMNS),
        ]
        for fraction, model in order
        if (fraction, model) in runs
    ]
    if not lines:
        return None
    note = (
        "Wall time and images per second, the start of the program included: medians over replicates; memory: the "
        "highest. On which devices, and each run by itself: `costs.csv`."
    )
    return Table(["labels", "trained", *COLUMNS.values()], lines, "Costs", note)


def _cell(rows: list[dict[str, str]], column: str) -> str:
    values = [float(row[column]) for row in rows if row.get(column)]
    if not values:
        return NOTHING
    return f"{(median if column in MIDDLE else max)(values):,.0f}"
