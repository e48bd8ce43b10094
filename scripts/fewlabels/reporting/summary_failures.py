"""Which runs failed, and what their logs say."""

from fewlabels.core.failed_runs import FAILED
from fewlabels.core.fractions import fraction_text
from fewlabels.reporting.summary_data import PUBLISHED, Tables
from fewlabels.reporting.tables import Table, markdown_text


def failed_runs_table(tables: Tables) -> Table | None:
    """One line per failed run; None where there is none."""
    begins = f"{FAILED}: "
    lines = [
        [
            *(fraction_text(row["fraction"]), f"`{row['arm']}`", row["replicate"]),
            markdown_text(row["state"].removeprefix(begins)),
        ]
        for row in tables.single_runs
        if (row["metric"], row["state"][: len(begins)]) == (tables.primary, begins)
        and row["selection"] != PUBLISHED
    ]
    if not lines:
        return None
    note = (
        "These trainings failed in each attempt. No mean, comparison or verdict is given over the rest of their "
        "replicates; the differences of single pairs are in `comparisons.csv`. Whole logs: `logs/train_classifier`. "
        "Where `experiment.failed_runs` is set below their number, they are all tried again."
    )
    return Table(["labels", "arm", "replicate", "last line of its log"], lines, "Failed runs", note)
