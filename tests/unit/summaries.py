"""The tables that the summary is made from, of two arms, two fractions and two replicates."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from builders import call

from fewlabels.audit.judgement import COLUMNS as LEAKAGE_COLUMNS
from fewlabels.core.files import write_csv

METRIC_COLUMNS = [
    *("arm", "fraction", "replicate", "test_set", "selection", "metric", "value", "n"),
    *("low", "high", "interval", "state"),
]
COMPARISON_COLUMNS = [
    *("arm", "baseline", "fraction", "test_set", "metric", "replicate"),
    *("units", "effective_units", "images", "difference", "low", "high"),
    *("equivalent", "verdict", "detectable", "detectable_low", "detectable_high", "state"),
]
EFFICIENCY_COLUMNS = [
    *("arm", "baseline", "test_set", "metric", "fraction", "difference", "low", "high"),
    *("p", "p_holm", "ratio", "ratio_bound", "ratio_low", "ratio_low_bound"),
    *("ratio_high", "ratio_high_bound", "state"),
]
COST_COLUMNS = [
    *("model", "fraction", "seconds", "images_per_second"),
    *("peak_memory_mb", "peak_gpu_mb"),
]
LABEL_COLUMNS = ["arm", "fraction", "replicate", "labels", "smallest_class_labels", "steps"]
SPREAD_COLUMNS = [
    *("arm", "fraction", "metric", "subsets", "initialisations", "mean"),
    *("sd_subset", "sd_subset_upper", "p_subset"),
    *("sd_initialisation", "sd_initialisation_upper", "p_initialisation"),
    *("sd_rest", "sd_rest_upper", "state"),
]
#: (arm, fraction): accuracy of the last epoch, macro-F1, best accuracy; of seed 1. Seed 2 has 2 points more.
RUNS = {
    ("resnet", "100"): (97.0, 90.0, 97.8),
    ("resnet", "1"): (79.0, 60.0, 80.5),
    ("combinedNet", "100"): (96.0, 91.0, 96.5),
    ("combinedNet", "1"): (82.0, 65.0, 83.0),
}
#: Fraction -> training images, those of the smallest class, steps; of seed 1. Seed 2 has one image more, and 4 steps.
COUNTS = {"100": (1041, 52, 2900), "1": (41, 2, 30)}


def model_rows(
    name: str, fraction: str, replicate: str, values: Sequence[float], test_set="test", **more
) -> Iterator[dict]:
    """The metrics of one run, or of what stands for all replicates."""
    accuracy, macro_f1, best = values
    common = {"arm": name, "fraction": fraction, "replicate": replicate, "test_set": test_set}
    common["n"] = 200 if replicate.isdigit() or not replicate else ""
    for selection, metric, value in (
        ("last", "accuracy", accuracy),
        ("last", "macro_f1", macro_f1),
        ("best_test", "accuracy", best),
        ("best_test", "epoch", 7.0),
        ("best_test", "optimism", best - accuracy),
    ):
        row = {**common, "selection": selection, "metric": metric, "value": value, "state": ""}
        if metric == "accuracy" and selection == "last":
            row |= {"low": value - 1, "high": value + 1, "interval": "combined_groups"}
        yield row | more


def metric_rows(seeds: Sequence[str] = ("1", "2")) -> Iterator[dict]:
    """All rows of evaluate.csv."""
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


def over_replicates(how: str, shift: float) -> Iterator[dict]:
    """The rows of, say, medians: those of the predictions, so much more than the values of seed 1."""
    for (arm, fraction), values in RUNS.items():
        rows = model_rows(arm, fraction, how, [value + shift for value in values])
        yield from (
            row | {"low": "", "high": "", "interval": ""}
            for row in rows
            if row["selection"] != "best_test"
        )


def comparison(fraction: str, verdict: str, **more) -> dict:
    """A mean comparison of accuracies."""
    common = {"arm": "combinedNet", "baseline": "resnet", "test_set": "test", "replicate": "mean"}
    values = {"difference": -1, "low": -2.5, "high": 0.5, "equivalent": "false"}
    values |= {"detectable": 2.25, "detectable_low": 1.5, "detectable_high": 4, "state": ""}
    values |= {"units": 200, "effective_units": 200, "images": 200}
    place = {"metric": "accuracy", "fraction": fraction, "verdict": verdict}
    return common | values | place | more


#: With one of a single replicate, which no table shows.
COMPARISONS = [
    comparison("100", "undecided"),
    comparison("1", "better"),
    comparison("100", "", replicate="1", difference=9, units=3, effective_units=2, images=9),
]


def efficiency(**more) -> dict:
    """What an arm gains over all fractions."""
    common = {"arm": "combinedNet", "baseline": "resnet", "test_set": "test", "metric": "accuracy"}
    gain = {"fraction": "", "difference": 1.25, "low": -0.5, "high": 3, "p": 0.02, "p_holm": 0.04}
    ratio = {"ratio": 1.5, "ratio_low": 0.75, "ratio_high": 12.4, "ratio_high_bound": ">="}
    return common | gain | ratio | {"state": ""} | more


def label_rows(counts: dict[str, tuple[int, int, int]] = COUNTS) -> list[dict]:
    """The rows of labels.csv."""
    return [
        {
            **{"arm": arm, "fraction": fraction, "replicate": place + 1, "labels": labels + place},
            **{"smallest_class_labels": smallest, "steps": steps + 4 * place},
        }
        for arm in ("resnet", "combinedNet")
        for fraction, (labels, smallest, steps) in counts.items()
        for place in range(2)
    ]


def write_tables(folder: Path) -> dict[str, object]:
    """Write all tables; the options of summarize."""
    write_csv(folder / "metrics.csv", METRIC_COLUMNS, metric_rows())
    write_csv(folder / "comparisons.csv", COMPARISON_COLUMNS, COMPARISONS)
    write_csv(folder / "label_efficiency.csv", EFFICIENCY_COLUMNS, [efficiency()])
    write_csv(folder / "labels.csv", LABEL_COLUMNS, label_rows())
    write_csv(folder / "spread.csv", SPREAD_COLUMNS, [])
    costs = [
        {
            **{"model": "resnet", "fraction": "1", "seconds": seconds},
            **{"images_per_second": 4000 / seconds, "peak_memory_mb": 1000 + seconds},
        }
        for seconds in (3, 5, 90)
    ]
    costs.append(
        {"model": "pRCC_autoencoder", "fraction": "", "seconds": 60, "peak_gpu_mb": 2345.6}
    )
    write_csv(folder / "costs.csv", COST_COLUMNS, costs)
    quality = [
        {"metric": "silhouette", "value": 0.25, "images": 50},
        {"metric": "purity", "value": 0.75, "images": 40},
    ]
    write_csv(folder / "quality.csv", ["metric", "value", "images"], quality)
    write_csv(folder / "leakage.csv", LEAKAGE_COLUMNS, [])
    data = "# Data\n\n| images used | train |\n| --- | ---: |\n| `wbc` | 60 |\n"
    (folder / "data.md").write_text(data, encoding="utf-8")
    names = ("metrics", "comparisons", "label_efficiency", "labels", "spread", "costs", "leakage")
    clustered = {"name": "pRCC_clustered_resnet", "title": "pRCC, own clusters"}
    tables = [
        clustered | {"quality": str(folder / "quality.csv")},
        {"name": "resnet_cam16", "title": "CAM16, normal / tumor", "quality": None},
    ]
    return {
        **{name: folder / f"{name}.csv" for name in names},
        "data": folder / "data.md",
        "tables": json.dumps(tables),
        "target_title": "white blood cells",
        "reported": {"resnet": {"100": 97.9, "1": 80.0}, "resnet_cam16": 92.13},
        "titles": {"resnet": "without", "combinedNet": "with", "unused": "never run"},
        "summary": folder / "summary.csv",
        "readable": folder / "summary.md",
    }


def readable(options: dict, **more) -> str:
    """The readable summary, made anew."""
    assert call("summarize", **options, **more) == 0
    return options["readable"].read_text(encoding="utf-8")


def cells(text: str, *first: str) -> list[str]:
    """The cells of the first line of a Markdown table that starts with ``first``."""
    start = f"| {' | '.join(first)} |"
    line = next(line for line in text.splitlines() if line.startswith(start))
    return [cell.strip() for cell in line.strip("|").split("|")][len(first) :]


def line_of(text: str, fraction: str, arm: str) -> dict[str, str]:
    """The line of an arm in Table 1: heading of a column -> cell."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    place = next(n for n, row in enumerate(rows) if row.startswith("| labels | images |"))
    header, *lines = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows[place:])
    return next(
        dict(zip(header, line, strict=True))
        for line in lines
        if (line[0], line[3]) == (fraction, f"`{arm}`")
    )
