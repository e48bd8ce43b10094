"""Mistakes that the user can mend, and how they are told."""

import difflib
from collections.abc import Sequence


class UserError(Exception):
    """A mistake that the user can mend: one line that names the file or key and the remedy."""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that is spelt most alike; None where none is."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Give ``did you mean 'x'?``, or all that is known where nothing is near."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(known) or 'none'}"
