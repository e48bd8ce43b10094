"""What every command line of the workflow shares: logging and errors of one line."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from fewlabels.core.errors import UserError


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Give a parser whose help shows the script's docstring as written, and every default."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run_script(
    run: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse ``argv``, run, and give the exit code: 0, or 1 after one line on a :class:`UserError`."""
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    try:
        run(arguments)
    except UserError as error:
        # Messages of other libraries, quoted in ours, may hold line ends.
        print("error:", " ".join(str(error).splitlines()), file=sys.stderr)
        return 1
    return 0
