"""From the Markdown that tables and notes are written in to HTML."""

import re

from markupsafe import Markup, escape

# What the workflow's own sentences use: code between one or two backticks, bold, and characters shown as they are.
_TOKEN = re.compile(
    r"``\s(?P<long>.+?)\s``|`(?P<code>[^`]+)`|\*\*(?P<bold>(?:\\.|[^*\\])+)\*\*|\\(?P<shown>[^a-zA-Z0-9\s])"
)
_NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def inline_markdown(text: str) -> Markup:
    r"""A line of Markdown as ``markdown_text`` and ``markdown_code`` write it, as HTML; anything else is escaped.

    >>> inline_markdown("`a|b` is **not** \\<i\\>")
    Markup('<code>a|b</code> is <strong>not</strong> &lt;i&gt;')
    """
    parts, end = [], 0
    for found in _TOKEN.finditer(text):
        parts.append(escape(text[end : found.start()]))
        end = found.end()
        if code := found["long"] or found["code"]:
            parts.append(Markup("<code>{}</code>").format(code.replace(r"\|", "|")))
        elif found["bold"]:
            parts.append(Markup("<strong>{}</strong>").format(inline_markdown(found["bold"])))
        else:
            parts.append(escape(found["shown"]))
    return Markup("").join([*parts, escape(text[end:])])


def plain(text: str) -> str:
    """The same without marks, for places that hold no elements, such as a description for screen readers.

    >>> plain("`a|b` is **not** \\\\<i\\\\>")
    'a|b is not <i>'
    """
    return inline_markdown(text).striptags()


def first_number(cell: str) -> float | None:
    """The number that a cell begins with, but for a sign of how it is meant; None where it begins with words.

    >>> first_number("+1,234.5 [1, 2]"), first_number("≤ 0.19"), first_number("`lite`"), first_number("–")
    (1234.5, 0.19, None, None)
    """
    found = _NUMBER.match(cell.lstrip("≤≥<> "))
    return float(found[0].replace(",", "").replace("−", "-")) if found else None
