"""Show how far a run is: one line per running training, with epoch, loss and time left, and an estimate of the whole.

In a terminal the lines are renewed until the run ends; elsewhere they are printed anew every minute. It only reads,
and may be called from any machine that sees the results folder.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.workflow.progress import MOST, Snapshot, progress_lines

#: Seconds between two looks, in a terminal and elsewhere.
IN_TERMINAL, ELSEWHERE = 2.0, 60.0


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="pathvars.results of the run"
    )
    parser.add_argument("--once", action="store_true", help="show it once, and end")
    return parser


def state_of(results: Path) -> Snapshot:
    """What a run wrote last.

    Raises:
        UserError: there was none.
    """
    found = Snapshot.read(results)
    if found is None:
        raise UserError(
            f"no run was started in {results}: start one, or name its folder by --results"
        )
    return found


def run(arguments: argparse.Namespace) -> None:
    snapshot = state_of(arguments.results)
    console = Console()
    # Of a terminal, one line is the first, and one says how many more there are.
    most = console.height - 3 if console.is_terminal else MOST

    def shown() -> str:
        return "\n".join(progress_lines(snapshot, time.time(), most))

    def goes_on() -> bool:
        return snapshot.goes_on(time.time()) and not arguments.once

    if not console.is_terminal or arguments.once:
        print(shown(), flush=True)
        while goes_on():
            time.sleep(ELSEWHERE)
            snapshot = state_of(arguments.results)
            print(shown(), flush=True)
        return
    # As plain text: names of arms may hold what rich takes for markup.
    with Live(Text(shown()), console=console, auto_refresh=False) as live:
        while goes_on():
            time.sleep(IN_TERMINAL)
            snapshot = state_of(arguments.results)
            live.update(Text(shown()), refresh=True)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
