"""Mistakes that the user can mend, and how they are told."""

import difflib
from collections.abc import Sequence

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
