"""The page's templates: real files beside this module, of which every value is escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fewlabels.reporting.page.words import inline_markdown

#: Every file in it is an input of the rule `report`, for an edit of a template must rerun it.
TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = inline_markdown
    return environment


def render(template: str, **values: Any) -> Markup:
    """A template with these values.

    Raises:
        jinja2.UndefinedError: the template asks for another one.
    """
    return Markup(_environment().get_template(template).render(**values))


def raw_text(name: str) -> str:
    """A file that is put into the page as it is: its style or its script."""
    return (TEMPLATES / name).read_text(encoding="utf-8")
