"""The summary: the tidy table, and the same for reading."""

import pytest
from builders import call

from wbc.files import read_csv, write_csv

ARMS = ["resnet", "combinedNet"]
#: (arm, fraction, replicate): accuracy of the last epoch, macro-F1, best accuracy.
RUNS = {
    ("resnet", "100", "1"): (97.0, 90.0, 97.8),
    ("resnet", "100", "2"): (97.4, 92.0, 98.0),
    ("resnet", "1", "1"): (79.0, 60.0, 80.5),
    ("resnet", "1", "2"): (81.0, 62.0, 82.5),
    ("combinedNet", "100", "1"): (96.0, 91.0, 96.5),
    ("combinedNet", "100", "2"): (96.0, 91.0, 96.5),
    ("combinedNet", "1", "1"): (82.0, 65.0, 83.0),
    ("combinedNet", "1", "2"): (84.0, 65.0, 85.0),
    ("pRCC_clustered_resnet", "", ""): (88.0, 87.0, 90.0),
    ("resnet_cam16", "", ""): (91.0, 89.0, 93.0),
}


def metric_rows(runs):
    for (arm, fraction, replicate), (accuracy, macro_f1, best) in runs.items():
        for selection, metric, value in (
            ("last", "accuracy", accuracy),
            ("last", "macro_f1", macro_f1),
            ("last", "balanced_accuracy", 50.0),
            ("best_test", "accuracy", best),
            ("best_test", "epoch", 7.0),
        ):
            yield {
                **{"arm": arm, "fraction": fraction, "replicate": replicate, "n": 200},
                **{"selection": selection, "metric": metric, "value": value},
            }


@pytest.fixture
def options(tmp_path):
    columns = ["arm", "fraction", "replicate", "selection", "metric", "value", "n"]
    write_csv(tmp_path / "metrics.csv", columns, metric_rows(RUNS))
    write_csv(
        tmp_path / "quality.csv",
        ["metric", "value", "images"],
        [
            {"metric": "silhouette", "value": 0.25, "images": 50},
            {"metric": "purity", "value": 0.75, "images": 40},
        ],
    )
    return {
        "metrics": tmp_path / "metrics.csv",
        "cluster_quality": tmp_path / "quality.csv",
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


def cells(text: str, first: str) -> list[str]:
    """The cells of the line of a Markdown table that starts with ``first``."""
    [line] = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def chosen(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_columns_and_number_of_rows(summary):
    assert list(summary[0]) == [
        *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported")
    ]
    # Table 1: 8 runs and 4 means of 5 metrics; table 2: 5 metrics and 2 of the clusters; table 3: 5.
    assert [row["table"] for row in summary] == ["1"] * 60 + ["2"] * 5 + ["3"] * 5 + ["2"] * 2


def test_single_runs_are_kept(summary):
    [row] = chosen(
        summary,
        **{"arm": "resnet", "fraction": "1", "replicate": "2"},
        **{"selection": "last", "metric": "accuracy"},
    )
    assert (float(row["value"]), row["n"]) == (81.0, "200")


def test_means_have_no_n(summary):
    means = chosen(summary, replicate="mean")
    assert len(means) == 4 * 5
    assert {row["n"] for row in means} == {""}
    values = {
        (row["arm"], row["fraction"]): float(row["value"])
        for row in chosen(means, selection="last", metric="accuracy")
    }
    assert values == pytest.approx(
        {
            ("resnet", "100"): 97.2,
            ("resnet", "1"): 80,
            ("combinedNet", "100"): 96,
            ("combinedNet", "1"): 83,
        }
    )


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


def test_readable_table_1(options):
    text = readable(options, decimals=1)
    assert "| % | 100 % of labels | 1 % of labels |" in text
    # Two values x, y: the standard deviation is |x - y| / sqrt(2).
    assert cells(text, "`resnet`: accuracy") == ["97.2 ± 0.3", "80.0 ± 1.4"]
    assert cells(text, "`resnet`: macro-F1") == ["91.0 ± 1.4", "61.0 ± 1.4"]
    assert cells(text, "`resnet`: accuracy, best test epoch") == ["97.9 ± 0.1", "81.5 ± 1.4"]
    assert cells(text, "`resnet`: reported (best test epoch)") == ["97.90", "80.00"]
    assert cells(text, "`combinedNet`: accuracy") == ["96.0 ± 0.0", "83.0 ± 1.4"]
    assert "`combinedNet`: reported" not in text


def test_readable_tables_2_and_3(options):
    text = readable(options)
    assert cells(text, "`pRCC_clustered_resnet`") == ["88.00", "87.00", "90.00", ""]
    assert cells(text, "`resnet_cam16`") == ["91.00", "89.00", "93.00", "92.13"]
    assert "Clusters: silhouette 0.25, purity 0.75." in text


def test_titles_of_the_arms_that_ran(options):
    text = readable(options)
    assert "- `resnet`: without\n- `combinedNet`: with\n" in text
    assert "never run" not in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"subsets": "given"}, "Subsets were given, not drawn"),
        ({"synthetic": True}, "The images are synthetic drawings"),
        ({"weights": "random"}, "started from random weights"),
    ],
)
def test_notes_only_where_they_apply(options, more, words):
    assert words not in readable(options)
    assert words in readable(options, **more)


def test_note_on_replicates(options, tmp_path):
    assert "Test images: 200. Replicates (seeds): 1, 2;" in readable(options)
    first = {key: value for key, value in RUNS.items() if key[2] != "2"}
    write_csv(tmp_path / "metrics.csv", list(next(metric_rows(RUNS))), metric_rows(first))
    text = readable(options)
    assert "One replicate (seed 1)" in text
    assert cells(text, "`resnet`: accuracy") == ["97.00", "79.00"]
