"""Check every network that the config names before anything is trained: models, blocks and nodes.

--networks is a JSON list. An entry has the "key" in the config and the "architecture", as in a checkpoint's
metadata; and, for an encoder, its "name" and its blocks open for updates, "trained" (a list, or "all"); for features,
the "node". Nothing is downloaded and no weights are made. The record has one row per entry: key, model, blocks (open
ones, or the node), cut (the block behind which activations are kept, if any).
"""

import argparse
import json
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv
from fewlabels.networks.checks import COLUMNS, check_network


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--networks", type=json.loads, required=True, help="JSON list, see above")
    parser.add_argument("--output", required=True, help="CSV to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    write_csv(arguments.output, COLUMNS, [check_network(entry) for entry in arguments.networks])


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
