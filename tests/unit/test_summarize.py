"""The summary: the tidy table, and the same for reading."""

import json

import pytest
from builders import call, failure, write_sheet

from fewlabels.audit.judgement import COLUMNS as LEAKAGE_COLUMNS
from fewlabels.core.files import read_csv, write_csv

METRIC_COLUMNS = [
    *("arm", "fraction", "replicate", "test_set", "selection", "metric", "value", "n"),
    *("low", "high", "interval", "state"),
]
COMPARISON_COLUMNS = [
    *("arm", "baseline", "fraction", "test_set", "metric", "replicate"),
    *("difference", "low", "high"),
    *("equivalent", "verdict", "needed_replicates", "needed_images", "state"),
]
#: (arm, fraction): accuracy of the last epoch, macro-F1, best accuracy; of seed 1. Seed 2 has 2 points more.
RUNS = {
    ("resnet", "100"): (97.0, 90.0, 97.8),
    ("resnet", "1"): (79.0, 60.0, 80.5),
    ("combinedNet", "100"): (96.0, 91.0, 96.5),
    ("combinedNet", "1"): (82.0, 65.0, 83.0),
}


def model_rows(name, fraction, replicate, values, test_set="test", **more):
    accuracy, macro_f1, best = values
    common = {"arm": name, "fraction": fraction, "replicate": replicate, "test_set": test_set}
    common["n"] = "" if replicate == "mean" else 200
    for selection, metric, value in (
        ("last", "accuracy", accuracy),
        ("last", "macro_f1", macro_f1),
        ("best_test", "accuracy", best),
        ("best_test", "epoch", 7.0),
        ("best_test", "optimism", best - accuracy),
    ):
        row = {**common, "selection": selection, "metric": metric, "value": value}
        if metric == "accuracy" and selection == "last":
            row |= {"low": value - 1, "high": value + 1, "interval": "combined_groups"}
        yield row | more


def metric_rows(seeds=("1", "2")):
    for (arm, fraction), values in RUNS.items():
        for place, seed in enumerate(seeds):
            yield from model_rows(arm, fraction, seed, [value + 2 * place for value in values])
    for (arm, fraction), values in RUNS.items():
        shift = len(seeds) - 1
        yield from model_rows(arm, fraction, "mean", [value + shift for value in values])
    for name, accuracy in (("majority", 61.28), ("slide_only", 67.7)):
        rows = list(model_rows(name, "", "", (accuracy, 15.2, 0)))[:2]
        yield from (row | {"selection": "last"} for row in rows)
    yield from model_rows("pRCC_clustered_resnet", "", "", (88.0, 87.0, 90.0))
    yield from model_rows("resnet_cam16", "", "", (91.0, 89.0, 93.0))


def comparison(fraction, verdict, **more):
    common = {"arm": "combinedNet", "baseline": "resnet", "test_set": "test", "replicate": "mean"}
    values = {"difference": -1, "low": -2.5, "high": 0.5, "equivalent": "false"}
    place = {"metric": "accuracy", "fraction": fraction, "verdict": verdict}
    return common | values | place | more


COMPARISONS = [comparison("100", "undecided", needed_replicates=12), comparison("1", "better")]
SPREAD_COLUMNS = [
    *("arm", "fraction", "metric", "subsets", "initialisations", "mean"),
    *("sd_subset", "sd_initialisation", "sd_rest", "state"),
]


