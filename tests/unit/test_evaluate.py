"""Scoring: every run of the grid, every test set and every baseline, from their files."""

import numpy as np
import pytest
from builders import call, failure, write_index, write_run, write_sheet

from fewlabels.core.failed_runs import Failure
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import Run

LABELS = "aaabbc"
RUNS = [
    (arm, fraction, replicate)
    for arm in ("one", "two")
    for fraction in ("100", "0.5")
    for replicate in ("1", "7")
]
#: Of the sheet, but not of the table: it has no files here.
CROSSED = Run("one", "cells", "0.5", 1, 7, tabled=False, crossed=True)
#: Headline, three per class, and those of the probabilities with and without a temperature.
LAST = 5 + 3 * 3 + 4 + 4


@pytest.fixture
def options(tmp_path):
    """Two arms, two fractions, two replicates, one pretrained classifier."""
    for arm, fraction, replicate in RUNS:
        name = f"replicate{replicate}/{arm}_cells_{fraction}.csv"
        write_run(
            tmp_path,
            name,
            LABELS,
            "aabbcc" if arm == "one" else LABELS,
            [0.5, 0.8333333, 0.8333333],
        )
    write_run(tmp_path, "resnet_cam16.csv", "aab", "aaa", [2 / 3])
    return {
        "results": tmp_path,
        "index": write_index(tmp_path / "index.csv", "aab", LABELS),
        "runs": write_sheet(
            tmp_path / "runs.csv", ["one", "two"], ["100", "0.5"], [1, 7], more=[CROSSED]
        ),
        "pretrained": ["resnet_cam16"],
        "metrics": tmp_path / "metrics.csv",
        "confusion": tmp_path / "confusion.csv",
    }


def rows_of(options, **wanted) -> list[dict[str, str]]:
    rows = read_csv(options["metrics"])
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def only(options, **wanted) -> dict[str, str]:
    (row,) = rows_of(options, **wanted)
    return row


FIRST = {"arm": "one", "fraction": "100", "replicate": "1", "test_set": "test"}


def test_rows_and_values(options):
    assert call("evaluate", **options) == 0
    rows = read_csv(options["metrics"])
    # Eight runs and four means with three rows of the history each; the majority; one pretrained with two classes.
    assert len(rows) == (8 + 4) * (LAST + 3) + 5 + (LAST - 3 + 3)
    assert not [row for row in rows if not row["value"] and not row["state"]]
    assert {(row["arm"], row["fraction"], row["replicate"]) for row in rows} == {
        *RUNS,
        *((arm, fraction, "mean") for arm, fraction, _ in RUNS),
        ("majority", "", ""),
        ("resnet_cam16", "", ""),
    }
    found = {(row["selection"], row["metric"]): row for row in rows_of(options, **FIRST)}
    # By hand: see test_metrics and test_calibration; p = .8 of the answer, .1 of each other class.
    expected = {
        ("last", "accuracy"): 100 * 4 / 6,
        ("last", "macro_f1"): 100 * (4 / 5 + 1 / 2 + 2 / 3) / 3,
        ("last", "kappa"): 50,
        ("last", "recall_c"): 100,
        ("last", "nll"): -(4 * np.log(0.8) + 2 * np.log(0.1)) / 6,
        ("last", "brier"): (4 * 0.06 + 2 * (0.81 + 0.64 + 0.01)) / 6,
        # (.8 - 4/6)^2 is less than chance explains in six images.
        ("last", "calibration_error"): 0,
        ("best_test", "accuracy"): 100 * 5 / 6,
        ("best_test", "epoch"): 2,
        ("best_test", "optimism"): 100 / 6,
    }
    for key, value in expected.items():
        assert float(found[key]["value"]) == pytest.approx(value, rel=1e-6), key
    assert {row["n"] for row in found.values()} == {"6"}
    kinds = {key[1]: row["interval"] for key, row in found.items() if row["interval"]}
    shares = ["accuracy", *(f"{kind}_{name}" for name in "abc" for kind in ("precision", "recall"))]
    assert kinds == dict.fromkeys([*shares, "balanced_accuracy"], "wilson")
    few = "no interval: fewer than 10 test images of"
    states = {key[1]: row["state"] for key, row in found.items() if "no interval" in row["state"]}
    assert states == {
        **dict.fromkeys(["macro_f1", "mcc", "kappa", "macro_auroc"], f"{few} a, b, c"),
        **{f"f1_{name}": f"{few} {name}" for name in "abc"},
        **dict.fromkeys(("nll", "brier"), "no interval: fewer than 20 test images"),
    }
    probability = [row["metric"] for row in rows_of(options, **FIRST)][5 + 9 : LAST]
    assert probability == [
        *("nll", "brier", "calibration_error", "macro_auroc"),
        *("temperature", "nll_scaled", "brier_scaled", "calibration_error_scaled"),
    ]
    assert found["last", "nll_scaled"]["value"] == ""
    assert found["last", "nll_scaled"]["state"] == "no validation predictions"


