"""Means over replicates with their intervals, medians and minima, and runs that stand out: by hand."""

from dataclasses import replace

import numpy as np
import pytest
from builders import predictions_of
from scipy.stats import norm

from fewlabels.statistics.evaluation import (
    FELL_BACK,
    FITTED_TWICE,
    Scored,
    Settings,
    score,
)
from fewlabels.statistics.over_replicates import (
    LEARNT_NOTHING,
    NOT_ABOVE_MAJORITY,
    OUTLIER,
    combined_interval,
    estimate,
    interquartile_mean,
    marked_rows,
    mean_rows,
)
from fewlabels.statistics.predictions import DIVERGED
from fewlabels.statistics.variance_components import two_way

SETTINGS = Settings(alpha=0.1)
LABELS = "ab" * 20
PLACE = {"arm": "one", "fraction": "10", "test_set": "test", "selection": "last"}
KEY = ("one", "10", "test")


def answers(*wrong: int, labels: str = LABELS) -> str:
    """The labels but for the images at these places."""
    return "".join("ba"["ab".index(x)] if n in wrong else x for n, x in enumerate(labels))


def scored(*wrong: int, labels: str = LABELS, slides: dict[str, str] | None = None) -> Scored:
    return score(predictions_of(labels, answers(*wrong, labels=labels)), slides or {})


RUNS = [scored(0, 3, 7), scored(0, 3, 8, 11, 12), scored(0, 2)]
#: Whether an image is right, in per cent, (3, 40).
RIGHT = np.array([100.0 * run.right for run in RUNS])


def limits(runs: list[Scored], metric: str, **options) -> tuple[float, float]:
    row = combined_interval(runs, metric, SETTINGS, **options)
    return row["low"], row["high"]


def test_the_interval_of_a_mean_accuracy_is_wilsons():
    found = two_way(RIGHT.mean(1), RIGHT, 40)
    share, error = RIGHT.mean() / 100, found.error / 100
    size = share * (1 - share) / error**2
    critical = found.critical(0.05)
    for limit in limits(RUNS, "accuracy"):
        x = limit / 100
        # Wilson's equation: the observed share is just `critical` standard errors from the limit.
        assert (share - x) ** 2 == pytest.approx(critical**2 * x * (1 - x) / size)
    assert combined_interval(RUNS, "accuracy", SETTINGS)["interval"] == "combined_images"
    # It leans to the middle, and ends before 100.
    low, high = limits(RUNS, "accuracy")
    assert 100 * share - low > high - 100 * share > 0
    assert high < found.interval(0.1)[1]


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_means_over_classes_likewise(metric):
    found = estimate(RUNS, metric)
    assert found.value == pytest.approx(np.mean([run.values[metric] for run in RUNS]))
    share, error = found.value / 100, found.error / 100
    for limit in limits(RUNS, metric):
        x = limit / 100
        expected = (found.critical(0.05) * error) ** 2 * x * (1 - x) / (share * (1 - share))
        assert (share - x) ** 2 == pytest.approx(expected)


def test_other_metrics_have_symmetric_intervals_within_their_bounds():
    found = estimate(RUNS, "mcc")
    assert limits(RUNS, "mcc") == pytest.approx(found.interval(0.1))
    wide = [scored(), scored(*range(0, 40, 2)), scored(1)]
    assert limits(wide, "kappa")[1] == 100 < estimate(wide, "kappa").interval(0.1)[1]


def sure(run: Scored, losses: list[float]) -> Scored:
    """With probabilities of the label of exp(-loss)."""
    found = run.predictions
    of_label = np.exp(-np.array(losses))
    probabilities = np.where(np.eye(2)[found.labels] == 1, of_label[:, None], 1 - of_label[:, None])
    return score(replace(found, probabilities=probabilities), {})


def test_the_likelihood_has_an_interval_from_0_up():
    losses = np.array([[0.01] * 39 + [3.0], [0.02] * 38 + [1, 5.0]])
    runs = [sure(scored(), list(row)) for row in losses]
    assert [run.values["nll"] for run in runs] == pytest.approx(losses.mean(1))
    found = two_way(losses.mean(1), losses, 40)
    low, high = limits(runs, "nll")
    assert found.interval(0.1)[0] < 0 == low
    assert high == pytest.approx(found.interval(0.1)[1])


