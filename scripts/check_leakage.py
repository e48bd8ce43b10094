"""Judge what the audit found, before anything is trained.

Reads what audit_leakage compared and found and writes one row per kind and pair of sets that share something:
  kind, first_dataset, first_split, second_dataset, second_split, count, images, test, consequence
  count        of the images of the second set that have a copy in the first; for slide and field: slides, fields
  images       of the second set
  test         true: the second set holds test images
  consequence  error, warn or ignore, by --policy; near duplicates that warn are errors where more than a share of the
               test images have one. Copies within one split are never an error.
The verdict stops the run on an error, with one line that names the first. Copies of test images are told on standard
output, which the rule leaves to the terminal.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from fewlabels.audit.judgement import COLUMNS, SETS, crowded_tests, judged, stop_line
from fewlabels.audit.leakage import KINDS
from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.verdict import write_verdict
from fewlabels.reporting.copies import copies_among_tests, copies_in_training


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--pairs", required=True, help="CSV of audit_leakage: findings")
    parser.add_argument("--compared", required=True, help="CSV of audit_leakage: comparisons")
    parser.add_argument("--policy", required=True, help="JSON: kind -> error, warn or ignore")
    parser.add_argument(
        "--near-duplicate-share",
        type=float,
        required=True,
        help="of the test images that may have near duplicates where these only warn",
    )
    parser.add_argument("--output", required=True, help="CSV to write")
    parser.add_argument("--verdict", required=True, help="file to write: what stops, or go")
    return parser


def run(arguments: argparse.Namespace) -> None:
    policy = json.loads(arguments.policy)
    compared, pairs = read_csv(arguments.compared), read_csv(arguments.pairs)
    most = arguments.near_duplicate_share
    crowded = crowded_tests(compared, pairs, most) if policy["near_duplicates"] == "warn" else {}
    table = judged(compared, policy, list(crowded))
    for row in table:
        if row["consequence"] == "warn":
            logging.info(
                "warning: %s: %s in %s %s and %s %s",
                *(KINDS[row["kind"]], row["count"], *(row[key] for key in SETS)),
            )
    write_csv(arguments.output, COLUMNS, table)
    line = stop_line(compared, pairs, policy, most, Path(arguments.pairs).parent)
    for sentence in [*copies_in_training(table), *copies_among_tests(table)]:
        print(f"{time.strftime('%H:%M:%S')} warning: {sentence}", flush=True)
    if line:
        logging.info("stops what is trained: %s", line)
    write_verdict(arguments.verdict, line)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