def test_means_have_combined_intervals_and_no_n(options, tmp_path):
    name = "replicate7/one_cells_100.csv"
    write_run(tmp_path, name, LABELS, "aaabbb", [0.5])
    assert call("evaluate", **options) == 0
    mean = only(options, **FIRST | {"replicate": "mean"}, metric="accuracy", selection="last")
    assert float(mean["value"]) == pytest.approx(75)
    assert (mean["n"], mean["interval"]) == ("", "combined_images")
    assert float(mean["low"]) < 75 < float(mean["high"]) <= 100
    best = only(options, **FIRST | {"replicate": "mean"}, metric="accuracy", selection="best_test")
    assert best["interval"] == ""


def test_no_certainty_where_every_image_is_right(options):
    assert call("evaluate", **options) == 0
    mean = only(
        options,
        **{"arm": "two", "fraction": "100", "replicate": "mean"},
        **{"metric": "accuracy", "selection": "last"},
    )
    found = (float(mean["value"]), float(mean["high"]), mean["interval"])
    assert found == (100, 100, "combined_images")
    # As of six images, with t of 5 degrees of freedom: 6 / (6 + 2.5706^2).
    assert float(mean["low"]) == pytest.approx(100 * 6 / (6 + 2.5706**2), rel=1e-4)


def test_slides_are_resampled_where_there_are_enough(options, tmp_path):
    labels, slides = "ab" * 30, [f"s{n // 3}" for n in range(60)]
    for arm, fraction, replicate in RUNS:
        write_run(
            tmp_path, f"replicate{replicate}/{arm}_cells_{fraction}.csv", labels, "aab" * 20, [1]
        )
    write_index(options["index"], "aab", labels, slides)
    assert call("evaluate", **options) == 0
    assert only(options, **FIRST, metric="mcc")["interval"] == "bootstrap_groups"
    assert only(options, **FIRST, metric="nll")["interval"] == "bootstrap_groups"
    for metric in ("accuracy", "recall_a", "precision_b"):
        assert (
            only(options, **FIRST, metric=metric, selection="last")["interval"] == "wilson_groups"
        )
    mean = only(options, **FIRST | {"replicate": "mean"}, metric="mcc")
    assert mean["interval"] == "combined_groups"


def test_images_without_slides_are_no_groups(options, tmp_path):
    labels = "ab" * 30
    for arm, fraction, replicate in RUNS:
        write_run(
            tmp_path, f"replicate{replicate}/{arm}_cells_{fraction}.csv", labels, "aab" * 20, [1]
        )
    write_index(options["index"], "aab", labels)
    assert call("evaluate", **options) == 0
    assert only(options, **FIRST, metric="mcc")["interval"] == "bootstrap_images"
    mean = only(options, **FIRST | {"replicate": "mean"}, metric="mcc")
    assert mean["interval"] == "combined_images"


def test_a_diverged_run_is_never_averaged_away(options, tmp_path):
    write_run(tmp_path, "replicate7/one_cells_0.5.csv", LABELS, "", [])
    assert call("evaluate", **options) == 0
    diverged = rows_of(options, arm="one", fraction="0.5", replicate="7")
    assert len(diverged) == LAST + 3
    assert {(row["value"], row["n"], row["state"]) for row in diverged} == {("", "", "diverged")}
    means = rows_of(options, arm="one", fraction="0.5", replicate="mean")
    assert len(means) == LAST + 3
    assert {(row["value"], row["low"], row["state"]) for row in means} == {
        ("", "", "1 of 2 diverged")
    }
    assert only(options, **FIRST, metric="mcc")["value"]


def test_a_failed_run_has_the_last_line_of_its_log_for_a_state(options, tmp_path):
    reason = "error: no room, at all"
    path = tmp_path / "predictions/replicate7/one_cells_0.5.csv"
    Failure(reason, tuple(sorted({*LABELS})), 3).write_predictions(path)
    (tmp_path / "history/replicate7/one_cells_0.5.csv").write_text("epoch,test_accuracy\n")
    assert call("evaluate", **options) == 0
    failed = rows_of(options, arm="one", fraction="0.5", replicate="7")
    assert len(failed) == LAST + 3
    assert {(row["value"], row["state"]) for row in failed} == {("", f"failed: {reason}")}
    means = rows_of(options, arm="one", fraction="0.5", replicate="mean")
    assert {(row["value"], row["low"], row["state"]) for row in means} == {
        ("", "", "1 of 2 failed")
    }
    assert only(options, **FIRST, metric="mcc")["value"]


