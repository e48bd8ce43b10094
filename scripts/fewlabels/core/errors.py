"""Mistakes that the user can mend, and how they are told."""

import difflib
from collections.abc import Sequence


class UserError(Exception):
    """A mistake that the user can mend: one line that names the file or key and the remedy."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Give ``did you mean 'x'?``, or all that is known where nothing is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