@pytest.fixture
def options(tmp_path):
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows())
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, COMPARISONS)
    write_csv(tmp_path / "spread.csv", SPREAD_COLUMNS, [])
    costs = [{"model": "resnet", "fraction": "1", "seconds": seconds} for seconds in (3, 5, 90)]
    write_csv(tmp_path / "costs.csv", ["model", "fraction", "seconds"], costs)
    write_csv(
        tmp_path / "quality.csv",
        ["metric", "value", "images"],
        [
            {"metric": "silhouette", "value": 0.25, "images": 50},
            {"metric": "purity", "value": 0.75, "images": 40},
        ],
    )
    write_csv(tmp_path / "leakage.csv", LEAKAGE_COLUMNS, [])
    data = "# Data\n\n| images used | train |\n| --- | ---: |\n| `wbc` | 60 |\n"
    (tmp_path / "data.md").write_text(data, encoding="utf-8")
    names = ("metrics", "comparisons", "spread", "costs", "leakage")
    return {
        **{name: tmp_path / f"{name}.csv" for name in names},
        "data": tmp_path / "data.md",
        "runs": write_sheet(
            *(tmp_path / "runs.csv", ["resnet", "combinedNet"], ["100", "1"], [1, 2]),
            {"combinedNet": "resnet"},
        ),
        "tables": json.dumps(
            [
                {
                    **{"name": "pRCC_clustered_resnet", "title": "pRCC, own clusters"},
                    "quality": str(tmp_path / "quality.csv"),
                },
                {"name": "resnet_cam16", "title": "CAM16, normal / tumor", "quality": None},
            ]
        ),
        "target_title": "white blood cells",
        "reported": {"resnet": {"100": 97.9, "1": 80.0}, "resnet_cam16": 92.13},
        "titles": {"resnet": "without", "combinedNet": "with", "unused": "never run"},
        "summary": tmp_path / "summary.csv",
        "readable": tmp_path / "summary.md",
    }


@pytest.fixture
def summary(options):
    assert call("summarize", **options) == 0
    return read_csv(options["summary"])


def readable(options, **more) -> str:
    assert call("summarize", **options, **more) == 0
    return options["readable"].read_text(encoding="utf-8")


def cells(text: str, *first: str) -> list[str]:
    """The cells of the line of a Markdown table that starts with ``first``."""
    start = f"| {' | '.join(first)} |"
    [line] = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.strip("|").split("|")][len(first) :]


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


def test_readable_table_1(options):
    text = readable(options, decimals=1)
    assert cells(text, "1 %", "`resnet`") == [
        *("80.0 [79.0, 81.0]", "61.0", "–", "–", "81.5", "+1.5", "80.00", "5")
    ]
    assert cells(text, "100 %", "`combinedNet`") == [
        *("97.0 [96.0, 98.0]", "92.0", "-1.0 [-2.5, +0.5]", "undecided (would take 12 replicates)"),
        *("97.5", "+0.5", "–", "–"),
    ]
    assert cells(text, "1 %", "`combinedNet`")[3] == "better"
    assert cells(text, "–", "`majority`")[:2] == ["61.3 [60.3, 62.3]", "15.2"]
    lines = [line for line in text.splitlines() if line.startswith(("| 1", "| –"))]
    first = [line.split("|")[1].strip() for line in lines]
    assert first == ["100 %", "100 %", "1 %", "1 %", "–", "–"]


def test_readable_tables_2_and_3(options):
    text = readable(options, decimals=1)
    assert cells(text, "`pRCC_clustered_resnet`")[1:] == ["87.0", "90.0", "–", "–"]
    assert cells(text, "`resnet_cam16`")[1:] == ["89.0", "93.0", "92.13", "–"]
    assert "Clusters: silhouette 0.25, purity 0.75." in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
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
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [COMPARISONS[0], lost])
    text = readable(options)
    assert cells(text, "1 %", "`combinedNet`") == [
        *("1 of 2 diverged", "–", "1 of 2 diverged", "1 of 2 diverged", "–", "–", "–", "–")
    ]


def test_external_sets_stay_in_the_tidy_table(options, tmp_path):
    more = list(model_rows("resnet", "1", "mean", (50, 50, 50), test_set="LISC"))[:2]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, [*metric_rows(), *more])
    text = readable(options, decimals=1)
    assert cells(text, "1 %", "`resnet`")[0] == "80.0 [79.0, 81.0]"
    assert len(chosen(read_csv(options["summary"]), test_set="LISC")) == 2