def test_temperature_from_validation_predictions(options, tmp_path):
    for arm, fraction, replicate in RUNS:
        name = f"replicate{replicate}/{arm}_cells_{fraction}.csv"
        # Four of six answers are right, as on the test images, at a confidence of .8.
        write_run(tmp_path, name, "abcabc", "abcacb", where="validation")
    assert call("evaluate", **options, selection="validation") == 0
    row = only(options, **FIRST, metric="temperature")
    assert row["selection"] == "validation"
    assert float(row["value"]) > 1
    before, after = (
        float(only(options, **FIRST, metric=name)["value"]) for name in ("nll", "nll_scaled")
    )
    assert after < before
    # The images that choose the epoch fit it as well, and every row of it says so.
    twice = "fitted on the images that chose the epoch"
    for replicate in ("1", "mean"):
        rows = rows_of(options, **FIRST | {"replicate": replicate})
        scaled = {row["metric"] for row in rows if row["state"] == twice}
        assert scaled == {
            *("temperature", "nll_scaled", "brier_scaled", "calibration_error_scaled")
        }
    # Of a run of its last epoch no validation image is known.
    assert only(options, arm="resnet_cam16", metric="mcc")["selection"] == "last"


def test_a_run_without_validation_images_is_of_its_last_epoch(options, tmp_path):
    for arm, fraction, replicate in RUNS:
        name = f"replicate{replicate}/{arm}_cells_{fraction}.csv"
        # Of a subset with few images none was held out: the file has a header and no rows.
        held_out = "" if fraction == "0.5" or (arm, replicate) == ("two", "7") else "abcacb"
        write_run(tmp_path, name, "abcabc", held_out, [0.5], where="validation")
        write_run(tmp_path, name, LABELS, LABELS, [1])
    assert call("evaluate", **options, selection="validation") == 0
    few = {"arm": "one", "fraction": "0.5", "metric": "accuracy"}
    chosen = [row for row in rows_of(options, **few) if row["selection"] != "best_test"]
    assert [(row["replicate"], row["selection"], row["state"]) for row in chosen] == [
        ("1", "last", "too few images for validation"),
        ("7", "last", "too few images for validation"),
        ("mean", "last", "2 of 2 too few images for validation"),
    ]
    assert chosen[-1]["value"] == "100"
    mixed = rows_of(options, arm="two", fraction="100", metric="accuracy", replicate="mean")
    assert [(row["selection"], row["state"]) for row in mixed] == [
        ("validation", "1 of 2 too few images for validation"),
        ("best_test", ""),
    ]
    assert only(options, **FIRST, metric="mcc")["selection"] == "validation"


def test_a_subset_of_the_classes_leaves_no_blank_cell(options, tmp_path):
    """An external set of one class: what is undefined says why."""
    for arm, fraction, replicate in RUNS:
        name = f"replicate{replicate}/{arm}_cells_{fraction}_on_LISC.csv"
        write_run(tmp_path, name, "aaa", "aba", classes="abc")
    assert call("evaluate", **options, external=["LISC"]) == 0
    place = FIRST | {"test_set": "LISC"}
    for metric, state in (
        ("macro_auroc", "test images of one class"),
        ("recall_b", "no test image of this class"),
        ("f1_c", "no test image of this class"),
        ("precision_c", "no test image of this class"),
    ):
        row = only(options, **place, metric=metric)
        assert (row["value"], row["state"]) == ("", state), metric
        mean = only(options, **place | {"replicate": "mean"}, metric=metric)
        assert (mean["value"], mean["state"]) == ("", state), metric
    assert only(options, **place, metric="precision_b")["value"] == "0"
    assert not [row for row in rows_of(options) if not row["value"] and not row["state"]]


def test_baselines(options, tmp_path):
    write_csv(
        tmp_path / "slides.csv",
        ["id", "label", "predicted"],
        ({"id": f"{n:03}", "label": label, "predicted": label} for n, label in enumerate(LABELS)),
    )
    pair = f"slide_only={tmp_path / 'slides.csv'}"
    assert call("evaluate", **options, baseline_predictions=[pair]) == 0
    # The training images of the index: a, a, b. So all of the test images are called a.
    assert float(only(options, arm="majority", metric="accuracy")["value"]) == 50
    assert float(
        only(options, arm="majority", metric="balanced_accuracy")["value"]
    ) == pytest.approx(100 / 3, rel=1e-6)
    assert float(only(options, arm="slide_only", metric="accuracy")["value"]) == 100


