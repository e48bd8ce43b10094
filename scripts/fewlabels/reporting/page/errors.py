"""The section of errors: labels that are likely wrong, images that most runs get wrong, and the surest mistakes."""

import json
from pathlib import Path
from typing import Any

from fewlabels.core.fractions import of_labels
from fewlabels.core.run_sheet import OWN_TEST_SET
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.templating import render

#: Of explain_errors, in the folder of the report.
FILE = "errors.json"
#: Smaller and larger probabilities are written as so many per cent at most, and at least.
BOUNDS = (0.1, 99.9)


def section(folder: Path) -> Section | None:
    """What the test images show that were chosen; None without the file, or where nothing was wrong.

    Args:
        folder: ``report/`` of the results.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    if not (data["mistakes"] or data["doubtful_label"] or data["hard"]):
        return None
    html = render(
        "errors.jinja",
        **data,
        per_cent=per_cent,
        of_labels=of_labels,
        place=place,
        own_test_set=OWN_TEST_SET,
        more=sum(count["doubtful"] for count in data["counts"].values())
        - len(data["doubtful_label"]),
    )
    return Section("errors", "Errors seen", html)


def per_cent(probability: float) -> str:
    """A probability as text.

    >>> per_cent(0.5), per_cent(0.99999), per_cent(0.0002)
    ('50 %', 'over 99.9 %', 'below 0.1 %')
    """
    value = 100 * probability
    low, high = BOUNDS
    if value < low:
        return f"below {low} %"
    if value > high:
        return f"over {high} %"
    return f"{value:.2g} %" if value < 99 else f"{value:.1f} %"


def place(shot: dict[str, Any]) -> str:
    """Where an image is found: its id, with the name of an external set before it.

    >>> place({"test_set": "test", "id": "a.png"}), place({"test_set": "TestA", "id": "a.png"})
    ('a.png', 'TestA: a.png')
    """
    own = shot["test_set"] == OWN_TEST_SET
    return shot["id"] if own else f"{shot['test_set']}: {shot['id']}"
