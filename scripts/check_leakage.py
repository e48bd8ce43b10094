"""Stop before training where the audit found what the config calls an error.

Reads the findings of audit_leakage and writes one row per kind and pair of sets:
  kind, first_dataset, first_split, second_dataset, second_split, count, consequence
(count: images with a copy; for slide and field: slides, fields). Copies within one split are never an error.
Nothing is written where an error was found; the findings stay as audit_leakage wrote them.
"""

import argparse
import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewlabels.audit.leakage import KINDS
from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv

SETS = ["first_dataset", "first_split", "second_dataset", "second_split"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--pairs", required=True, help="CSV of audit_leakage")
    parser.add_argument("--policy", required=True, help="JSON: kind -> error, warn or ignore")
    parser.add_argument("--output", required=True, help="CSV to write when nothing stops")
    return parser


def consequence(row: dict[str, str], policy: dict[str, str]) -> str:
    """What the config says of a finding."""
    chosen = policy[row["kind"]]
    within = (row["first_dataset"], row["first_split"]) == (
        row["second_dataset"],
        row["second_split"],
    )
    return "warn" if within and chosen == "error" else chosen


def describe(row: dict[str, str]) -> str:
    """One finding in words."""
    first, second = (
        f"{row[f'{side}_dataset']} {row[f'{side}_split']}" for side in ("first", "second")
    )
    if row["group"]:
        return f"{KINDS[row['kind']]} in {second} and {first}: {row['group']}"
    return f"{second}: {row['second_id']} is {_copy(row['kind'])} {first}: {row['first_id']}"


def _copy(kind: str) -> str:
    return "a near duplicate of" if kind == "near_duplicates" else f"the {KINDS[kind]} as"


def run(arguments: argparse.Namespace) -> None:
    policy = json.loads(arguments.policy)
    rows = read_csv(arguments.pairs)
    errors = [row for row in rows if consequence(row, policy) == "error"]
    if errors:
        first = errors[0]
        folder = Path(arguments.pairs).parent
        remedy = "keep its images in one of them" if first["group"] else "remove one of them"
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UserError(
            f"leakage: {describe(first)}{more}: {remedy}, or set leakage.{first['kind']} to warn; "
            f"see {folder}/pairs.csv and {folder}/thumbnails.png"
        )
    counts = Counter(
        (row["kind"], *(row[key] for key in SETS), consequence(row, policy)) for row in rows
    )
    table: list[dict[str, Any]] = [
        {**dict(zip(["kind", *SETS, "consequence"], key, strict=True)), "count": count}
        for key, count in counts.items()
    ]
    for row in table:
        if row["consequence"] == "warn":
            logging.info(
                "warning: %s: %d in %s %s and %s %s",
                *(KINDS[row["kind"]], row["count"], *(row[key] for key in SETS)),
            )
    write_csv(arguments.output, ["kind", *SETS, "count", "consequence"], table)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