def test_pseudovalues_of_a_mean_are_those_of_its_terms():
    """Over slides by definition: G x all - (G - 1) x all but one."""
    losses = list(np.random.default_rng(0).exponential(size=40))
    slides = {f"{n:03}": f"s{n // 12}" for n in range(40)}
    found = score(sure(scored(), losses).predictions, slides)
    for place in range(4):
        rest = [loss for n, loss in enumerate(losses) if n // 12 != place]
        expected = 4 * np.mean(losses) - 3 * np.mean(rest)
        assert found.pseudovalues["nll"][place] == pytest.approx(expected)
    single = sure(scored(), losses)
    assert single.pseudovalues["nll"] == pytest.approx(losses)
    # Both classes count: 2 (1 - p)^2.
    brier = [2 * (1 - np.exp(-loss)) ** 2 for loss in losses]
    assert single.pseudovalues["brier"] == pytest.approx(brier)
    assert single.values["brier"] == pytest.approx(np.mean(brier))


def test_runs_that_are_all_right_have_as_many_images_as_units():
    runs = [scored(), scored()]
    low, high = limits(runs, "accuracy")
    # x = n / (n + critical^2) at 100 %.
    critical = estimate(runs, "accuracy").critical(0.05)
    assert (low, high) == (pytest.approx(100 * 40 / (40 + critical**2)), 100)
    assert combined_interval(runs, "mcc", SETTINGS) == {
        "state": "no interval: every unit scored alike"
    }
    slides = {f"{n:03}": f"s{n // 4}" for n in range(40)}
    runs = [scored(slides=slides)] * 2
    critical = estimate(runs, "accuracy").critical(0.05)
    assert limits(runs, "accuracy")[0] == pytest.approx(100 * 10 / (10 + critical**2))
    assert combined_interval(runs, "accuracy", SETTINGS)["interval"] == "combined_groups"


def test_slides_of_unequal_size_count_by_their_effective_number():
    """Slides of 10, 10 and 10 x 2 images: 1600 / 240 = 6.7 effective ones of 12."""
    slides = {f"{n:03}": f"s{n // 10 if n < 20 else n // 2}" for n in range(40)}
    # Replicates hardly differ, so that units tell most.
    wrong = [(0, 1, 2, 3, 25), (0, 1, 2, 4, 25), (0, 1, 2, 3, 26)]
    runs = [scored(*images, slides=slides) for images in wrong]
    data = np.array([run.pseudovalues["mcc"] for run in runs])
    values = np.array([run.values["mcc"] for run in runs])
    assert data.shape == (3, 12)
    expected = two_way(values, data, 1600 / 240).interval(0.1)
    assert limits(runs, "mcc") == pytest.approx((expected[0], min(expected[1], 100)))
    assert expected[0] < two_way(values, data, 12).interval(0.1)[0] - 0.1


def test_one_run_has_wilsons_interval():
    row = combined_interval(RUNS[:1], "accuracy", SETTINGS)
    assert row["interval"] == "wilson"
    z = norm.ppf(0.95)
    for limit in (row["low"], row["high"]):
        x = limit / 100
        assert (37 / 40 - x) ** 2 == pytest.approx(z**2 * x * (1 - x) / 40)


def test_reasons_why_a_mean_has_no_interval():
    other = replace(RUNS[1], predictions=replace(RUNS[1].predictions, ids=("z",) * 40))
    assert combined_interval([RUNS[0], other], "accuracy", SETTINGS) == {
        "state": "no interval: test images differ between replicates"
    }
    # Slides of 31 and 9 x 1 images: 1600 / 970 effective ones.
    slides = {f"{n:03}": "big" if n < 31 else f"s{n}" for n in range(40)}
    runs = [scored(0, 3, slides=slides), scored(0, slides=slides)]
    for metric in ("accuracy", "macro_f1"):
        state = combined_interval(runs, metric, SETTINGS)["state"]
        assert state.startswith("no interval: fewer than 5 effective slides")
    few = [scored(0, labels="ab" * 2), scored(0, 1, labels="ab" * 2)]
    assert combined_interval(few, "accuracy", SETTINGS) == {
        "state": "no interval: fewer than 5 test images"
    }
    nine = "a" * 30 + "b" * 9
    runs = [scored(0, labels=nine), scored(1, 35, labels=nine)]
    assert combined_interval(runs, "balanced_accuracy", SETTINGS) == {
        "state": "no interval: fewer than 10 test images of b"
    }
    assert "low" in combined_interval(runs, "accuracy", SETTINGS)


def test_other_pools_of_training_images_widen_intervals():
    plain, wider = (limits(RUNS, "mcc", shared_pool=share) for share in (0, 0.5))
    # MS_R counts 1 + 3 x .5 / .5 = 4 times.
    expected = two_way(
        np.array([run.values["mcc"] for run in RUNS]),
        np.array([run.pseudovalues["mcc"] for run in RUNS]),
        40,
        0.5,
    ).interval(0.1)
    assert wider == pytest.approx((expected[0], 100))
    assert wider[0] < plain[0]
    assert combined_interval(RUNS, "accuracy", SETTINGS, 1.0) == {
        "state": "no interval: all training images are used"
    }
    rows = accuracy_rows([80, 90, 95])
    runs = {KEY: RUNS}
    found, same, whole = (
        mean_rows(rows, runs, SETTINGS, pools)[0]
        for pools in ({("one", "10"): 0.5}, {("one", "100"): 0.5}, {("one", "10"): 1.0})
    )
    assert found["low"] < same["low"]
    assert "low" not in whole


# ------------------------------------------------------------------------------------- other summaries
def accuracy_rows(values: list[float | None], **cells: str) -> list[dict]:
    """Rows of single runs; None: diverged."""
    return [
        PLACE
        | {"metric": "accuracy", "replicate": str(seed), "value": value}
        | {"state": DIVERGED if value is None else ""}
        | cells
        for seed, value in enumerate(values)
    ]


def test_median_interquartile_mean_and_minimum():
    assert interquartile_mean([10, 70, 80, 81, 95]) == pytest.approx((70 + 80 + 81) / 3)
    # A quarter of three, rounded down, is none; of eight it is two.
    assert interquartile_mean([0, 3, 6]) == 3
    assert interquartile_mean([0, 1, 2, 3, 5, 6, 80, 90]) == 4
    values = [10.0, 95, 70, 81, 80]
    rows = mean_rows(accuracy_rows(values), {KEY: RUNS}, SETTINGS, {})
    assert [(row["replicate"], row["value"]) for row in rows] == [
        ("mean", pytest.approx(67.2)),
        ("median", 80),
        ("iqm", pytest.approx(77)),
        ("minimum", 10),
    ]
    assert all("low" not in row and row["n"] is None for row in rows[1:])
    assert {row["selection"] for row in rows} == {"last"}


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        # Two replicates; a metric of one class; the published protocol.
        ({}, [80, 90]),
        ({"metric": "recall_a"}, [80, 90, 95]),
        ({"selection": "best_test"}, [80, 90, 95]),
    ],
)
def test_where_there_is_a_mean_alone(cells, values):
    rows = mean_rows(accuracy_rows(values, **cells), {KEY: RUNS[: len(values)]}, SETTINGS, {})
    assert [row["replicate"] for row in rows] == ["mean"]


