"""Stop with the line of a check that says so; else write that the run goes on."""

import argparse
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.verdict import read_verdict, write_verdict


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--verdict", required=True, help="file of the check")
    parser.add_argument("--heeded", required=True, help="file to write where it says go")
    return parser


def run(arguments: argparse.Namespace) -> None:
    line = read_verdict(arguments.verdict)
    if line is not None:
        raise UserError(line)
    write_verdict(arguments.heeded, None)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
