"""What stands first in the summary: the picture, and how many labels each arm saves."""

import pytest
from summaries import COMPARISON_COLUMNS, EFFICIENCY_COLUMNS, efficiency, readable, write_tables

from fewlabels.core.files import write_csv


@pytest.fixture
def options(tmp_path):
    return write_tables(tmp_path)


def line(options, tmp_path, **more) -> str:
    """The line of an arm, with these cells of its row."""
    write_csv(tmp_path / "label_efficiency.csv", EFFICIENCY_COLUMNS, [efficiency(**more)])
    [found] = [row for row in readable(options).splitlines() if row.startswith("- `combinedNet` ")]
    return found


def test_the_figure_stands_first(options):
    lines = readable(options).splitlines()
    assert lines[:5] == [
        *("# Summary", "", "## Labels saved", ""),
        "![accuracy against the number of labels](figures/label_efficiency.png)",
    ]


def test_gain_and_ratio_with_their_intervals(options, tmp_path):
    assert line(options, tmp_path) == (
        "- `combinedNet` gains +1.25 [-0.50, +3.00] points of accuracy on `resnet`, p 0.040 adjusted; "
        "`resnet` needs 1.50 [0.75, ≥ 12] times as many labels for the same accuracy."
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ratio": 4, "ratio_bound": ">="}, "needs ≥ 4.00 [0.75, ≥ 12] times"),
        ({"ratio_low_bound": "<="}, "needs 1.50 [≤ 0.75, ≥ 12] times"),
        ({"ratio_low": "", "ratio_high": ""}, "needs 1.50 times"),
        ({"low": "", "high": "", "p": "", "p_holm": ""}, "gains +1.25 points of accuracy on"),
        ({"state": "two replicates: hardly"}, "same accuracy (two replicates: hardly)."),
        (
            {"ratio": "", "state": "the baseline does not rise: no ratio"},
            "adjusted; labels saved: the baseline does not rise: no ratio.",
        ),
        ({"ratio": ""}, "adjusted; labels saved: –."),
        (
            {"difference": "", "state": "1 of 5 diverged"},
            "- `combinedNet` beside `resnet`: 1 of 5 diverged.",
        ),
    ],
)
def test_what_is_not_known_is_not_told(options, tmp_path, more, words):
    assert words in line(options, tmp_path, **more)


def test_only_whole_curves_on_the_own_test_images_are_told(options, tmp_path):
    rows = [
        efficiency(test_set="LISC", difference=9),
        efficiency(fraction="1", difference=8),
        efficiency(difference=7),
    ]
    write_csv(tmp_path / "label_efficiency.csv", EFFICIENCY_COLUMNS, rows)
    text = readable(options)
    assert text.count("- `combinedNet` gains") == 1
    assert "gains +7.00" in text


def test_an_arm_alone_has_its_curve_and_nothing_to_save(options, tmp_path):
    write_csv(tmp_path / "label_efficiency.csv", EFFICIENCY_COLUMNS, [])
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [])
    text = readable(options)
    assert "## Numbers of labels\n\n![accuracy against" in text
    assert "Labels saved" not in text
    assert "The gain is" not in text


def test_another_primary_metric_is_named(options):
    text = readable(options, primary="macro_f1")
    assert "![macro-F1 against the number of labels]" in text
    assert "points of macro-F1 on `resnet`" in text
    assert "times as many labels for the same macro-F1." in text
