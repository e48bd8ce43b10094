"""What every command line of the workflow shares: logging and errors of one line."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from fewlabels.core.errors import UserError, is_out_of_memory
from fewlabels.core.files import WRITING
from fewlabels.core.interruption import LEFT, STOP, STOPPED, StoppedError, end_with_parent
from fewlabels.core.memory import take_memory_for_products


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Give a parser whose help shows the script's docstring as written, and every default."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


#: Of a step that wanted more than a job may have (``ulimit -v``, SLURM), or than there is.
OUT_OF_MEMORY = (
    "the memory ran out: give the job more (mem_mb in the profile, ulimit -v), run fewer jobs at a time (--cores), or "
    "set a smaller batch_size or images.size"
)


def run_script(
    run: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse ``argv``, run, and give the exit code: 0, 1 after one line on a :class:`UserError` or where the disk or
    the memory is full, or 75 where a signal asked it to leave."""
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    end_with_parent()
    try:
        take_memory_for_products()
        run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (MemoryError, OSError, RuntimeError, SystemError, ValueError) as error:
        told = OUT_OF_MEMORY if is_out_of_memory(error) else ""
        if isinstance(error, OSError) and error.errno in WRITING:
            # The log may lie on the disk that is full.
            told = f"{WRITING[error.errno]}, then run again"
        if not told:
            raise
        print(f"error: {told}", file=sys.stderr)
        return 1
    except StoppedError as stopped:
        print(f"{LEFT}{stopped}: run again to go on", file=sys.stderr)
        return STOPPED
    finally:
        STOP.forget()
    return 0
