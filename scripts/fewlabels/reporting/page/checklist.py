"""A checklist after TRIPOD+AI, filled in with where on the page each item stands.

The items are those of Collins et al. (2024, BMJ 385:e078378), in short and in our words; what a workflow can't know is
left to the authors, and said so.
"""

from dataclasses import dataclass

from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.templating import render


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes:
        number: of the published list.
        sections: names of those of the page that answer it.
        remark: what is said of it besides, or what the authors must add; Markdown.
    """

    number: str
    topic: str
    sections: tuple[str, ...] = ()
    remark: str = ""


#: Name of the first screen, which is no section.
ANSWER = "answer"
AUTHORS = "to be written by the authors"
ITEMS = (
    Item("1, 2", "title, abstract", remark=AUTHORS),
    Item(
        "3",
        "background: the clinical question, who is concerned, known inequalities",
        remark=AUTHORS,
    ),
    Item("4", "objectives", (ANSWER,), "the question that the arms answer"),
    Item(
        "5", "sources and dates of the data", ("data", "provenance"), f"checksums; dates {AUTHORS}"
    ),
    Item("6", "participants: setting, who was eligible", remark=AUTHORS),
    Item(
        "7",
        "preparation of the data",
        ("data", "pictures"),
        "files left out with reasons, masks, sizes",
    ),
    Item("8", "outcome: how labels were given", ("errors",), f"who labelled {AUTHORS}"),
    Item("9", "predictors", ("models",), "pixels alone; which encoders and masks"),
    Item("10", "sample size", (ANSWER, "comparisons"), "smallest detectable differences"),
    Item("11", "missing data", ("data",), "files left out; images without masks"),
    Item(
        "12a",
        "use of the data, split",
        ("data", "results"),
        "test images choose nothing; subsets are nested",
    ),
    Item("12b", "handling of predictors", ("data", "models")),
    Item("12c", "kind of model and how it was fitted", ("models",)),
    Item(
        "12d",
        "differences between places",
        ("results",),
        "external test sets, where there are some",
    ),
    Item("12e", "measures of performance", ("results", "classes", "calibration")),
    Item("12f", "updating of the model", remark="none"),
    Item("12g", "how predictions are made from the model", ("models",), "`scripts/predict.py`"),
    Item(
        "13",
        "imbalance of classes",
        ("data", "classes", "confusion"),
        "macro-F1 and recalls beside accuracy",
    ),
    Item("14", "fairness", remark=f"nothing is known of patients; {AUTHORS}"),
    Item("15", "output of the model", ("calibration",), "probabilities of classes"),
    Item(
        "16",
        "differences between training and test data",
        ("data",),
        "copies, slides and fields that both have",
    ),
    Item("17", "ethical approval", remark=AUTHORS),
    Item("18a, b", "funding, interests", remark=AUTHORS),
    Item(
        "18c, d",
        "protocol, registration",
        ("provenance",),
        "the config is the protocol; its checksum",
    ),
    Item(
        "18e, f",
        "sharing of data and code",
        ("provenance",),
        f"checksums; where they are {AUTHORS}",
    ),
    Item("19", "involvement of patients", remark=AUTHORS),
    Item("20", "flow of images, and what they are like", ("data", "pictures")),
    Item("21", "images and classes of each analysis", ("results", "models")),
    Item("22", "the model in full", ("models",), "checkpoints with their settings"),
    Item("23a", "performance with intervals", (ANSWER, "results", "comparisons", "label-savings")),
    Item("23b", "where performance differs", ("classes", "confusion", "errors")),
    Item("24", "updated models", remark="none"),
    Item("25", "interpretation", (ANSWER,), f"verdicts; their meaning {AUTHORS}"),
    Item("26", "limits", ("results", "data", "models"), "notes of Table 1, copies, controls"),
    Item("27", "use: input, users, next steps", ("models",), AUTHORS),
)


@dataclass(frozen=True)
class Line:
    """An item with the sections of this page that answer it, name and title."""

    item: Item
    places: tuple[tuple[str, str], ...]

    @property
    def state(self) -> str:
        if self.places:
            return "partly" if AUTHORS in self.item.remark else "here"
        return "authors" if AUTHORS in self.item.remark else "none"


def section(titles: dict[str, str]) -> Section:
    """The checklist.

    Args:
        titles: name of each section of the page -> its title.
    """
    return Section("checklist", "Checklist", render("checklist.jinja", lines=lines(titles)))


def lines(titles: dict[str, str]) -> list[Line]:
    """The items, with links to sections that the page has."""
    return [
        Line(item, tuple((name, titles[name]) for name in item.sections if name in titles))
        for item in ITEMS
    ]
