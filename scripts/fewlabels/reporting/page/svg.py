"""Figures of matplotlib as SVG inside the page: text stays text, colours follow the page, ids are the figure's own."""

import io
import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from fewlabels.reporting.figures import plt

#: Colours that the page decides: ink on paper, whether light or dark.
INK = {"#000000", "black"}
PAPER = {"#ffffff", "white"}
#: Digits of a point (1/72 inch) that are kept.
_DECIMALS = 2
_LONG_NUMBER = re.compile(rf"-?\d+\.\d{{{_DECIMALS + 1},}}")
_URL = re.compile(r"url\(#([^)]+)\)")
#: Written once in the page's style, and no attributes.
_LEFT_TO_STYLE = ("font-family", "font")


def inline(figure: Figure, name: str, title: str, description: str) -> Markup:
    """A figure as an ``<svg>`` element; it is closed.

    Args:
        name: begins its ids, and must be the page's only figure of this name.
        title: for screen readers, as is ``description``: what is seen in it.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    plt.close(figure)
    root = ElementTree.fromstring(buffer.getvalue())
    for child in list(root):
        if _local(child.tag) == "metadata":
            root.remove(child)
    names: dict[str, str] = {}
    for element in root.iter():
        _simplify(element, name, names)
    for parent in root.iter():
        for child in [child for child in parent if child.tag == "style"]:
            parent.remove(child)
    width = root.get("width", "0pt").removesuffix("pt")
    body = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    body = re.sub(r">\s+<", "><", body)
    return Markup(
        f'<svg class="figure" viewBox="{root.get("viewBox")}" width="{float(width):.0f}" role="img" '
        f'aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(description)}</desc>{body.strip()}</svg>'
    )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _simplify(element: Element, prefix: str, names: dict[str, str]) -> None:
    """No namespaces, no style attributes (the page's policy forbids them), short ids of this figure's own."""
    element.tag = _local(element.tag)
    attributes = {_local(key): value for key, value in element.attrib.items()}
    for declaration in attributes.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key and key not in _LEFT_TO_STYLE:
            attributes[key] = value
    element.attrib.clear()
    for key, value in attributes.items():
        if key == "id":
            value = _own(value, prefix, names)
        elif key == "href":
            value = "#" + _own(value.removeprefix("#"), prefix, names)
        elif key in ("fill", "stroke"):
            value = _colour(key, value)
        elif key == "d":
            value = " ".join(value.split())
        value = _URL.sub(lambda found: f"url(#{_own(found[1], prefix, names)})", value)
        element.set(key, _LONG_NUMBER.sub(_rounded, value) if key in ("d", "x", "y") else value)


def _own(identifier: str, prefix: str, names: dict[str, str]) -> str:
    return names.setdefault(identifier, f"{prefix}-{len(names)}")


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.{_DECIMALS}f}".rstrip("0").rstrip(".")


def _colour(key: str, value: str) -> str:
    if value in INK:
        return "currentColor"
    return "var(--paper)" if key == "fill" and value in PAPER else value
