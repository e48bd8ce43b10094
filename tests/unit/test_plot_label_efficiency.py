"""The figure of metrics against labels: whose line is where, marks, gaps, and files that are equal."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from builders import call, colours_in, write_sheet
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

import plot_label_efficiency
from fewlabels.core.files import write_csv
from fewlabels.reporting.figures import plt
from fewlabels.reporting.label_efficiency_figure import (
    ArmLine,
    MetricPanel,
    label_efficiency,
    line_styles,
)

METRIC_COLUMNS = ["arm", "fraction", "replicate", "test_set", "selection", "metric"]
METRIC_COLUMNS += ["value", "low", "high", "state"]
LABEL_COLUMNS = ["arm", "fraction", "replicate", "labels", "subset"]
#: Arm -> fraction -> labels; the arm of another split trains on a few images less.
LABELS = {
    "base": {"100": 1000, "10": 100, "1": 10},
    "good": {"100": 1000, "10": 100, "1": 10},
    "apart": {"100": 900, "10": 90, "1": 9},
}
#: Arm -> fraction -> accuracy; macro-F1 is 10 less.
VALUES = {
    "base": {"100": 90, "10": 80, "1": 70},
    "good": {"100": 92, "10": 86, "1": 81},
    "apart": {"100": 89, "10": 79, "1": 69},
}


def metric_rows(values=VALUES):
    """Means and intervals one below and two above them; what must not be drawn has values of its own."""
    for arm, fractions in values.items():
        for fraction, accuracy in fractions.items():
            for metric, value in (("accuracy", accuracy), ("macro_f1", accuracy - 10)):
                row = {"arm": arm, "fraction": fraction, "replicate": "mean", "metric": metric}
                row |= {"test_set": "test", "selection": "last", "value": value}
                row |= {"low": value - 1, "high": value + 2}
                yield row | {"selection": "best_test", "value": 99}
                yield row | {"test_set": "LISC", "value": 11}
                yield row | {"replicate": "median", "value": 12}
                yield row | {"replicate": "1", "value": value + 0.5, "low": value - 3}
                yield row
    for metric, value in (("accuracy", 60), ("macro_f1", 15)):
        place = {"arm": "majority", "fraction": "", "replicate": "", "test_set": "test"}
        yield place | {"selection": "last", "metric": metric, "value": value}


@pytest.fixture
def options(tmp_path: Path) -> dict:
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows())
    rows = [
        {"arm": arm, "fraction": fraction, "replicate": seed, "labels": count + 2 * seed - 3}
        for arm, counts in LABELS.items()
        for fraction, count in counts.items()
        for seed in (1, 2)
    ]
    write_csv(tmp_path / "labels.csv", LABEL_COLUMNS, rows)
    return {
        "metrics": tmp_path / "metrics.csv",
        "labels": tmp_path / "labels.csv",
        "runs": sheet(tmp_path, [1, 2]),
        "title": "cells, $x$ and <more>",
        "figure": tmp_path / "figure.png",
        "vector": tmp_path / "figure.svg",
    }


def sheet(folder: Path, seeds, arms=tuple(LABELS)) -> Path:
    of = {"good": "base", "apart": "base"}
    return write_sheet(folder / "runs.csv", arms, ["100", "10", "1"], seeds, of)


def drawn(options, monkeypatch, **more):
    """What the script gives to be drawn."""
    calls = []
    monkeypatch.setattr(plot_label_efficiency, "save_figure", lambda figure, *paths: None)
    monkeypatch.setattr(
        plot_label_efficiency, "label_efficiency", lambda *given: calls.append(given)
    )
    assert call("plot_label_efficiency", **options, **more) == 0
    return calls[0]


def test_the_figure(options):
    assert call("plot_label_efficiency", **options) == 0
    assert colours_in(options["figure"]) > 50
    assert ElementTree.parse(options["vector"]).getroot().tag.endswith("svg")


def test_equal_tables_give_equal_files(options, tmp_path):
    again = options | {"figure": tmp_path / "again.png", "vector": tmp_path / "again.svg"}
    for chosen in (options, again):
        assert call("plot_label_efficiency", **chosen) == 0
    for name in ("figure", "vector"):
        assert options[name].read_bytes() == again[name].read_bytes()
    assert b"dc:date" not in options["vector"].read_bytes()


def test_each_arm_has_its_own_numbers(options, monkeypatch):
    title, panels, level = drawn(options, monkeypatch, alpha=0.1)
    assert (title, level) == ("cells, $x$ and <more>", 90)
    assert [panel.metric for panel in panels] == ["accuracy", "macro-F1"]
    assert [panel.majority for panel in panels] == [60, 15]
    for panel, less in zip(panels, (0, 10), strict=True):
        assert [line.arm for line in panel.lines] == ["base", "good", "apart"]
        assert [line.is_baseline for line in panel.lines] == [True, False, False]
        for line in panel.lines:
            fractions = ("1", "10", "100")
            values = [VALUES[line.arm][fraction] - less for fraction in fractions]
            assert list(line.labels) == [LABELS[line.arm][fraction] for fraction in fractions]
            assert list(line.values) == values
            assert list(line.low) == [value - 1 for value in values]
            assert list(line.high) == [value + 2 for value in values]
        assert panel.texts == {1000: "100 %", 100: "10 %", 10: "1 %"}


def test_published_accuracies_stand_at_their_arm_and_fraction(options, monkeypatch):
    reported = json.dumps({"good": {"100": 97, "1": 88}, "elsewhere": 3})
    _, (accuracy, f1), _ = drawn(options, monkeypatch, reported=reported)
    marks = {line.arm: list(line.published) for line in accuracy.lines}
    assert marks == {"base": [], "good": [(10, 88), (1000, 97)], "apart": []}
    assert all(not line.published for line in f1.lines)


def test_the_primary_metric_comes_first(options, monkeypatch):
    _, panels, _ = drawn(options, monkeypatch, primary="macro_f1")
    assert [panel.metric for panel in panels] == ["macro-F1"]


def test_a_mean_without_value_is_a_gap(options, monkeypatch):
    rows = [
        row | ({"value": "", "low": "", "high": ""} if row["arm"] == "good" and fails else {})
        for row in metric_rows()
        for fails in [row["fraction"] == "10" and row["replicate"] == "mean"]
    ]
    write_csv(options["metrics"], METRIC_COLUMNS, rows)
    _, (accuracy, _), _ = drawn(options, monkeypatch)
    good = next(line for line in accuracy.lines if line.arm == "good")
    np.testing.assert_equal(list(good.values), [81, math.nan, 92])
    np.testing.assert_equal(list(good.high), [83, math.nan, 94])


def test_a_single_run_has_its_own_interval(options, monkeypatch, tmp_path):
    sheet(tmp_path, [1])
    _, (accuracy, _), _ = drawn(options, monkeypatch)
    assert list(accuracy.lines[0].values) == [70.5, 80.5, 90.5]
    assert list(accuracy.lines[0].low) == [67, 77, 87]


NAN = math.nan
BASE = ArmLine("base", [10, 100], [70, 80], [68, 79], [72, 82], [(10, 75)], True)
GOOD = ArmLine("good", [10, 100], [81, 86], [80, 85], [83, 88])


def axes_of(*panels: MetricPanel):
    figure = label_efficiency("title", panels, 95)
    plt.close(figure)
    return figure, figure.axes


def line_of(axes, arm: str) -> Line2D:
    (found,) = (line for line in axes.lines if line.get_label() == arm)
    return found


def test_lines_are_drawn_with_the_style_that_the_legend_names():
    figure, axes = axes_of(
        MetricPanel("accuracy", [BASE, GOOD]), MetricPanel("macro-F1", [BASE, GOOD])
    )
    keys = {key.get_label(): key for key in figure.legends[0].legend_handles}
    assert list(keys) == ["base (baseline)", "good", "95 % interval", "published"]
    for panel in axes:
        for name, key, line in (("base", "base (baseline)", BASE), ("good", "good", GOOD)):
            shown = line_of(panel, name)
            np.testing.assert_equal(shown.get_xdata(), line.labels)
            np.testing.assert_equal(shown.get_ydata(), line.values)
            for kind in ("color", "linestyle", "marker"):
                assert getattr(shown, f"get_{kind}")() == getattr(keys[key], f"get_{kind}")()


def test_bands_are_those_of_their_arms():
    _, (axes,) = axes_of(MetricPanel("accuracy", [BASE, GOOD]))
    for band, line in zip(axes.collections, (BASE, GOOD), strict=True):
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
        for end in (line.low, line.high):
            assert {(float(x), float(y)) for x, y in zip(line.labels, end, strict=True)} <= corners
        assert band.get_facecolor()[0][:3] == pytest.approx(
            to_rgb(line_of(axes, line.arm).get_color())
        )


def test_published_numbers_are_hollow_marks_of_their_arm():
    _, (axes,) = axes_of(MetricPanel("accuracy", [BASE, GOOD]))
    (hollow,) = (line for line in axes.lines if line.get_markerfacecolor() == "none")
    assert (list(hollow.get_xdata()), list(hollow.get_ydata())) == ([10], [75])
    assert hollow.get_marker() == line_of(axes, "base").get_marker()
    assert hollow.get_linestyle() == "None"


def test_arms_differ_without_colours():
    styles = line_styles([replace(GOOD, arm=f"arm{number}") for number in range(12)])
    told = {(str(style["linestyle"]), style["marker"]) for style in styles}
    assert len(told) == 12
    assert line_styles([BASE])[0]["color"] == "#000000"


def test_the_axis_has_the_numbers_of_labels():
    texts = {10.0: "1 %", 100.0: "10 %"}
    _, (axes,) = axes_of(
        MetricPanel("accuracy", [BASE, replace(GOOD, labels=[10, 97])], None, texts)
    )
    assert axes.get_xscale() == "log"
    assert list(axes.get_xticks()) == [10, 97, 100]
    # Two too near to each other: the larger one is told.
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10\n1 %", "", "100\n10 %"]


def test_nothing_is_drawn_outside():
    _, (axes,) = axes_of(MetricPanel("accuracy", [BASE, GOOD], 65))
    low, high = axes.get_ylim()
    assert low < 65 < 88 < high
    left, right = axes.get_xlim()
    assert left < 10 < 100 < right


def test_the_majority_class_is_a_line_or_where_it_is_far_below_a_note():
    figure, (near, far) = axes_of(
        MetricPanel("accuracy", [BASE, GOOD], 60), MetricPanel("macro-F1", [BASE, GOOD], 15)
    )
    (line,) = (line for line in near.lines if list(line.get_ydata()) == [60, 60])
    # In the middle of the range, where it is not its lower end.
    _, (within, _) = axes_of(
        MetricPanel("accuracy", [BASE, GOOD], 75), MetricPanel("macro-F1", [BASE, GOOD], 15)
    )
    assert [75, 75] in [list(line.get_ydata()) for line in within.lines]
    assert line.get_xdata() == [0, 1]
    assert near.get_ylim()[0] < 60
    assert far.get_ylim()[0] > 60
    assert [text.get_text() for text in far.texts] == ["majority class: 15.0, below"]
    assert "majority class" in [text.get_text() for text in figure.legends[0].get_texts()]
    figure, _ = axes_of(MetricPanel("macro-F1", [BASE, GOOD], 15))
    assert "majority class" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_point_without_neighbours_has_a_bar():
    gap = ArmLine(
        "gap", [1, 10, 100, 1000], [70, NAN, 80, 85], [69, NAN, 79, 84], [72, NAN, 81, 86]
    )
    _, (axes,) = axes_of(MetricPanel("accuracy", [gap]))
    (bar,) = axes.containers
    ((start, end),) = bar.lines[2][0].get_segments()
    assert (start.tolist(), end.tolist()) == ([1, 69], [1, 72])


def test_one_fraction_alone_is_points_beside_each_other():
    one = [
        ArmLine(name, [84], [value], [value - 1], [value + 1])
        for name, value in (("a", 80), ("b", 81))
    ]
    _, (axes,) = axes_of(MetricPanel("accuracy", one))
    first, second = (line_of(axes, name).get_xdata()[0] for name in "ab")
    assert first < 84 < second
    assert len(axes.containers) == 2


def test_arms_of_which_every_run_diverged_have_their_figure():
    lost = ArmLine("lost", [10, 100], [NAN, NAN], [NAN, NAN], [NAN, NAN])
    _, (axes,) = axes_of(MetricPanel("accuracy", [lost]))
    assert axes.get_ylim()[0] < 0 < 100 < axes.get_ylim()[1]
