"""What no key of a config may hold, whichever it is: looked for before anything else is done with the values."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fewlabels.core.errors import UserError

#: Sections and lists within one another; the config's own go 6 deep.
DEEPEST = 30
#: Values in all: more come of aliases of aliases alone, which multiply.
MOST = 100_000
#: Characters of one text.
LONGEST = 100_000
#: Numbers are at most so far from zero: 64 bits.
LARGEST = 2**63


def check_values(values: Any) -> None:
    """Look through nested maps and lists.

    Raises:
        UserError: names the key of a number that is not finite or too large, of a text that no file can hold, or of
            what is nested too deeply; too much in all.
    """
    left: list[tuple[str, int, Any]] = [("", 0, values)]
    count = 0
    while left:
        key, depth, value = left.pop()
        count += 1
        if count > MOST:
            raise UserError(
                f"there are more than {MOST:,} values, mostly by aliases: take some out"
            )
        steps: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Mapping):
            steps = value.items()
        elif isinstance(value, list | tuple):
            steps = enumerate(value)
        elif reason := _why_not(value):
            raise UserError(f"key '{key}' {reason}")
        if depth == DEEPEST and steps:
            raise UserError(f"key '{key}' lies {DEEPEST} keys deep: mend the brackets")
        for step, below in steps:
            if reason := _why_not(step):
                raise UserError(f"a key in '{key}' {reason}")
            left.append((f"{key}.{step}".lstrip("."), depth + 1, below))


def _why_not(value: Any) -> str:
    """What is wrong with a key or a value, and what to do; nothing where it will do."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}: give a finite number"
    if isinstance(value, int) and abs(value) >= LARGEST:
        return f"is a number of {value.bit_length()} bits: give a smaller one"
    if not isinstance(value, str):
        return ""
    if len(value) > LONGEST:
        return f"is a text of {len(value):,} characters: look for an unpaired quote"
    if "\0" in value or not _is_text(value):
        return f"is {value!r}, with a character that no file can hold: take it out"
    return ""


def _is_text(value: str) -> bool:
    """Whether UTF-8 can write it: escapes in YAML and JSON give halves of characters, too."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
