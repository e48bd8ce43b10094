"""Means, spreads and Markdown."""

import pytest

from wbc.tables import markdown_table, mean_rows, reported_value, spread


def row(replicate: str, value: str, **more: str) -> dict[str, str]:
    common = {"arm": "a", "fraction": "10", "selection": "last", "metric": "accuracy"}
    return {**common, "replicate": replicate, "value": value, "n": "20", **more}


def test_means_over_replicates():
    rows = [row("1", "80"), row("2", "83"), row("1", "50", metric="macro_f1")]
    assert mean_rows(rows) == [
        {**row("mean", ""), "value": pytest.approx(81.5), "n": None},
        {**row("mean", "", metric="macro_f1"), "value": pytest.approx(50), "n": None},
    ]


@pytest.mark.parametrize("key", ["arm", "fraction", "selection", "metric"])
def test_means_keep_what_differs_apart(key):
    means = mean_rows([row("1", "80"), row("1", "90", **{key: "other"})])
    assert [mean["value"] for mean in means] == [80, 90]


@pytest.mark.parametrize(
    ("values", "decimals", "text"),
    [
        ([80.0], 2, "80.00"),
        ([80.0], 0, "80"),
        # Sample standard deviation: sqrt((1 + 1) / 1).
        ([80.0, 82.0], 3, "81.000 ± 1.414"),
        # Deviations -2, 0, 2: sqrt((4 + 0 + 4) / 2) = 2.
        ([78.0, 80.0, 82.0], 1, "80.0 ± 2.0"),
        ([80.0, 80.0], 1, "80.0 ± 0.0"),
    ],
)
def test_spread(values, decimals, text):
    assert spread(values, decimals) == text


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
