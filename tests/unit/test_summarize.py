"""The summary: the tidy table, and the same for reading."""

import json

import pytest
from builders import call, failure
from summaries import (
    COMPARISON_COLUMNS,
    COMPARISONS,
    EFFICIENCY_COLUMNS,
    LABEL_COLUMNS,
    METRIC_COLUMNS,
    SPREAD_COLUMNS,
    cells,
    comparison,
    label_rows,
    line_of,
    metric_rows,
    model_rows,
    over_replicates,
    readable,
    write_tables,
)

from fewlabels.core.files import read_csv, write_csv


@pytest.fixture
def options(tmp_path):
    return write_tables(tmp_path)


@pytest.fixture
def summary(options):
    assert call("summarize", **options) == 0
    return read_csv(options["summary"])


def chosen(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_columns_and_number_of_rows(summary):
    assert list(summary[0]) == [
        *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported"),
        *("low", "high", "interval", "verdict", "state", "test_set"),
    ]
    # Table 1: 8 runs and 4 means of 5 metrics, 2 baselines of 2; table 2: 5 and 2 of the clusters; table 3: 5.
    assert [row["table"] for row in summary] == ["1"] * 64 + ["2"] * 7 + ["3"] * 5


def test_single_runs_are_kept(summary):
    [row] = chosen(
        summary,
        **{"arm": "resnet", "fraction": "1", "replicate": "2"},
        **{"selection": "last", "metric": "accuracy"},
    )
    assert (float(row["value"]), row["n"], row["low"], row["verdict"]) == (81.0, "200", "80", "")


def test_verdicts_stand_beside_the_mean_accuracy_of_the_last_epoch_only(summary):
    found = {
        (row["arm"], row["fraction"], row["replicate"], row["selection"], row["metric"]): row[
            "verdict"
        ]
        for row in summary
        if row["verdict"]
    }
    assert found == {
        ("combinedNet", "100", "mean", "last", "accuracy"): "undecided",
        ("combinedNet", "1", "mean", "last", "accuracy"): "better",
    }


def test_reported_numbers_stand_beside_the_published_protocol_only(summary):
    reported = [row for row in summary if row["reported"]]
    assert {(row["selection"], row["metric"]) for row in reported} == {("best_test", "accuracy")}
    assert {(row["arm"], row["fraction"], row["reported"]) for row in reported} == {
        ("resnet", "100", "97.9"),
        ("resnet", "1", "80"),
        ("resnet_cam16", "", "92.13"),
    }
    # Two replicates and their mean, for each of the two fractions; one for CAM16.
    assert len(reported) == 7


def test_quality_of_the_clusters_is_in_table_2(summary):
    rows = chosen(summary, metric="clusters_purity")
    assert [(row["table"], row["value"], row["n"]) for row in rows] == [("2", "0.75", "40")]


def test_costs_do_not_reach_the_tidy_table(options, summary, tmp_path):
    before = options["summary"].read_bytes()
    write_csv(tmp_path / "costs.csv", ["model", "fraction", "seconds"], [])
    assert "| 5 |" not in readable(options)
    assert options["summary"].read_bytes() == before


def test_costs_of_each_arm_and_pretraining(options):
    lines = readable(options).split("### Costs")[1].splitlines()
    table = [line for line in lines if line.startswith("|")][:4]
    assert table[0] == "| labels | trained | s per run | images/s | memory MB | GPU memory MB |"
    # Medians of time and rate, the highest of memory.
    assert table[2:] == [
        "| 1 % | `resnet` | 5 | 800 | 1,090 | – |",
        "| – | `pRCC_autoencoder` | 60 | – | – | 2,346 |",
    ]


def test_without_records_there_is_no_table_of_costs(options, tmp_path):
    write_csv(tmp_path / "costs.csv", ["model", "fraction", "seconds"], [])
    assert "### Costs" not in readable(options)


def test_readable_table_1(options):
    text = readable(options, decimals=1)
    assert line_of(text, "1 %", "resnet") == {
        **{"labels": "1 %", "images": "42 (2)", "steps": "32", "arm": "`resnet`"},
        **{"accuracy": "80.0 [79.0, 81.0]", "macro-F1": "61.0", "difference": "–"},
        **{"verdict on this checkpoint": "–", "detectable": "–", "at best test epoch": "81.5"},
        **{"optimism": "+1.5", "reported": "80.00", "s per run": "5"},
    }
    assert line_of(text, "100 %", "combinedNet") == {
        **{"labels": "100 %", "images": "1,042 (52)", "steps": "2,902", "arm": "`combinedNet`"},
        **{"accuracy": "97.0 [96.0, 98.0]", "macro-F1": "92.0"},
        **{"difference": "-1.0 [-2.5, +0.5]", "verdict on this checkpoint": "undecided"},
        **{"detectable": "2.2 [1.5, 4.0]", "at best test epoch": "97.5", "optimism": "+0.5"},
        **{"reported": "–", "s per run": "–"},
    }
    assert line_of(text, "1 %", "combinedNet")["verdict on this checkpoint"] == "better"
    majority = line_of(text, "–", "majority")
    assert (majority["accuracy"], majority["macro-F1"]) == ("61.3 [60.3, 62.3]", "15.2")
    tables = text.split("### Costs")[0]
    lines = [line for line in tables.splitlines() if line.startswith(("| 1", "| –"))]
    first = [line.split("|")[1].strip() for line in lines]
    assert first == ["100 %", "100 %", "1 %", "1 %", "–", "–"]


def test_labels_per_class_stand_behind_those_in_per_cent(options, tmp_path):
    renamed = {"100": "1perclass", "1": "5perclass"}
    rows = [row | {"fraction": renamed.get(row["fraction"], "")} for row in metric_rows()]
    mixed = [*metric_rows(), *(row for row in rows if row["fraction"])]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, mixed)
    tables = readable(options).split("### Costs")[0]
    lines = [row for row in tables.splitlines() if "`resnet` |" in row]
    first = [line.split("|")[1].strip() for line in lines]
    assert first == ["100 %", "1 %", "5 per class", "1 per class"]
    # labels.csv has none of them.
    assert line_of(readable(options), "5 per class", "resnet")["images"] == "–"


