"""What a section of the page is: every module of this package makes one, or None where it has nothing to show."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """One part of the page: `name` is its anchor, `html` what stands below its heading, already escaped."""

    name: str
    title: str
    html: Markup
