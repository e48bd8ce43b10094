"""Cells and Markdown."""

import pytest

from fewlabels.core.errors import UserError
from fewlabels.reporting.tables import (
    Table,
    find,
    find_one,
    markdown_code,
    markdown_table,
    markdown_text,
    median_seconds,
    number,
    reported_value,
    verdict_cell,
    with_interval,
)


def test_find():
    rows = [{"a": "1", "b": "x"}, {"a": "2", "b": "x"}]
    assert find(rows, a="2", b="x") is rows[1]
    assert find(rows, b="x") is rows[0]
    assert find(rows, a="3") is None


def test_a_row_that_must_be_there_is_asked_for_by_its_values():
    rows = [{"a": "1", "b": "x"}]
    assert find_one(rows, b="x") is rows[0]
    with pytest.raises(UserError, match="no row of a 3, b x"):
        find_one(rows, a="3", b="x")


@pytest.mark.parametrize(
    ("text", "decimals", "signed", "cell"),
    [
        ("80.456", 1, False, "80.5"),
        ("80", 0, True, "+80"),
        ("-1.25", 1, True, "-1.2"),
        ("", 2, True, "–"),
    ],
)
def test_number(text, decimals, signed, cell):
    assert number(text, decimals, signed) == cell


def test_values_with_intervals_and_without():
    row = {"value": "80.1", "low": "78.04", "high": "82", "state": "", "difference": "-1"}
    assert with_interval(row, 1) == "80.1 [78.0, 82.0]"
    assert with_interval(row, 1, "difference", signed=True) == "-1.0 [+78.0, +82.0]"
    assert with_interval(row | {"low": "", "high": ""}, 1) == "80.1"
    assert with_interval(row | {"value": "", "state": "1 of 5 diverged"}, 1) == "1 of 5 diverged"
    assert with_interval(None, 1) == "–"


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        ({"verdict": "better", "equivalent": "false"}, "better"),
        ({"verdict": "worse", "equivalent": "true"}, "worse, though equivalent"),
        ({"verdict": "equivalent within 1.0", "equivalent": "true"}, "equivalent within 1.0"),
        ({"verdict": "undecided"}, "undecided"),
        # Equivalence is no surprise where it is the verdict, nor where there is none.
        ({"verdict": "undecided", "equivalent": "true"}, "undecided"),
        (
            {"verdict": "undecided", "state": "one note: long; and more"},
            "undecided (one note; and more)",
        ),
        (
            {"verdict": "better", "equivalent": "true", "state": "two replicates: hardly known"},
            "better, though equivalent (two replicates)",
        ),
        (
            {"verdict": "no verdict", "state": "one replicate: how far it spreads is not known"},
            "no verdict (one replicate)",
        ),
        (
            {"verdict": "worse", "state": "same training images as 5 %: counted once"},
            "worse (same training images as 5 %)",
        ),
        ({"verdict": "", "state": "1 of 5 diverged"}, "1 of 5 diverged"),
    ],
)
def test_verdicts(row, cell):
    empty = {"state": "", "equivalent": ""}
    assert verdict_cell({**empty, **row}) == cell
    assert verdict_cell(None) == "–"


def test_median_seconds():
    rows = [{"model": "a", "fraction": "1", "seconds": text} for text in ("10", "2", "60", "")]
    assert median_seconds(rows, "a", "1") == "10"
    assert median_seconds(rows, "a", "10") == "–"


def test_reported_numbers():
    reported = {"resnet": {"100": 97.9, "1": 80}, "resnet_cam16": 92.13}
    assert reported_value(reported, "resnet", "100") == 97.9
    assert reported_value(reported, "resnet", "1") == 80.0
    assert reported_value(reported, "resnet", "50") is None
    assert reported_value(reported, "resnet_cam16", "") == 92.13
    assert reported_value(reported, "unknown", "100") is None


def test_markdown():
    assert markdown_table(["%", "a", "b"], [["x", "1", ""], ["y", "2", "3"]]) == (
        "| % | a | b |\n| --- | ---: | ---: |\n| x | 1 |  |\n| y | 2 | 3 |"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CAM16, normal / tumor (90 %)", "CAM16, normal / tumor (90 %)"),
        ("snake_case_name", "snake_case_name"),
        ("_a_ *b*", r"\_a\_ \*b\*"),
        ("a|b\n\n# c", r"a\|b \# c"),
        ("<script>x</script>", r"\<script\>x\</script\>"),
        ("`a` [b](c) ![d]", r"\`a\` \[b\](c) !\[d\]"),
        ("$_$ $x$ ~~y~~", r"\$\_\$ \$x\$ \~\~y\~\~"),
        ("a&amp;b \\ c", r"a\&amp;b \\ c"),
    ],
)
def test_text_of_the_users_is_shown_as_it_was_written(text, shown):
    assert markdown_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("own/a_b.pth", "`own/a_b.pth`"),
        ("a|b", r"`a\|b`"),
        ("a\r\n b", "`a b`"),
        ("a`b", "`` a`b ``"),
        ("``a", "``` ``a ```"),
        ("<b>", "`<b>`"),
    ],
)
def test_a_path_of_the_users_is_code_of_one_line(text, shown):
    assert markdown_code(text) == shown


def test_a_table_stands_between_its_title_and_its_note():
    table = Table(["a", "b"], [["x", "1"]], "Title", "A note.")
    lines = ["### Title", "", "| a | b |", "| --- | ---: |", "| x | 1 |", "", "A note."]
    assert table.markdown() == "\n".join(lines)
    assert Table(["a"], [["x"]]).markdown() == markdown_table(["a"], [["x"]])