def test_numbers_of_images_and_steps_are_means_of_what_is_known(options, tmp_path):
    rows = label_rows()
    for row in rows:
        if (row["arm"], row["fraction"], row["replicate"]) == ("combinedNet", "1", 2):
            row |= {"labels": 51, "smallest_class_labels": 8, "steps": ""}
    write_csv(tmp_path / "labels.csv", LABEL_COLUMNS, rows)
    line = line_of(readable(options), "1 %", "combinedNet")
    assert (line["images"], line["steps"]) == ("46 (5)", "30")


def test_another_primary_metric_stands_first_and_has_the_verdicts(options, tmp_path):
    by_f1 = comparison("1", "worse", metric="macro_f1", difference=-7, low=-8, high=-6)
    # Only the primary metric has verdicts.
    others = [comparison(fraction, "") for fraction in ("100", "1")]
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [*others, by_f1])
    text = readable(options, decimals=1, primary="macro_f1")
    line = line_of(text, "1 %", "combinedNet")
    assert list(line)[4:6] == ["macro-F1", "accuracy"]
    assert (line["macro-F1"], line["accuracy"]) == ("66.0", "83.0")
    assert line["difference"] == "-7.0 [-8.0, -6.0]"
    assert line["verdict on this checkpoint"] == "worse"
    assert "`verdict`, by `macro-F1`, the primary metric" in text
    assert "`difference`: macro-F1 of the arm" in text
    rows = read_csv(options["summary"])
    assert [(row["metric"], row["fraction"]) for row in rows if row["verdict"]] == [
        ("macro_f1", "1")
    ]


def test_what_verdicts_are_about_stands_above_them(options):
    recipe = readable(options, pretraining_seeds="per_replicate")
    assert line_of(recipe, "1 %", "combinedNet")["verdict on the recipe"] == "better"
    assert "each replicate has its own pretraining" in recipe
    assert "checkpoint" not in recipe
    assert "each pretraining was made once" in readable(options)


