"""The report page: what stands on it, and that nothing of the user's is more than text."""

import json
import re
from html.parser import HTMLParser

import pytest
from builders import call, command_line, failure
from result_folders import HOSTILE, Folder

import report
from fewlabels.core.files import read_csv, write_csv
from fewlabels.reporting.page.classes import recalls
from fewlabels.reporting.page.document import policy

#: Elements without an end.
VOID = {"meta", "input", "br", "img"}


class Page(HTMLParser):
    """What a browser makes of the page: elements, ids, links, and the words of each section."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.ids, self.links = text, [], [], []
        self.attributes: list[tuple[str, dict]] = []
        self.words: dict[str, str] = {}
        self._open: list[str] = []
        self._section = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag in ("section", "header"):
            self._section = found["id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words[self._section] = self.words.get(self._section, "") + data

    def section(self, name: str) -> str:
        return " ".join(self.words[name].split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("results")).write()


def made(folder: Folder, **changes) -> Page:
    options = folder.options() | changes
    assert call("report", **options) == 0
    return Page(options["page"].read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(folder):
    return made(folder)


def test_the_first_screen_answers_in_words(page):
    answer = page.section("answer")
    assert "cluster does better than plain, by 8.00 at 10 % (points of accuracy)." in answer
    assert "Undecided, as the difference may be chance: cluster at 100 %." in answer
    assert "+8.00 [+3.50, +12.50]" in answer
    assert "smallest difference this could show: 5.25 points" in answer
    assert "+4.50 [+1.00, +8.00] points over all numbers of labels, p 0.040 adjusted" in answer
    assert "Labels saved: plain needs 2.50 [1.25, ≥ 12] times as many for the same score." in answer
    assert "plain baseline" in answer
    assert re.search("20 ?test images|test images ?20", answer)
    assert "40 to 400" in answer


def test_sections_in_their_order(page):
    sections = [found["id"] for tag, found in page.attributes if tag == "section"]
    assert sections == [
        *("results", "comparisons", "label-savings", "classes", "confusion", "calibration"),
        *("curves", "data", "models", "provenance", "checklist"),
    ]
    assert page.links[:12] == [f"#{name}" for name in ("answer", "answer", *sections[:10])]


def test_every_link_leads_to_a_place_on_the_page_and_every_id_is_the_only_one(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    for attribute in ("aria-labelledby", "href"):
        named = [found[attribute] for _, found in page.attributes if found.get(attribute)]
        assert {one.removeprefix("#") for text in named for one in text.split()} <= set(page.ids)


def test_table_1_is_that_of_the_summary(page):
    results = page.section("results")
    assert "91.00 [88.00, 94.00]" in results
    assert "97.90" in results  # published
    assert "Test images: 20. Replicates (seeds): 1, 2." in results


def test_confusion_matrices_are_summed_over_replicates_and_shaded_by_row(page):
    assert re.search(
        r'<th scope="row">Basophil</th>\s*<td class="shade-9">18</td>\s*<td class="shade-1">2</td>',
        page.text,
    )


def test_recalls_are_those_of_single_replicates(folder):
    source = report.source_of(report.build_parser().parse_args(command_line(folder.options())))
    assert recalls(source, "10") == {
        "plain": {"Basophil": [60.0, 62.0], "Monocyte": [80.0, 82.0]},
        "cluster": {"Basophil": [68.0, 70.0], "Monocyte": [88.0, 90.0]},
    }


def test_the_data_card_counts_what_is_used_and_left_out(page):
    data = page.section("data")
    assert "360 × 363 (400)" in data
    assert "unreadable" in data and "train/broken.jpg" in data


def test_model_cards_name_each_run_and_its_checkpoint(page):
    models = page.section("models")
    for seed in (1, 2):
        assert f"models/replicate{seed}/cluster_cells_10.pt" in models
    assert "resnet18, trained: layer4" in models
    assert "epochs 3" in models


def test_figures_are_text_with_titles_and_without_style_attributes(page):
    figures = [found for tag, found in page.attributes if tag == "svg"]
    # Two metrics; per number of labels the classes, and curves and calibration of both arms.
    assert len(figures) == 2 + 2 * (1 + 2 + 2)
    assert all(found["role"] == "img" for found in figures)
    assert page.tags.count("title") == 1 + len(figures)
    assert page.tags.count("desc") == len(figures)
    assert not [tag for tag, found in page.attributes if "style" in found]
    assert "Test accuracy after epoch 3: 80.0, 80.0 per cent." in page.text


def test_nothing_is_loaded_and_the_policy_knows_style_and_script(page):
    urls = [
        value
        for tag, found in page.attributes
        for key, value in found.items()
        if key in ("src", "href", "action") and not (value or "").startswith("#")
    ]
    assert urls == []
    [style] = re.findall("<style>(.*?)</style>", page.text, re.S)
    [script] = re.findall("<script>(.*?)</script>", page.text, re.S)
    [given] = [
        found["content"]
        for tag, found in page.attributes
        if found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert given == policy(style, script)
    assert given.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in given


def test_equal_tables_give_an_equal_page(tmp_path):
    folder = Folder(tmp_path, ["10"], compared=False, arms=["plain"]).write()
    assert made(folder).text == made(folder).text


def test_names_of_the_user_stay_text(tmp_path):
    hostile = made(Folder(tmp_path, fractions=["10"], name=HOSTILE).write())
    assert HOSTILE not in hostile.text
    assert "img" not in hostile.tags
    assert not [key for _, found in hostile.attributes for key in found if key.startswith("on")]
    for section in ("answer", "confusion", "data", "provenance"):
        assert HOSTILE in hostile.words[section]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """An arm that is compared with none, at one number of labels, without probabilities and epochs."""
    folder = Folder(
        tmp_path_factory.mktemp("alone"), ["10"], compared=False, arms=["plain"]
    ).write()
    for run in folder.runs:
        rows = read_csv(folder.path / run.path("predictions"))
        kept = [{key: row[key] for key in ("id", "label", "predicted")} for row in rows]
        write_csv(folder.path / run.path("predictions"), list(kept[0]), kept)
        history = read_csv(folder.path / run.path("history"))[-1:]
        write_csv(folder.path / run.path("history"), list(history[0]), history)
    return made(folder)


def test_what_a_run_did_not_make_is_left_out(alone):
    assert not {"comparisons", "label-savings", "calibration", "curves", "costs"} & set(alone.ids)
    assert {"results", "confusion", "checklist"} <= set(alone.ids)
    assert "No arm is compared with another" in alone.section("answer")
    assert {link.removeprefix("#") for link in alone.links} <= set(alone.ids)


def test_no_verdict_is_said_with_its_reason(tmp_path):
    folder = Folder(tmp_path, ["10"]).write()
    rows = read_csv(tmp_path / "comparisons.csv")
    rows[0] |= {"verdict": "no verdict", "state": "one replicate: nothing known", "detectable": ""}
    write_csv(tmp_path / "comparisons.csv", list(rows[0]), rows)
    answer = made(folder).section("answer")
    assert "No arm is shown to do better than its baseline." in answer
    assert "No verdict: cluster at 10 %." in answer
    assert "one replicate: nothing known" in answer


@pytest.mark.parametrize(
    ("change", "headline", "note"),
    [
        ({"verdict": "equivalent within 1.0", "equivalent": "true"}, "As good as the baseline", ""),
        ({"verdict": "better", "equivalent": "true"}, "does better than", "though equivalent"),
    ],
)
def test_verdicts_are_said_as_the_table_has_them(tmp_path, change, headline, note):
    folder = Folder(tmp_path, ["10"]).write()
    rows = read_csv(tmp_path / "comparisons.csv")
    rows[0] |= change
    write_csv(tmp_path / "comparisons.csv", list(rows[0]), rows)
    answer = made(folder).section("answer")
    assert headline in answer
    assert note in answer
    assert "No verdict" not in answer


def test_copies_of_test_images_and_drawings_are_told_first(tmp_path):
    folder = Folder(tmp_path, ["10"], arms=["plain"], compared=False).write()
    copies = {"kind": "bytes", "first_dataset": "cells", "first_split": "train", "count": 3}
    copies |= {"second_dataset": "cells", "second_split": "test", "images": 20}
    copies |= {"test": "true", "consequence": "warn"}
    write_csv(tmp_path / "leakage/check_leakage.csv", list(copies), [copies])
    settings = json.loads(folder.options()["settings"]) | {"synthetic": True}
    answer = made(folder, settings=json.dumps(settings)).section("answer")
    alarm = "3 of 20 test images of cells have the same file in cells train"
    assert answer.index(alarm) < answer.index("synthetic drawings") < answer.index("accuracy")


def test_settings_that_are_missing_are_named(folder, capsys):
    settings = json.loads(folder.options()["settings"])
    del settings["alpha"]
    settings["beta"] = 1
    line = failure(capsys, "report", **folder.options() | {"settings": json.dumps(settings)})
    assert "--settings: alpha, beta" in line


def test_a_table_that_is_missing_is_named(tmp_path, capsys):
    folder = Folder(tmp_path, ["10"]).write()
    (tmp_path / "metrics/evaluate.csv").unlink()
    assert "evaluate.csv does not exist" in failure(capsys, "report", **folder.options())