def test_external_test_sets(options, tmp_path):
    for arm, fraction, replicate in RUNS:
        write_run(
            tmp_path, f"replicate{replicate}/{arm}_cells_{fraction}_on_LISC.csv", "abcc", "abca"
        )
    assert call("evaluate", **options, external=["LISC"]) == 0
    rows = rows_of(options, test_set="LISC")
    assert len(rows) == (8 + 4) * LAST
    assert {row["selection"] for row in rows} == {"last"}
    row = only(options, **FIRST | {"test_set": "LISC"}, metric="accuracy")
    assert (float(row["value"]), row["n"]) == (75, "4")


def test_confusion_matrices(options):
    assert call("evaluate", **options) == 0
    rows = [row for row in read_csv(options["confusion"]) if FIRST.items() <= row.items()]
    assert {
        (row["label"], row["predicted"]): row["images"] for row in rows if row["images"] != "0"
    } == {
        ("a", "a"): "2",
        ("a", "b"): "1",
        ("b", "b"): "1",
        ("b", "c"): "1",
        ("c", "c"): "1",
    }
    assert len(rows) == 9


def test_the_same_input_gives_the_same_bytes(options):
    assert call("evaluate", **options) == 0
    first = options["metrics"].read_bytes()
    assert call("evaluate", **options) == 0
    assert options["metrics"].read_bytes() == first


def test_validation_images_without_an_error_fit_no_temperature(options, tmp_path):
    for arm, fraction, replicate in RUNS:
        held_out = "abcabc" if replicate == "7" else "abcacb"
        name = f"replicate{replicate}/{arm}_cells_{fraction}.csv"
        write_run(tmp_path, name, "abcabc", held_out, where="validation")
    assert call("evaluate", **options, selection="validation") == 0
    place = FIRST | {"replicate": "7"}
    for metric in ("temperature", "nll_scaled"):
        row = only(options, **place, metric=metric)
        assert (row["value"], row["state"]) == ("", "no error on the validation images")
        mean = only(options, **FIRST | {"replicate": "mean"}, metric=metric)
        assert (mean["value"], mean["state"]) == ("", "1 of 2 no error on the validation images")
    assert only(options, **place, metric="nll")["value"]


#: 12 of 20 test images are an a.
MANY = "a" * 12 + "b" * 8


def test_replicates_that_stand_out_and_what_lies_between(options, tmp_path):
    """Five replicates of one arm: 19, 18, 18, 12 and 19 of 20 right; two test sets."""
    wrong = {1: 1, 2: 2, 3: 2, 4: 8, 5: 1}
    write_sheet(options["runs"], ["one"], ["10"], list(wrong))
    write_index(options["index"], "ab", MANY)
    for seed, count in wrong.items():
        answers = MANY[: 20 - count] + "a" * count
        write_run(tmp_path, f"replicate{seed}/one_cells_10.csv", MANY, answers, [1])
        write_run(tmp_path, f"replicate{seed}/one_cells_10_on_LISC.csv", MANY, MANY[::-1])
    assert call("evaluate", **options | {"pretrained": []}, external=["LISC"]) == 0
    own = rows_of(options, arm="one", metric="accuracy", test_set="test", selection="last")
    assert [(row["replicate"], float(row["value"]), row["state"]) for row in own] == [
        ("1", 95, ""),
        ("2", 90, ""),
        ("3", 90, ""),
        # Quartiles 90 and 95: the lower fence is 75.
        ("4", 60, "learnt nothing: not above the majority class; outlier among replicates"),
        ("5", 95, ""),
        ("mean", 86, ""),
        ("median", 90, ""),
        ("iqm", pytest.approx(275 / 3, rel=1e-5), ""),
        ("minimum", 60, ""),
    ]
    # Eight of 20 right, in all five.
    external = rows_of(options, arm="one", metric="accuracy", test_set="LISC", replicate="4")
    assert [row["state"] for row in external] == ["not above the majority class"]
    assert len(rows_of(options, replicate="iqm")) == 2 * 5
    assert only(options, arm="majority", metric="accuracy")["state"] == ""


