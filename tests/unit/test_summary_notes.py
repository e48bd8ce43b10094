"""The notes below Table 1: what a reader must know to read it rightly."""

import pytest
from summaries import (
    COMPARISON_COLUMNS,
    EFFICIENCY_COLUMNS,
    LABEL_COLUMNS,
    METRIC_COLUMNS,
    comparison,
    efficiency,
    label_rows,
    line_of,
    metric_rows,
    readable,
    write_tables,
)

from fewlabels.audit.judgement import COLUMNS as LEAKAGE_COLUMNS
from fewlabels.core.files import write_csv


@pytest.fixture
def options(tmp_path):
    return write_tables(tmp_path)


def copies(kind, first_split, count):
    return {
        **{"kind": kind, "first_dataset": "wbc", "first_split": first_split},
        **{"second_dataset": "wbc", "second_split": "test", "count": count, "images": 200},
        **{"test": "true", "consequence": "warn"},
    }


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"subsets": "given"}, "Subsets were given, not drawn"),
        ({"synthetic": True}, "The images are synthetic drawings"),
        (
            {"starts": {"a": "default", "b": "random", "c": "random"}},
            "start from random weights, not from pretrained ones: `b`, `c`.",
        ),
        (
            {"starts": {"a": "packaged"}},
            "start from ImageNet weights out of a package: `a`.",
        ),
        ({"starts": {"a": "my/net.pth"}}, "start from the weights in `my/net.pth`: `a`."),
        ({"licences": {"a": "CC-BY|4.0"}}, "- Licence of the weights of `a`: CC-BY\\|4.0."),
        (
            {"transductive": ["combinedNet", "unused"]},
            "- transductive: `combinedNet` come from a network that had seen test images of the target",
        ),
        ({"margin": 2.5}, "smaller than 2.5 points"),
        ({"alpha": 0.1}, "90 % intervals"),
        ({"alpha": 0.1}, "At most 10 % chance of any false claim in this table, separately for"),
        ({"test_masks": "arm"}, "masked for the arms whose training images are"),
        ({"training_pool": "any"}, "widened to hold for other pools"),
        ({"pretraining_seeds": "per_replicate"}, "`verdict` is on the recipe"),
    ],
)
def test_notes_only_where_they_apply(options, more, words):
    assert words not in readable(options)
    assert words in readable(options, **more)


def test_test_images_with_copies_in_training_stand_above_the_table(options, tmp_path):
    rows = [copies("near_duplicates", "train", 200), copies("bytes", "test", 7)]
    write_csv(tmp_path / "leakage.csv", LEAKAGE_COLUMNS, rows)
    lines = readable(options).splitlines()
    assert lines[:2] == ["# Summary", ""]
    assert lines[2].startswith(
        "- **200 of 200 test images of `wbc` have a near duplicate in `wbc` train"
    )
    assert lines[4] == "## Labels saved"
    # Copies among the test images are a matter of the intervals: a note below the table.
    table = next(n for n, line in enumerate(lines) if line.startswith("## Table 1"))
    below = lines[table:]
    assert any(line.startswith("- 7 of 200 test images of `wbc` are copies") for line in below)


def test_classes_without_test_images_are_named(options, tmp_path):
    assert "No test images" not in readable(options)
    untested = [
        row | {"metric": "recall_A|B", "value": "", "state": "no test image of this class"}
        for row in metric_rows()
        if row["metric"] == "macro_f1" and row["arm"] == "resnet"
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, [*metric_rows(), *untested])
    assert "- No test images of `A\\|B`: `macro-F1` and the other means" in readable(options)


def test_note_on_replicates(options, tmp_path):
    text = readable(options)
    assert "Test images: 200. Replicates (seeds): 1, 2." in text
    assert "- Two replicates hardly tell how far replicates spread: take every interval" in text
    assert "gives no verdict" not in text
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows("123"))
    text = readable(options)
    assert "- 3 replicates hardly tell" in text
    assert "hence wide intervals and few verdicts: run 5 or more." in text
    assert "take every interval" not in text
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows("12345"))
    assert "hardly tell" not in readable(options)
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows(("1",)))
    text = readable(options)
    assert "One replicate (seed 1)" in text
    assert "- One replicate gives no verdict: run 5 or more." in text


def test_note_on_intervals_without_slides(options, tmp_path):
    assert "take test images as independent" not in readable(options)
    alone = [
        row | {"interval": "combined_images"} if row.get("interval") else row
        for row in metric_rows()
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, alone)
    assert "take test images as independent" in readable(options)


def test_note_on_how_the_epoch_was_chosen(options, tmp_path):
    assert "of the last epoch;" in readable(options)
    # At 1 % there were too few images to hold any out.
    chosen_by = {"100": "validation", "1": "last"}
    rows = [
        row | {"selection": chosen_by.get(row["fraction"], "last")}
        if row["selection"] == "last"
        else row
        for row in metric_rows()
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    text = readable(options, decimals=1)
    assert "of the epoch that validation images chose (at 1 % of the last one" in text
    assert "and which images are held out for validation." in text
    # The table shows both.
    assert line_of(text, "100 %", "resnet")["accuracy"].startswith("98.0")
    assert line_of(text, "1 %", "resnet")["accuracy"].startswith("80.0")


def test_three_replicates_without_comparisons(options, tmp_path):
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [])
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows("123"))
    text = readable(options)
    assert "hence wide intervals: run 5 or more." in text
    assert "`detectable`" not in text


