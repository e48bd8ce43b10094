"""Pieces of the report page: words, tables, figures, the checklist."""

import re

import numpy as np
import pytest
from markupsafe import Markup

from fewlabels.reporting.figures import plt
from fewlabels.reporting.page import checklist, classes, data_card
from fewlabels.reporting.page.answer import ArmAnswer, Verdict, headline, labels_saved
from fewlabels.reporting.page.calibration import bins
from fewlabels.reporting.page.confusion import matrix
from fewlabels.reporting.page.svg import inline
from fewlabels.reporting.page.tables import html_table
from fewlabels.reporting.page.words import first_number, inline_markdown, plain
from fewlabels.reporting.tables import Table, markdown_code, markdown_text
from fewlabels.statistics.predictions import Predictions


@pytest.mark.parametrize(
    "text", ["a|b", "<b>&amp;", "*x* _y_ `z`", r"back\slash", "$1 [x](y)", "snake_case"]
)
def test_text_for_markdown_comes_back_as_it_was(text):
    assert inline_markdown(markdown_text(text)).unescape() == text
    assert (
        inline_markdown(markdown_code(text))
        .unescape()
        .removeprefix("<code>")
        .removesuffix("</code>")
        == text
    )


def test_marks_become_elements_and_nothing_else_does():
    assert inline_markdown("**`a` is \\*better\\*** <i>") == Markup(
        "<strong><code>a</code> is *better*</strong> &lt;i&gt;"
    )
    assert plain("**`a`** \\<i\\>") == "a <i>"


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *(
            ("-4.46 [-7.42, -1.50]", -4.46),
            ("> 100 [5, 6]", 100),
            ("2,993", 2993),
            ("1e-05", 1e-05),
        ),
        *(("10 %", 10), ("worse", None), ("", None), ("`a1`", None)),
    ],
)
def test_cells_are_sorted_by_their_first_number(cell, number):
    assert first_number(cell) == number


def test_a_table_has_numbers_to_sort_by_and_a_filter_where_it_is_long():
    html = html_table(Table(["arm", "score"], [["`a`", "–"], ["`b`", "80 [78, 82]"]]), "`two` arms")
    assert '<td class="number" data-number="80.0">80 [78, 82]</td>' in html
    assert '<td class="number">–</td>' in html
    assert "<td><code>a</code></td>" in html
    assert 'aria-label="two arms"' in html
    assert "data-filter" not in html
    assert "data-filter" in html_table(Table(["a"], [[str(n)] for n in range(7)]), "many")


def figure(label: str = "a<b> $x$"):
    drawn, axes = plt.subplots()
    axes.plot([0, 1], [0, 1], color="#000000", marker="s")
    axes.fill_between([0, 1], [0, 1], color="#0072b2")
    axes.set_title(label)
    return drawn


def test_figures_keep_their_text_and_follow_the_pages_colours():
    svg = inline(figure(), "one", "a & b", "<seen>")
    assert "a&lt;b&gt; $x$" in svg
    assert '<title id="one-title">a &amp; b</title>' in svg
    assert '<desc id="one-description">&lt;seen&gt;</desc>' in svg
    assert 'stroke="currentColor"' in svg and 'fill="#0072b2"' in svg
    assert not re.search("#000000|#ffffff|style=|font-family|metadata|xlink|xmlns", svg)
    assert plt.get_fignums() == []


def test_two_figures_share_no_id_and_name_their_own():
    first, second = (inline(figure(), name, "", "") for name in ("one", "two"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, second)]
    assert not ids[0] & ids[1]
    for svg, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
        named = {one or other for one, other in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)}
        assert named <= own
    assert inline(figure(), "one", "", "") == first


def verdict(kind: str, gain: str, labels: str) -> Verdict:
    return Verdict(labels, kind, "", gain, "")


def answer(arm: str, *verdicts: Verdict) -> ArmAnswer:
    return ArmAnswer(arm, f"`{arm}`", "", "`base`", verdicts, "", "")