def test_no_summary_is_over_fewer_runs():
    rows = mean_rows(accuracy_rows([80, None, 90, None]), {KEY: RUNS}, SETTINGS, {})
    assert [row["replicate"] for row in rows] == ["mean", "median", "iqm", "minimum"]
    assert {(row["value"], row["state"]) for row in rows} == {(None, "2 of 4 diverged")}


def test_states_of_means():
    scaled = accuracy_rows([1.5, 2.0], metric="temperature", state=FITTED_TWICE)
    (mean,) = mean_rows(scaled, {KEY: RUNS[:2]}, SETTINGS, {})
    assert (mean["value"], mean["state"]) == (1.75, FITTED_TWICE)
    scaled[0] |= {"value": None, "state": "no error on the validation images"}
    (mean,) = mean_rows(scaled, {KEY: RUNS[:2]}, SETTINGS, {})
    assert (mean["value"], mean["state"]) == (None, "1 of 2 no error on the validation images")
    rows = accuracy_rows([80, 90])
    rows[0]["state"] = f"{OUTLIER}; {FELL_BACK}"
    (mean,) = mean_rows(rows, {KEY: RUNS[:2]}, SETTINGS, {})
    assert (mean["value"], mean["state"]) == (85, f"1 of 2 {FELL_BACK}")


# ------------------------------------------------------------------------------------- runs that stand out
def marks(values: list[float | None], run: Scored = RUNS[0], **cells: str) -> list[str]:
    rows = accuracy_rows(values, **cells)
    key = (*KEY[:2], cells.get("test_set", "test"))
    found = marked_rows(rows, {key: [run]})
    assert [row["value"] for row in found] == values
    return [row["state"] for row in found]


@pytest.mark.parametrize(
    ("values", "outliers"),
    [
        # Quartiles 90 and 92 of five: fences 84 and 98, which are not beyond.
        ([83.9, 90, 91, 92, 98.1], {0, 4}),
        ([84.0, 90, 91, 92, 98.0], set()),
        ([60, 90, 91, 92, 93], {0}),
        # Too few to tell; and of a diverged one nothing is known.
        ([60, 92, 92, 92], set()),
        ([60, 92, 92, 92, None], set()),
    ],
)
def test_outliers_among_replicates(values, outliers):
    found = marks(values)
    assert {place for place, state in enumerate(found) if OUTLIER in state} == outliers


def test_outliers_are_of_the_runs_of_their_own_place():
    rows = accuracy_rows([90, 91, 92, 91]) + accuracy_rows([50, 51, 52, 51.0], fraction="1")
    runs = {KEY: RUNS, ("one", "1", "test"): [scored(*range(19))]}
    low = [row["state"] for row in marked_rows(rows, runs)]
    assert not [state for state in low if OUTLIER in state]


def test_runs_that_are_not_above_the_majority():
    # 25 of 40 test images are an a: 62.5 %.
    run = scored(labels="a" * 25 + "b" * 15)
    assert marks([62.5, 63], run) == [LEARNT_NOTHING, ""]
    assert marks([62.5, 65], run, test_set="LISC") == [NOT_ABOVE_MAJORITY, ""]
    both = marks([10, 90, 91, 92, 93], run)
    assert both[0] == f"{LEARNT_NOTHING}; {OUTLIER}"
    # Test images of one class: nothing could be above it.
    assert marks([90, 100], scored(labels="a" * 40)) == ["", ""]


@pytest.mark.parametrize("cells", [{"selection": "best_test"}, {"metric": "mcc"}])
def test_only_the_accuracy_of_predictions_is_marked(cells):
    assert marks([0, 90, 91, 92, 93], **cells) == [""] * 5
