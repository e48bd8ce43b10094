"""The page as a whole: all sections in one HTML file that asks nothing of the network."""

import base64
import hashlib
from collections.abc import Iterable

from markupsafe import Markup

from fewlabels.reporting.page import (
    calibration,
    checklist,
    classes,
    confusion,
    curves,
    data_card,
    errors,
    model_cards,
    pictures,
    provenance,
    results,
)
from fewlabels.reporting.page.answer import answer_screen
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.templating import raw_text, render

STYLE, SCRIPT = "style.css", "tables.js"


def page(source: Source) -> str:
    """The HTML of a results folder."""
    sections = list(all_sections(source))
    style, script = (Markup(raw_text(name)) for name in (STYLE, SCRIPT))
    return render(
        "page.jinja",
        title=f"Few labels: {source.settings.target_title}",
        policy=policy(style, script),
        style=style,
        script=script,
        answer=answer_screen(source),
        sections=sections,
    )


def all_sections(source: Source) -> Iterable[Section]:
    """Those that have something to show, in the page's order, the checklist last."""
    seen = source.folder / "report"
    found = [
        results.section(source),
        results.comparisons(source),
        results.efficiency(source),
        classes.section(source),
        confusion.section(source),
        calibration.section(source),
        curves.section(source),
        errors.section(seen),
        data_card.section(source),
        pictures.section(seen),
        model_cards.section(source),
        provenance.costs(source),
        provenance.section(source),
    ]
    kept = [section for section in found if section is not None]
    titles = {checklist.ANSWER: "Answer"} | {section.name: section.title for section in kept}
    return [*kept, checklist.section(titles)]


def policy(style: str, script: str) -> str:
    """What the browser may load: this style, this script, pictures inside the file, and nothing else.

    >>> policy("", "").split(";")[0]
    "default-src 'none'"
    """
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{_digest(style)}'",
        "script-src": f"'sha256-{_digest(script)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