def test_slides_are_counted_by_their_worth(options, tmp_path):
    assert "Slides, not images" not in readable(options)
    of_slides = {"units": 12, "effective_units": 4.26, "images": 200}
    state = "test images of only 4.3 effective slides"
    rows = [
        comparison("1", "no verdict", state=state, **of_slides),
        comparison("1", "", test_set="LISC", units=9, effective_units=8, images=90),
        # The same by another metric, and one that is not known.
        comparison("1", "", metric="macro_f1", **of_slides),
        comparison("1", "", metric="nll", units="", effective_units="", images=""),
    ]
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, rows)
    text = readable(options)
    assert "the 200 test images are of 12 slides, worth 4.3 of equal size. Below 5 of these" in text
    assert text.count("Slides, not images") == 1
    line = line_of(text, "1 %", "combinedNet")
    assert line["verdict on this checkpoint"] == f"no verdict ({state})"


def test_a_mean_without_an_interval_says_why(options, tmp_path):
    note = "no interval: fewer than 5 slides of A|B"
    rows = [
        row | {"low": "", "high": "", "interval": "", "state": f"{note}; and more"}
        if (row["arm"], row["replicate"], row["metric"]) == ("resnet", "mean", "accuracy")
        else row
        for row in metric_rows()
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    text = readable(options)
    assert line_of(text, "1 %", "resnet")["accuracy"] == "80.00"
    wanted = r"- No interval: fewer than 5 slides of A\|B: `resnet` at 100 %, `resnet` at 1 %."
    assert wanted in text.splitlines()
    everywhere = [
        row | {"low": "", "high": "", "interval": "", "state": note}
        if (row["replicate"], row["metric"]) == ("mean", "accuracy")
        else row
        for row in metric_rows()
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, everywhere)
    wanted = r"- No interval: fewer than 5 slides of A\|B: all runs."
    assert wanted in readable(options).splitlines()


def test_few_labels_that_are_few_steps_are_told(options, tmp_path):
    text = readable(options)
    for arm in ("resnet", "combinedNet"):
        assert f"Few labels are few steps for `{arm}`, 32 at 1 % and 2,902 at 100 %:" in text
    assert "Arms take" not in text
    assert "`images`: labelled training images" in text
    # As many steps, or nearly: nothing to tell apart.
    for most, told in ((600, False), (620, True)):
        near = {"100": (1041, 52, most), "1": (41, 2, 300)}
        write_csv(tmp_path / "labels.csv", LABEL_COLUMNS, label_rows(near))
        assert ("few steps" in readable(options)) == told
    write_csv(tmp_path / "labels.csv", LABEL_COLUMNS, [])
    assert "`images`:" not in readable(options)


def test_arms_of_other_steps_are_told(options, tmp_path):
    """As where one arm has min_steps: its own steps are even, and the other's are fewer at 1 %."""
    rows = [
        row | {"steps": 2900 if row["arm"] == "resnet" or row["fraction"] == "100" else 30}
        for row in label_rows({"100": (1041, 52, 0), "1": (41, 2, 0)})
    ]
    write_csv(tmp_path / "labels.csv", LABEL_COLUMNS, rows)
    text = readable(options)
    assert (
        "- Arms take 30 to 2,900 steps at 1 %: their differences may be those of the steps." in text
    )
    assert "steps at 100 %" not in text
    assert "few steps for `combinedNet`" in text and "few steps for `resnet`" not in text


def test_the_tests_of_whole_curves_are_a_further_family(options, tmp_path):
    assert 'in "Labels saved", are a further family, with at most 5 % chance' in readable(options)
    without = efficiency(p_holm="", p="", state="one replicate")
    write_csv(tmp_path / "label_efficiency.csv", EFFICIENCY_COLUMNS, [without])
    assert "further family" not in readable(options)


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        (("100", "1"), "draws its own subsets; at 100 % replicates vary only initialisation and"),
        (("100",), "- Replicates vary only initialisation and order.\n"),
        (("1",), "- Each replicate draws its own subsets.\n"),
    ],
)
def test_note_on_what_replicates_vary(options, tmp_path, fractions, words):
    rows = [row for row in metric_rows() if row["fraction"] in (*fractions, "")]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    assert words in readable(options)


def test_arms_that_saw_test_images_are_marked_wherever_their_numbers_stand(options):
    assert "transductive" not in readable(options)
    text = readable(options, transductive=["combinedNet"])
    lines = [line for line in text.splitlines() if "`combinedNet` (transductive)" in line]
    # One at each fraction, and its title.
    assert [line[:8] for line in lines] == ["| 100 % ", "| 1 % | ", "- `combi"]
    assert "`resnet` (transductive)" not in text