def test_the_headline_tells_each_kind_of_verdict_apart():
    lines = headline(
        [
            answer(
                "a",
                verdict("better", "+2.00 [1, 3]", "10 %"),
                verdict("worse", "-1.50 [1, 3]", "1 %"),
            ),
            answer(
                "b", verdict("equivalent", "+0.10", "10 %"), verdict("undecided", "+4.00", "1 %")
            ),
        ],
        "accuracy",
    )
    assert lines == [
        "**`a` does better than `base`**, by 2.00 at 10 % (points of accuracy).",
        "**`a` does worse than `base`**, by 1.50 at 1 % (points of accuracy).",
        "As good as the baseline, within the margin: `b` at 10 %.",
        "Undecided, as the difference may be chance: `b` at 1 %.",
    ]


def test_a_matrix_keeps_true_and_predicted_apart():
    rows = [
        {"label": label, "predicted": predicted, "images": images, "replicate": replicate}
        for replicate in "12"
        for label, predicted, images in (
            ("a", "a", "1"),
            ("a", "b", "3"),
            ("b", "a", "0"),
            ("b", "b", "2"),
        )
    ]
    found = matrix("arm", rows)
    assert [(label, [count.images for count in counts]) for label, counts in found.rows] == [
        ("a", [2, 6]),
        ("b", [0, 4]),
    ]
    assert [count.shade for count in found.rows[0][1]] == [2, 8]
    assert found.replicates == 2


def test_bars_and_descriptions_are_means_of_replicates():
    values = {"arm": {"a": [50.0, 70.0], "b": [100.0]}}
    drawn = classes.bars(values)
    assert [round(bar.get_height()) for bar in drawn.axes[0].patches] == [60, 100]
    plt.close(drawn)
    assert classes.description(values) == "Mean recall over replicates, per cent. arm: a 60, b 100."


def test_sizes_name_the_commonest_and_the_ends():
    rows = [{"width": str(width), "height": "3"} for width in (4, 4, 5, 6, 7, 8, 9)]
    text = "4 × 3 (2), 5 × 3 (1), 6 × 3 (1) and 3 other sizes, all of 4 × 3 to 9 × 3"
    assert data_card.sizes(rows) == text


def test_the_checklist_links_what_the_page_has_and_leaves_the_rest_to_the_authors():
    found = {line.item.number: line for line in checklist.lines({"data": "Data card"})}
    assert found["7"].places == (("data", "Data card"),)
    assert (found["7"].state, found["5"].state) == ("here", "partly")
    assert (found["17"].state, found["17"].places) == ("authors", ())
    assert found["24"].state == "none"
    html = checklist.section({"data": "Data card"}).html
    assert '<a href="#data">Data card</a>' in html
    assert html.count("<tr") == 1 + len(checklist.ITEMS)


def test_bins_hold_as_many_answers_each_of_all_replicates():
    classes_ = ("a", "b")
    confidence = np.linspace(0.5, 0.99, 20)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0] * 10 + [1] * 10)
    ids = tuple(map(str, range(20)))
    run = Predictions(ids, labels, np.zeros(20, np.int64), probabilities, classes_)
    found = bins([run, run])
    assert [one.answers for one in found] == [10, 10, 10, 10]
    assert [one.accuracy for one in found] == [1.0, 1.0, 0.0, 0.0]
    assert found[0].confidence == pytest.approx(confidence[:5].mean())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Labels saved: `base` needs 2.50 [1.25, ≥ 12] times as many for the same score"),
        (
            {"ratio": "0.5"},
            "No labels saved: `base` needs only 0.50 [1.25, ≥ 12] times as many for the same score",
        ),
        ({"ratio": "", "state": "no curve"}, "Labels saved: not known (no curve)"),
        ({"ratio": ""}, ""),
    ],
)
def test_labels_saved_are_told_only_where_they_are_known(changes, words):
    row = {"baseline": "base", "ratio": "2.5", "ratio_bound": "", "state": ""}
    row |= {
        "ratio_low": "1.25",
        "ratio_low_bound": "",
        "ratio_high": "12",
        "ratio_high_bound": ">=",
    }
    assert labels_saved(row | changes) == words
