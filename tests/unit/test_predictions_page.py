"""The page of predictions: what it shows, and that it stays small and safe."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fewlabels.deployment.new_images import LeftOut
from fewlabels.deployment.predictions_page import LISTED, write_page
from fewlabels.deployment.thumbnails import MOST, SIDE, ClassSample, per_class

NASTY = '<script>alert("x")</script>'


def sample(wanted, probabilities, abstained=False, note="", label=""):
    found = ClassSample(wanted)
    for place, probability in enumerate(probabilities):
        pixels = np.full((300, 300, 3), place % 256, np.uint8)
        found.add(f"{place}.png", pixels, probability, abstained, note, label)
    return found


def test_the_least_sure_are_kept_in_order():
    probabilities = np.random.default_rng(0).permutation(500) / 500
    found = sample(4, probabilities)
    assert [shown.probability for shown in found.least_sure()] == [0, 1 / 500, 2 / 500, 3 / 500]
    assert (found.count, found.abstained) == (500, 0)


def test_each_is_as_likely_to_be_drawn():
    """Of 40 images 4 are drawn; by another seed others."""
    drawn = np.zeros(40)
    for seed in range(300):
        found = ClassSample(4)
        found._random.seed(seed)
        for place in range(40):
            found.add(str(place), np.zeros((2, 2, 3), np.uint8), 0.5, False, "", "")
        names = [int(shown.path) for shown in found.drawn()]
        assert len(set(names)) == 4 and names == sorted(names)
        drawn[names] += 1
    assert drawn.sum() == 1200
    assert drawn.min() > 10 and drawn.max() < 55


def test_a_thumbnail_is_small_and_the_same_picture():
    (shown,) = sample(1, [0.5]).least_sure()
    kind, content = shown.picture.split(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (SIDE, SIDE)


def test_nothing_of_a_batch_is_held():
    batch = np.zeros((64, 8, 8, 3), np.uint8)
    found = ClassSample(2)
    for place in range(64):
        found.add(f"{place}", batch[place], 0.5, False, "", "")
    held = [*found.least_sure(), *found.drawn()]
    assert len(held) == 4
    assert not any(np.shares_memory(shown.pixels, batch) for shown in held)


def test_none_are_made_where_none_are_wanted():
    found = sample(0, [0.4, 0.6])
    assert (found.count, found.least_sure(), found.drawn()) == (2, [], [])


@pytest.mark.parametrize("classes", [1, 2, 30, 600])
def test_the_page_holds_so_many_thumbnails_at_most(classes):
    assert 2 * per_class(12, classes) * classes <= MOST
    assert per_class(0, classes) == 0


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture
def page(tmp_path):
    """Text and tags of a page with names that would be tags if they could."""
    classes = {
        NASTY: sample(3, np.linspace(0.4, 0.9, 20), abstained=True, note=NASTY, label=NASTY),
        "few": sample(3, [0.5, 0.6]),
        "none": sample(3, []),
    }
    left_out = [LeftOut(f"{n}.txt", "is no picture", True) for n in range(LISTED)]
    left_out.append(LeftOut(NASTY, NASTY))
    write_page(tmp_path / "page.html", {"Model": NASTY}, classes, left_out, SIDE)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    return text, tags.found


def test_no_name_becomes_a_tag_and_nothing_is_loaded(page):
    text, tags = page
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 15
    policy = next(tag["content"] for name, tag in tags if tag.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(tag["src"].startswith("data:") for _, tag in tags if "src" in tag)
    assert not re.search(r"https?://|url\(|@import", text)


def test_every_picture_has_its_name_and_every_class_its_count(page):
    text, tags = page
    pictures = [tag for name, tag in tags if name == "img"]
    assert len(pictures) == 3 + 3 + 2
    assert all(tag["alt"] for tag in pictures)
    assert text.count("All, the least sure first") == text.count("Drawn at random") == 1
    assert "Predictions of 22 images" in text
    assert re.search(r'<td class="number">20</td>\s*<td class="number">90.9 %</td>', text)
    links = {tag["href"] for name, tag in tags if name == "a"}
    ids = {"#" + tag["id"] for _, tag in tags if "id" in tag}
    assert links == {"#class-1", "#class-2"} < ids
    assert text.count('class="abstains"') == 6


def test_files_to_worry_about_come_first(page):
    text, _ = page
    assert "Without a prediction: 51 files" in text
    rows = text[text.index('id="left-out"') :]
    assert rows.index("&lt;script") < rows.index("0.txt")
    assert "1 more are in the table" in rows


def test_it_is_light_or_dark_as_the_reader_wants(page):
    text, tags = page
    assert "prefers-color-scheme: dark" in text
    assert {"name": "color-scheme", "content": "light dark"} in [tag for _, tag in tags]
    assert ("html", {"lang": "en"}) in tags
