"""The sections of errors and of pictures: what stands where, and names of the user's stay text."""

import copy
import re
from html.parser import HTMLParser

import pytest

from fewlabels.core.files import write_json
from fewlabels.reporting.page import errors, pictures

HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}.png"
PICTURE = "data:image/webp;base64,AAAA"


def shot(name: str = "a.png", **changes: object) -> dict:
    return {
        **{"id": name, "test_set": "test", "label": "Basophil", "predicted": "Monocyte"},
        **{"probability": 0.951, "label_probability": 0.02, "wrong": 2, "runs": 3},
        **{"run": ["resnet", "10", "1"], "heat_map": PICTURE},
        **changes,
    }


ERRORS = {
    "mistakes": [{"arm": "resnet", "fraction": "10", "test_set": "test", "images": [shot()]}],
    "doubtful_label": [shot("b.png")],
    "hard": [shot("c.png", heat_map=None)],
    "counts": {"test": {"images": 20, "doubtful": 3}},
    "pictures": {"test": dict.fromkeys(("a.png", "b.png", "c.png"), PICTURE)},
}
SIDES = {
    side: {**dict.fromkeys(("dataset", "split", "id", "label"), side), "picture": PICTURE}
    for side in ("first", "second")
}
PICTURES = {
    "clusters": [
        {
            **{"name": "kinds", "dataset": "prcc", "points": [[0.0, 1.0], [2.0, 1.5], [9.0, 1.0]]},
            **{"of_cluster": [0, 0, 1], "sizes": [6, 4]},
            "examples": [[{"id": "d.png", "picture": PICTURE}], []],
        }
    ],
    "reconstructions": [{"name": "encoder", "picture": PICTURE}],
    "copies": [{"kind": "bytes", "view": "", **SIDES}],
    "masks": [
        {
            **{"dataset": "wbc", "applied": 1},
            "images": [
                {
                    "id": "e.png",
                    "label": "",
                    "foreground": 0.25,
                    "before": PICTURE,
                    "after": PICTURE,
                }
            ],
        }
    ],
}


def page(folder, module, data):
    write_json(folder / module.FILE, data)
    return module.section(folder)


class Parsed(HTMLParser):
    """The elements of some HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(str(html))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_each_error_with_its_labels_probability_run_and_place(tmp_path):
    found = page(tmp_path, errors, ERRORS)
    parsed = Parsed(found.html)
    text = " ".join(parsed.text.split())
    assert (found.name, found.title) == ("errors", "Errors seen")
    assert text.count("Basophil → Monocyte (95 %)") == 3
    assert text.count("2 of 3 runs wrong") == 3
    # One of the three has none.
    assert text.count("heat map: resnet, 10 % of labels, replicate 1") == 2
    assert "The first 1 of 3 test images that" in text
    for name in ("a.png", "b.png", "c.png"):
        assert name in text
    assert [html["alt"] for html in parsed.of("img")] == [
        "An image labelled Basophil, taken for Monocyte",
        "Heat map of it: orange speaks for Monocyte, blue for Basophil",
        "An image labelled Basophil, taken for Monocyte",
        "An image labelled Basophil, taken for Monocyte",
        "Heat map of it: orange speaks for Monocyte, blue for Basophil",
    ]
    assert len(parsed.of("details")) == 1


def test_parts_without_images_have_no_heading(tmp_path):
    html = page(tmp_path, errors, ERRORS | {"doubtful_label": [], "mistakes": []}).html
    assert re.findall("<h3>(.*?)</h3>", html) == ["Images that most runs get wrong"]


@pytest.mark.parametrize("module", [errors, pictures])
def test_nothing_to_show_is_no_section(tmp_path, module):
    assert module.section(tmp_path) is None
    data = ERRORS if module is errors else PICTURES
    empty = {key: type(value)() for key, value in data.items()}
    assert page(tmp_path, module, empty) is None


def test_pictures_of_data_and_pretraining(tmp_path):
    found = page(tmp_path, pictures, PICTURES)
    parsed = Parsed(found.html)
    assert re.findall("<h3>(.*?)</h3>", found.html) == [
        "Copies that the leakage audit found",
        "Masks of wbc",
        "Clusters of prcc (kinds)",
        "Reconstructions by encoder",
    ]
    assert "3 of 10 images, drawn at random" in parsed.text
    assert "same file" in parsed.text
    assert "25 %" in parsed.text
    assert len(parsed.of("svg")) == 1
    assert len(parsed.of("img")) == 2 + 2 + 1 + 1
    assert all(image["alt"] for image in parsed.of("img"))


def renamed(value):
    """The same data, all names in it hostile."""
    if isinstance(value, dict):
        named = ("id", "label", "predicted", "name", "arm", "dataset", "split")
        return {
            key: HOSTILE if key in named and isinstance(inner, str) and inner else renamed(inner)
            for key, inner in value.items()
        }
    return [renamed(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("module", "data"), [(errors, ERRORS), (pictures, PICTURES)])
def test_hostile_names_stay_text(tmp_path, module, data):
    hostile = renamed(copy.deepcopy(data))
    if module is errors:
        hostile["pictures"] = {"test": {HOSTILE: PICTURE}}
    plain, found = (Parsed(page(tmp_path, module, content).html) for content in (data, hostile))
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert HOSTILE in found.text
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert attributes.get("src", PICTURE) == PICTURE