def test_spread_where_runs_were_crossed(options, tmp_path):
    assert "What spreads" not in readable(options)
    row = {
        **{"arm": "resnet", "fraction": "1", "metric": "accuracy", "subsets": 3, "state": ""},
        **{"sd_subset": 3.14159, "sd_initialisation": 1, "sd_rest": 0.5},
    }
    write_csv(tmp_path / "spread.csv", SPREAD_COLUMNS, [row, row | {"metric": "macro_f1"}])
    text = readable(options, decimals=1)
    assert "### What spreads the accuracy" in text
    assert "| 1 % | `resnet` | 3.1 | 1.0 | 0.5 |" in text


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
        ({"margin": 2.5}, "smaller than 2.5 points"),
        ({"alpha": 0.1}, "90 % intervals"),
    ],
)
def test_notes_only_where_they_apply(options, more, words):
    assert words not in readable(options)
    assert words in readable(options, **more)


def copies(kind, first_split, count):
    return {
        **{"kind": kind, "first_dataset": "wbc", "first_split": first_split},
        **{"second_dataset": "wbc", "second_split": "test", "count": count, "images": 200},
        **{"test": "true", "consequence": "warn"},
    }


def test_what_became_of_the_raw_data_is_a_section(options):
    text = readable(options)
    assert "\n\n## Data\n\n| images used | train |\n| --- | ---: |\n| `wbc` | 60 |\n\nMore" in text
    assert "**" not in text


def test_test_images_with_copies_in_training_stand_above_the_table(options, tmp_path):
    rows = [copies("near_duplicates", "train", 200), copies("bytes", "test", 7)]
    write_csv(tmp_path / "leakage.csv", LEAKAGE_COLUMNS, rows)
    lines = readable(options).splitlines()
    assert lines[:2] == ["# Summary", ""]
    assert lines[2].startswith(
        "- **200 of 200 test images of `wbc` have a near duplicate in `wbc` train"
    )
    assert lines[4].startswith("## Table 1")
    # Copies among the test images are a matter of the intervals: a note below the table.
    assert any(line.startswith("- 7 of 200 test images of `wbc` are copies") for line in lines[5:])


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
    assert "2 replicates hardly tell" in text
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows("12345"))
    assert "hardly tell" not in readable(options)
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, metric_rows(("1",)))
    assert "One replicate (seed 1)" in readable(options)


def test_a_single_replicate_shows_its_own_interval(options, tmp_path):
    own = [
        row | {"low": 70, "high": 90, "interval": "wilson"} if row["replicate"] == "1" else row
        for row in metric_rows(("1",))
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, own)
    assert cells(readable(options, decimals=1), "1 %", "`resnet`")[0] == "79.0 [70.0, 90.0]"


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
    assert cells(text, "100 %", "`resnet`")[0].startswith("98.0")
    assert cells(text, "1 %", "`resnet`")[0].startswith("80.0")


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
    """No comparisons; a note only where the arm was to be compared."""
    rows = [
        row
        for row in metric_rows(("1",))
        if (row["arm"], row["fraction"]) in ((name, "1"), ("majority", ""))
    ]
    write_csv(tmp_path / "metrics.csv", METRIC_COLUMNS, rows)
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [])
    baselines = {"combinedNet": "resnet"}
    write_sheet(tmp_path / "runs.csv", [name], ["1"], [1], baselines)
    text = readable(options | {"tables": "[]"}, decimals=1)
    assert cells(text, "1 %", f"`{name}`")[2:4] == ["–", "–"]
    assert "## Table 2" not in text
    assert "Clusters" not in text
    assert "`verdict`:" not in text
    assert "`difference`:" not in text
    wanted = name == "combinedNet"
    assert ("- no baseline: resnet is not among the runs.\n" in text) == wanted
    assert ("no baseline" in text) == wanted
    assert {row["table"] for row in read_csv(options["summary"])} == {"1"}


def test_two_replicates_without_comparisons(options, tmp_path):
    write_csv(tmp_path / "comparisons.csv", COMPARISON_COLUMNS, [])
    assert "hence wide intervals: run 5 or more." in readable(options)


def test_no_note_on_the_baseline_where_there_is_one(options):
    text = readable(options)
    assert "no baseline" not in text
    assert "wide intervals and few verdicts: run 5 or more." in text


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


def test_a_misspelt_key_of_a_table_is_one_line(options, capsys):
    wrong = options | {"tables": json.dumps([{"name": "x", "titel": "y", "quality": None}])}
    assert "--tables: an entry has the keys name, titel" in failure(capsys, "summarize", **wrong)
    assert not options["summary"].exists()
