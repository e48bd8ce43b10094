"""Mistakes that the user can mend, and how they are told."""

import difflib
import errno
import resource
from collections.abc import Sequence

#: What CPython and oneDNN say of code that got no memory; only under a limit is that the likely reason.
VAGUE = ("without setting an exception", "could not create a primitive")
#: Characters of a message.
LONGEST = 4000


class UserError(Exception):
    """A mistake that the user can mend: one line that names the file or key and the remedy."""

    def __str__(self) -> str:
        """One line, whatever is quoted in it: names, texts of files, messages of other libraries."""
        line = " ".join(super().__str__().splitlines())
        if len(line) > LONGEST:
            line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class UnwritableError(UserError, OSError):
    """A file could not be written: a full disk, a quota, a read-only folder."""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that is spelt most alike; None where none is."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Give ``did you mean 'x'?``, or all that is known where nothing is near."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(known) or 'none'}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says so: Python, numpy, the system, torch on CPU and GPU, and threads that do not start."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if any(words in str(error) for words in VAGUE):
        return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    words = (
        "can't allocate memory",
        "Cannot allocate memory",
        "out of memory",
        "can't start new thread",
    )
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)
