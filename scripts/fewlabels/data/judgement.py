"""What the config makes of the problems of a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fewlabels.data.problem_kinds import KINDS, order_of

CHECKED_COLUMNS = ["dataset", "kind", "path", "detail", "files", "consequence"]

Row = Mapping[str, str]


def judge(dataset: str, problems: Sequence[Row], policy: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows of :data:`CHECKED_COLUMNS`, those first that stop the workflow, then by kind.

    Args:
        problems: rows of a table of problems: kind, path, detail, files.
        policy: kind -> ``stop`` or ``warn``; a kind that leaves no choice is taken as it is declared.
    """
    rows = []
    for problem in problems:
        kind = KINDS[problem["kind"]]
        chosen = policy.get(problem["kind"], kind.default) if kind.choice else kind.default
        rows.append({"dataset": dataset, **problem, "consequence": chosen})
    return sorted(rows, key=lambda row: (row["consequence"] != "stop", order_of(row["kind"])))


def stopping_line(rows: Sequence[Row], report: Path | str | None = None) -> str | None:
    """Why the workflow must stop, in one line, or None.

    Args:
        rows: of :func:`judge`.
        report: where all of them are written, if they are.
    """
    stopping = [row for row in rows if row["consequence"] == "stop"]
    if not stopping:
        return None
    first = stopping[0]
    where = f" in {report}" if report else ""
    more = f" ({len(stopping) - 1} more{where})" if len(stopping) > 1 else ""
    kind = first["kind"].replace("_", " ")
    return f"{first['dataset']}: {kind}: {first['path']} {first['detail']}{more}"
