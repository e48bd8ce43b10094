"""Check every network that the config names before anything is trained: models, blocks and nodes.

--networks is a JSON list. An entry has the "key" in the config and the "architecture", as in a checkpoint's
metadata; and, for an encoder, its "name" and its blocks open for updates, "trained" (a list, or "all"); for features,
the "node". Nothing is downloaded and no weights are made. The record has one row per entry: key, model, blocks (open
ones, or the node), cut (the block behind which activations are kept, if any). The verdict stops all training with the
line of the first entry that is wrong; the record holds those before it.
"""

import argparse
import json
import logging
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.core.verdict import write_verdict
from fewlabels.networks.checks import COLUMNS, check_network


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--networks", type=json.loads, required=True, help="JSON list, see above")
    parser.add_argument("--output", required=True, help="CSV to write")
    parser.add_argument("--verdict", required=True, help="file to write: what stops, or go")
    return parser


def run(arguments: argparse.Namespace) -> None:
    rows, line = [], None
    try:
        for entry in arguments.networks:
            rows.append(check_network(entry))
    except UserError as error:
        line = str(error)
        logging.info("stops what is trained: %s", line)
    write_csv(arguments.output, COLUMNS, rows)
    write_verdict(arguments.verdict, line)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