def test_what_could_not_have_been_found_at_all_has_no_number(options, tmp_path):
    limits = {"detectable": 100.5, "detectable_low": 40, "detectable_high": 311}
    row = comparison("1", "undecided", **limits)
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [row])
    assert line_of(readable(options), "1 %", "combinedNet")["detectable"] == "> 100 [40.00, > 100]"


def test_medians_and_minima_over_replicates(options, tmp_path):
    assert "### Replicates" not in readable(options)
    write_csv(
        tmp_path / "metrics.csv",
        METRIC_COLUMNS,
        [
            *metric_rows("1234"),
            *over_replicates("median", 2.5),
            *over_replicates("iqm", 2),
            *over_replicates("minimum", -1),
        ],
    )
    text = readable(options, decimals=1)
    section = text.split("### Replicates")[1]
    assert cells(section, "1 %", "`resnet`") == ["82.0", "81.5", "81.0", "78.0", "–"]
    assert cells(section, "100 %", "`combinedNet`") == ["99.0", "98.5", "98.0", "95.0", "–"]
    assert "Replicates (seeds): 1, 2, 3, 4." in text
    assert "4 replicates hardly tell" in text
    # The table keeps to means.
    assert line_of(text, "1 %", "resnet")["accuracy"] == "82.0 [81.0, 83.0]"
    rows = read_csv(options["summary"])
    [row] = chosen(rows, arm="resnet", fraction="1", replicate="iqm", metric="accuracy")
    assert (row["value"], row["n"], row["verdict"]) == ("81", "", "")


def test_runs_that_stand_out_are_named_by_their_seed(options, tmp_path):
    """State -> how the Replicates table marks it; what else a state says marks no run."""
    states = {
        ("resnet", "1", "2"): "outlier among replicates",
        (
            "resnet",
            "1",
            "3",
        ): "too few images for validation; learnt nothing: not above the majority "
        "class; outlier among replicates",
        ("combinedNet", "100", "1"): "too few images for validation",
    }
    rows = [
        row | {"state": states.get((row["arm"], row["fraction"], row["replicate"]), "")}
        if (row["metric"], row["selection"]) == ("accuracy", "last")
        else row
        for row in [*metric_rows("1234"), *over_replicates("median", 2.5)]
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    text = readable(options)
    section = text.split("### Replicates")[1]
    assert cells(section, "1 %", "`resnet`")[-1] == "2 (outlier), 3 (learnt nothing; outlier)"
    assert cells(section, "100 %", "`resnet`")[-1] == "–"
    assert cells(section, "100 %", "`combinedNet`")[-1] == "–"
    # A mark is no reason to show no value.
    assert line_of(text, "1 %", "resnet")["accuracy"].startswith("82.00 [")
    assert (
        "- Runs that learnt nothing, being not above the majority class: `resnet` at 1 %, seed 3.\n"
        in text
    )


def test_readable_tables_2_and_3(options):
    text = readable(options, decimals=1)
    assert cells(text, "`pRCC_clustered_resnet`")[1:] == ["87.0", "90.0", "–", "–"]
    assert cells(text, "`resnet_cam16`")[1:] == ["89.0", "93.0", "92.13", "–"]
    assert "Clusters: silhouette 0.25, purity 0.75." in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Labels saved",
        "## Table 1: white blood cells, by share of the training labels",
        "## Table 2: pRCC, own clusters",
        "## Table 3: CAM16, normal / tumor",
        "## Data",
    ]


def test_a_diverged_run_shows_in_every_cell_of_its_mean(options, tmp_path):
    rows = [
        row | {"value": "", "low": "", "high": "", "state": "1 of 2 diverged"}
        if (row["arm"], row["fraction"], row["replicate"]) == ("combinedNet", "1", "mean")
        else row
        for row in metric_rows()
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    lost = comparison("1", "", difference="", low="", high="", state="1 of 2 diverged")
    lost |= {"detectable": "", "detectable_low": "", "detectable_high": ""}
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [COMPARISONS[0], lost])
    text = readable(options)
    line = line_of(text, "1 %", "combinedNet")
    lost = ["accuracy", "difference", "verdict on this checkpoint"]
    assert [name for name in line if line[name] == "1 of 2 diverged"] == lost
    known = ["labels", "images", "steps", "arm"]
    assert {line[name] for name in line if name not in (*lost, *known)} == {"–"}


