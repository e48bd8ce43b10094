"""Write the run sheet: every classifier of the target that is trained, one row each.

Columns: arm, target, fraction, subset_seed, initialisation_seed, split, baseline, tabled, crossed. The order of the rows
is that of all tables. --runs is a JSON list with an object per run; what it leaves out of split (given), baseline
(none), tabled (true) and crossed (false) is as in brackets.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.run_sheet import COLUMNS, Run, write_run_sheet


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--runs", required=True, help="JSON: list of runs")
    parser.add_argument("--sheet", required=True, help="CSV to write")
    return parser


def runs_of(text: str) -> list[Run]:
    """The runs of a JSON list.

    Raises:
        UserError: no JSON, no run, a wrong or unknown field, or two runs with the same files.
    """
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise UserError(f"--runs is no JSON ({error})") from None
    try:
        runs = TypeAdapter(list[Run]).validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"--runs, entry '{place}': {first['msg']}") from None
    for field in (field for entry in entries for field in entry):
        if field not in COLUMNS:
            raise UserError(f"--runs: unknown field '{field}': {did_you_mean(field, COLUMNS)}")
    if not runs:
        raise UserError("--runs is empty: name an arm, a fraction and a replicate in the config")
    [(path, count)] = Counter(run.path("models", "pt") for run in runs).most_common(1)
    if count > 1:
        raise UserError(f"{count} runs would write {path}: list no arm, fraction or seed twice")
    return runs


def run(arguments: argparse.Namespace) -> None:
    write_run_sheet(arguments.sheet, runs_of(arguments.runs))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