def test_other_pools_of_training_images(options, tmp_path, capsys):
    """Eight trained on in place of 16 images widen; all of them leave no interval."""
    name = "replicate7/one_cells_100.csv"
    write_run(tmp_path, name, LABELS, "aaabbb", [0.5])
    write_index(options["index"], "ab" * 8, LABELS)
    write_sheet(options["runs"], ["one"], ["100"], [1, 7])
    lengths = {}
    for pool, labels in (("this", 8), ("any", 8), ("any", 16)):
        table = [
            {"arm": "one", "fraction": "100", "replicate": seed, "labels": labels, "subset": "x"}
            for seed in (1, 7)
        ]
        write_csv(tmp_path / "labels.csv", list(table[0]), table)
        pools = {"training_pool": pool, "labels": tmp_path / "labels.csv"}
        assert call("evaluate", **options, **pools) == 0
        mean = only(options, **FIRST | {"replicate": "mean"}, metric="accuracy", selection="last")
        lengths[pool, labels] = float(mean["high"]) - float(mean["low"]) if mean["low"] else None
    assert lengths["any", 8] > lengths["this", 8]
    assert lengths["any", 16] is None
    assert mean["state"] == "no interval: all training images are used"
    assert "--labels" in failure(capsys, "evaluate", **options, training_pool="any")


@pytest.mark.parametrize("kind", ["predictions", "history"])
def test_a_missing_file_is_one_line(options, capsys, tmp_path, kind):
    (tmp_path / kind / "replicate7/two_cells_0.5.csv").unlink()
    line = failure(capsys, "evaluate", **options)
    assert f"{kind}/replicate7/two_cells_0.5.csv does not exist" in line
    assert not options["metrics"].exists()


def test_predictions_without_a_history_are_one_line(options, capsys, tmp_path):
    path = tmp_path / "history/replicate7/two_cells_0.5.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert "replicate7/two_cells_0.5.csv is empty" in failure(capsys, "evaluate", **options)


def test_external_indexes_must_fit(options, capsys):
    line = failure(capsys, "evaluate", **options, external=["a", "b"], external_indexes=["c"])
    assert "--external-indexes" in line


def test_rows_follow_the_sheet(options):
    assert call("evaluate", **options) == 0
    places = [(row["arm"], row["fraction"], row["replicate"]) for row in rows_of(options)]
    means = [(arm, fraction, "mean") for arm, fraction, seed in RUNS if seed == "1"]
    rest = [("majority", "", ""), ("resnet_cam16", "", "")]
    assert list(dict.fromkeys(places)) == [*RUNS, *means, *rest]


def test_one_run_and_no_pretrained_model(options, tmp_path):
    write_sheet(options["runs"], ["two"], ["0.5"], [7])
    assert call("evaluate", **options | {"pretrained": []}) == 0
    places = [(row["arm"], row["fraction"], row["replicate"]) for row in rows_of(options)]
    expected = [("two", "0.5", "7"), ("two", "0.5", "mean"), ("majority", "", "")]
    assert list(dict.fromkeys(places)) == expected
    mean = only(options, arm="two", replicate="mean", metric="accuracy", selection="last")
    assert (mean["value"], mean["interval"]) == ("100", "wilson")


def test_the_majority_is_that_of_the_training_images(options):
    """Most training images are b; of the six test images most are a, and two b."""
    write_index(options["index"], "abb", LABELS)
    assert call("evaluate", **options) == 0
    assert float(only(options, arm="majority", metric="accuracy")["value"]) == pytest.approx(
        100 / 3, rel=1e-5
    )


def test_every_test_set_is_scored_by_its_own_slides(options, tmp_path):
    """The own test images have no slide; the external ones, of the same ids, are of 8."""
    labels, answers = "ab" * 20, "ab" * 16 + "ba" * 4
    for arm, fraction, replicate in RUNS:
        name = f"replicate{replicate}/{arm}_cells_{fraction}_on_LISC.csv"
        write_run(tmp_path, name, labels, answers)
    other = write_index(tmp_path / "other.csv", "", labels, [f"s{n % 8}" for n in range(40)])
    assert call("evaluate", **options, external=["LISC"], external_indexes=[other]) == 0
    own = only(options, **FIRST, metric="accuracy", selection="last")
    external = only(options, **FIRST | {"test_set": "LISC"}, metric="accuracy")
    assert (own["interval"], external["interval"]) == ("wilson", "wilson_groups")
    assert float(external["value"]) == 80
    mean = only(options, **FIRST | {"test_set": "LISC", "replicate": "mean"}, metric="accuracy")
    assert mean["interval"] == "combined_groups"