def test_failed_runs_are_named_with_the_last_line_of_their_log(options, tmp_path):
    assert "Failed runs" not in readable(options)
    failed = {"value": "", "low": "", "high": "", "state": "failed: error: a|b is no number"}
    mean = failed | {"state": "1 of 2 failed"}
    lost = {("resnet", "1", "2"): failed, ("resnet", "1", "mean"): mean}
    rows = [
        row | lost.get((row["arm"], row["fraction"], row["replicate"]), {}) for row in metric_rows()
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    text = readable(options)
    assert line_of(text, "1 %", "resnet")["accuracy"] == "1 of 2 failed"
    section = text.split("### Failed runs")[1].split("###")[0]
    assert section.count("`resnet`") == 1
    assert r"| 1 % | `resnet` | 2 | error: a\|b is no number |" in section
    tidy = chosen(read_csv(options["summary"]), arm="resnet", fraction="1", replicate="2")
    assert {row["state"] for row in tidy} == {failed["state"]}


def test_of_a_single_replicate_the_cell_says_failed_and_no_more(options, tmp_path):
    failed = {"value": "", "low": "", "high": "", "state": "failed: error: a|b"}
    rows = [
        row | (failed if (row["arm"], row["fraction"]) == ("resnet", "1") else {})
        for row in metric_rows(["1"])
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    assert line_of(readable(options), "1 %", "resnet")["accuracy"] == "failed"


def test_external_sets_stay_in_the_tidy_table(options, tmp_path):
    more = list(model_rows("resnet", "1", "mean", (50, 50, 50), test_set="LISC"))[:2]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, [*metric_rows(), *more])
    text = readable(options, decimals=1)
    assert line_of(text, "1 %", "resnet")["accuracy"] == "80.0 [79.0, 81.0]"
    assert len(chosen(read_csv(options["summary"]), test_set="LISC")) == 2


SPREAD = {
    **{"arm": "resnet", "fraction": "1", "metric": "accuracy", "subsets": 3, "state": ""},
    **{"sd_subset": 3.14159, "sd_subset_upper": 9.9, "p_subset": 0.01},
    **{"sd_initialisation": 0, "sd_initialisation_upper": 2.345, "p_initialisation": 0.6},
    **{"sd_rest": 0.5, "sd_rest_upper": 1.25},
}


def test_spread_where_runs_were_crossed(options, tmp_path):
    assert "What spreads" not in readable(options)
    rows = [SPREAD, SPREAD | {"metric": "macro_f1", "arm": "combinedNet"}]
    write_csv(tmp_path / "spread.csv", SPREAD_COLUMNS, rows)
    section = readable(options, decimals=1).split("### What spreads the accuracy")[1]
    assert cells(section, "1 %", "`resnet`") == [
        *("3.1 (at most 9.9)", "not distinguishable from 0 (at most 2.3)", "0.5 (at most 1.2)", "–")
    ]
    assert "from 3 subsets crossed" in section
    assert "upper limits of the level 95 %" in section
    assert "`combinedNet` | 3.1" not in section


def test_what_can_be_told_from_0_depends_on_alpha(options, tmp_path):
    row = SPREAD | {"sd_initialisation": 0.5, "p_initialisation": 0.04, "p_subset": 0.05}
    write_csv(tmp_path / "spread.csv", SPREAD_COLUMNS, [row])
    shown = cells(readable(options).split("### What spreads")[1], "1 %", "`resnet`")
    assert shown[:2] == ["not distinguishable from 0 (at most 9.90)", "0.50 (at most 2.35)"]
    shown = cells(readable(options, alpha=0.01).split("### What spreads")[1], "1 %", "`resnet`")
    assert shown[1] == "not distinguishable from 0 (at most 2.35)"


def test_spread_without_a_limit_or_without_a_value(options, tmp_path):
    alike = {
        "sd_rest": 0,
        "sd_rest_upper": "",
        "sd_initialisation_upper": "",
        "p_initialisation": 1,
    }
    lost = dict.fromkeys((name for name in SPREAD if "_" in name), "")
    diverged = SPREAD | lost | {"fraction": "100", "state": "1 of 9 diverged"}
    write_csv(tmp_path / "spread.csv", SPREAD_COLUMNS, [SPREAD | alike, diverged])
    section = readable(options).split("### What spreads")[1]
    assert cells(section, "1 %", "`resnet`")[1:] == ["not distinguishable from 0", "0.00", "–"]
    assert cells(section, "100 %", "`resnet`") == ["–", "–", "–", "1 of 9 diverged"]


def test_titles_of_the_arms_that_ran(options):
    text = readable(options)
    assert "- `resnet`: without\n- `combinedNet`: with\n" in text
    assert "never run" not in text


def test_titles_and_paths_of_the_users_are_shown_as_they_were_written(options):
    odd = "a|b <script>\n\n# `c` $_$"
    shown = r"a\|b \<script\> \# \`c\` \$\_\$"
    table = {"name": "resnet_cam16", "title": odd, "quality": None}
    words = {"titles": {"resnet": odd}, "target_title": odd, "starts": {"a": "own|net`s.pth"}}
    text = readable(options | words | {"tables": json.dumps([table])})
    assert f"\n- `resnet`: {shown}\n" in text
    assert f"\n## Table 1: {shown}, by share" in text
    assert f"\n## Table 2: {shown}\n" in text
    assert r"weights in `` own\|net`s.pth ``: `a`." in text


def test_what_became_of_the_raw_data_is_a_section(options):
    text = readable(options)
    assert "\n\n## Data\n\n| images used | train |\n| --- | ---: |\n| `wbc` | 60 |\n\nMore" in text
    assert "**" not in text


def test_a_single_replicate_shows_its_own_interval(options, tmp_path):
    own = [
        row | {"low": 70, "high": 90, "interval": "wilson"} if row["replicate"] == "1" else row
        for row in metric_rows(("1",))
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, own)
    line = line_of(readable(options, decimals=1), "1 %", "resnet")
    assert line["accuracy"] == "79.0 [70.0, 90.0]"


def test_tables_of_pretrained_classifiers_come_in_their_order(options):
    tables = json.loads(options["tables"])[::-1]
    text = readable(options | {"tables": json.dumps(tables)})
    assert (
        text.index("## Table 2: CAM16") < text.index("## Table 3: pRCC") < text.index("Clusters:")
    )
    rows = read_csv(options["summary"])
    assert {row["arm"]: row["table"] for row in rows if not row["fraction"]} == {
        **{"majority": "1", "slide_only": "1"},
        **{"resnet_cam16": "2", "pRCC_clustered_resnet": "3"},
    }
    assert chosen(rows, metric="clusters_purity")[0]["table"] == "3"


@pytest.mark.parametrize("name", ["resnet", "combinedNet"])
def test_one_arm_at_one_fraction_with_one_seed_and_nothing_pretrained(options, tmp_path, name):
    rows = [
        row
        for row in metric_rows(("1",))
        if (row["arm"], row["fraction"]) in ((name, "1"), ("majority", ""))
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [])
    write_csv(tmp_path / "label_efficiency.csv", EFFICIENCY_COLUMNS, [])
    text = readable(options | {"tables": "[]"}, decimals=1)
    line = line_of(text, "1 %", name)
    assert (line["difference"], line["verdict on this checkpoint"]) == ("–", "–")
    assert "## Table 2" not in text
    assert "Clusters" not in text
    assert "`verdict`:" not in text
    assert "`difference`:" not in text
    assert "checkpoint:" not in text
    assert "baseline" not in text
    assert {row["table"] for row in read_csv(options["summary"])} == {"1"}


def test_a_misspelt_key_of_a_table_is_one_line(options, capsys):
    wrong = options | {"tables": json.dumps([{"name": "x", "titel": "y", "quality": None}])}
    assert "--tables: an entry has the keys name, titel" in failure(capsys, "summarize", **wrong)
    assert not options["summary"].exists()
