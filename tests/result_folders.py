"""A small results folder, written whole and without training: what the report page is made from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fewlabels.core.files import write_csv, write_json
from fewlabels.core.run_sheet import Run, write_run_sheet
from fewlabels.reporting.summary_data import SummarySettings

ARMS = ("plain", "cluster")
SEEDS = (1, 2)
#: Fraction -> labelled images.
LABELS = {"100": 400, "10": 40}
#: (arm, fraction) -> accuracy of seed 1, per cent; seed 2 has 2 points more.
ACCURACY = {
    ("plain", "100"): 90.0,
    ("plain", "10"): 70.0,
    ("cluster", "100"): 91.0,
    ("cluster", "10"): 78.0,
}
CLASSES = ("Basophil", "Monocyte")
#: An image that runs a script where names are not escaped.
HOSTILE = "<img src=x onerror=\"document.title='run'\">"
#: Recall of single classes beside the accuracy, in points.
RECALLS = (-10.0, 10.0)


@dataclass(frozen=True)
class Folder:
    """A results folder and what `report.py` is told of it besides.

    Attributes:
        compared: whether arms are compared with the first one.
        name: something hostile to stand for every name of the user's, or "".
    """

    path: Path
    fractions: Sequence[str] = tuple(LABELS)
    compared: bool = True
    name: str = ""
    arms: Sequence[str] = field(default=ARMS)

    @property
    def classes(self) -> tuple[str, ...]:
        return (self.name or CLASSES[0], CLASSES[1])

    @property
    def runs(self) -> list[Run]:
        return [
            Run(arm, "cells", fraction, seed, seed, baseline="" if arm == ARMS[0] else ARMS[0])
            for arm in self.arms
            for fraction in self.fractions
            for seed in SEEDS
        ]

    def options(self) -> dict[str, object]:
        """The options of `report.py`."""
        settings = SummarySettings(
            target_title=self.name or "white blood cells",
            reported={"plain": {"100": 97.9}},
            titles={arm: self.name or f"the arm {arm}" for arm in self.arms},
            decimals=2,
            alpha=0.05,
            margin=1.0,
            primary="accuracy",
            training_pool="this",
            subsets="drawn",
            pretraining_seeds="declared",
            test_masks="off",
            predicted_mask_arms=[],
            starts={},
            licences={},
            transductive=[],
            synthetic=False,
        )
        recipe = {
            **{"encoders": [{"encoder": "resnet18", "trained": ["layer4"]}], "masks": "off"},
            **{"predicted_masks": "off", "classifier": "network"},
            **{"unlabelled": {"method": "off"}, "training": {"epochs": 3}},
        }
        return {
            "results": self.path,
            "target": "cells",
            "datasets": "cells",
            "settings": json.dumps(asdict(settings)),
            "recipes": json.dumps(dict.fromkeys(self.arms, recipe)),
            "page": self.path / "report.html",
        }

    def write(self) -> "Folder":
        """Write all tables."""
        write_run_sheet(self.path / "runs.csv", self.runs)
        self._write("metrics/evaluate.csv", METRICS, self._metrics())
        self._write("metrics/confusion.csv", CONFUSION, self._confusion())
        self._write("comparisons.csv", COMPARISONS, self._comparisons() if self.compared else [])
        self._write("label_efficiency.csv", EFFICIENCY, self._saved() if self.compared else [])
        self._write("labels.csv", COUNTED, self._labels())
        self._write("spread.csv", ["arm", "metric"], [])
        self._write("costs.csv", COSTS, [])
        self._write("leakage/check_leakage.csv", JUDGED, [])
        self._write("leakage/compared.csv", COMPARED, [])
        self._write("leakage/slide_only.csv", ["control", "metric", "value"], [])
        self._write_data()
        write_json(self.path / "provenance.json", {"code": {"git": None}, "config": self.name})
        for run in self.runs:
            self._write_run(run)
        return self

    def _write(self, name: str, columns: Sequence[str], rows: Sequence[dict]) -> None:
        write_csv(self.path / name, columns, rows)

    def _metrics(self) -> list[dict]:
        rows = []
        for (arm, fraction), first in ACCURACY.items():
            if arm in self.arms and fraction in self.fractions:
                for replicate, value in (("1", first), ("2", first + 2), ("mean", first + 1)):
                    here = {"arm": arm, "fraction": fraction, "replicate": replicate}
                    rows += self._of_run(here, value)
        common = {"test_set": "test", "selection": "last", "n": 20}
        rows += [
            common | {"arm": "majority", "metric": metric, "value": value}
            for metric, value in (("accuracy", 60.0), ("macro_f1", 37.5))
        ]
        return rows

    def _of_run(self, here: dict, accuracy: float) -> list[dict]:
        here |= {"test_set": "test", "n": "" if here["replicate"] == "mean" else 20, "state": ""}
        interval = {"low": accuracy - 3, "high": accuracy + 3, "interval": "combined_images"}
        values = {"macro_f1": accuracy - 5, "calibration_error": 4.5}
        values |= {
            f"recall_{name}": accuracy + more
            for name, more in zip(self.classes, RECALLS, strict=True)
        }
        best = {"accuracy": accuracy + 1, "epoch": 2, "optimism": 1.0}
        return [
            here | interval | {"selection": "last", "metric": "accuracy", "value": accuracy},
            *(
                here | {"selection": "last", "metric": metric, "value": value}
                for metric, value in values.items()
            ),
            *(
                here | {"selection": "best_test", "metric": metric, "value": value}
                for metric, value in best.items()
            ),
        ]

    def _confusion(self) -> list[dict]:
        first, second = self.classes
        return [
            {
                **{"arm": run.arm, "fraction": run.fraction, "replicate": run.replicate},
                **{"test_set": "test", "label": label, "predicted": predicted, "images": images},
            }
            for run in self.runs
            for label, predicted, images in (
                *((first, first, 9), (first, second, 1)),
                *((second, first, 4), (second, second, 6)),
            )
        ]

    def _comparisons(self) -> list[dict]:
        common = {
            "baseline": ARMS[0],
            "test_set": "test",
            "metric": "accuracy",
            "replicate": "mean",
        }
        common |= {"arm": ARMS[1], "units": 20, "effective_units": 20, "images": 20}
        common |= {"equivalent": "false", "state": "", "p_difference": 0.01}
        common |= {"detectable": 5.25, "detectable_low": 3, "detectable_high": 9}
        known = {
            "100": {"difference": 1, "low": -2.5, "high": 4.5, "verdict": "undecided"},
            "10": {"difference": 8, "low": 3.5, "high": 12.5, "verdict": "better"},
        }
        return [common | known[fraction] | {"fraction": fraction} for fraction in self.fractions]

    def _saved(self) -> list[dict]:
        common = {"arm": ARMS[1], "baseline": ARMS[0], "test_set": "test", "metric": "accuracy"}
        whole = {"difference": 4.5, "low": 1, "high": 8, "p": 0.02, "p_holm": 0.04, "state": ""}
        ratio = {"ratio": 2.5, "ratio_low": 1.25, "ratio_high": 12, "ratio_high_bound": ">="}
        return [common | whole | ratio]

    def _labels(self) -> list[dict]:
        return [
            {
                **{"arm": run.arm, "fraction": run.fraction, "replicate": run.replicate},
                **{"labels": LABELS[run.fraction], "smallest_class_labels": 7, "steps": 30},
                "subset": "drawn",
            }
            for run in self.runs
        ]

    def _write_data(self) -> None:
        rows = [
            {
                **{"id": f"{split}/{self.name}{number}.jpg", "split": split},
                **{"label": self.classes[number % 2], "width": 360, "height": 363},
            }
            for split, count in (("train", 400), ("test", 20))
            for number in range(count)
        ]
        self._write("images/cells_index.csv", INDEX, rows)
        self._write("images/cells_problems.csv", ["kind", "path", "detail", "files"], [])
        left_out = [{"path": f"train/{self.name}broken.jpg", "reason": "unreadable"}]
        self._write("images/cells_left_out.csv", ["path", "reason"], left_out)
        write_json(self.path / "images/cells_reading.json", {"masks": None, "intensities": None})

    def _write_run(self, run: Run) -> None:
        history = [
            {
                **{"epoch": epoch, "train_loss": 1 / epoch, "train_accuracy": 0.9},
                **{"test_loss": 1.1 / epoch, "test_accuracy": 0.8},
            }
            for epoch in (1, 2, 3)
        ]
        self._write(run.path("history"), list(history[0]), history)
        sure, unsure = {"predicted": self.classes[0]}, {"predicted": self.classes[1]}
        first, second = (f"p_{name}" for name in self.classes)
        predictions = [
            {"id": f"test/{number}", "label": self.classes[number % 2]}
            | (
                sure | {first: 0.9, second: 0.1}
                if number < 10
                else unsure | {first: 0.4, second: 0.6}
            )
            for number in range(20)
        ]
        columns = ["id", "label", "predicted", first, second]
        self._write(run.path("predictions"), columns, predictions)
        record = {"device": "cpu", "precision": "float32", "epochs": 3, "seconds": 12.5}
        write_json(self.path / run.path("records", "json"), record)


METRICS = [
    *("arm", "fraction", "replicate", "test_set", "selection", "metric", "value", "n"),
    *("low", "high", "interval", "state"),
]
CONFUSION = ["arm", "fraction", "replicate", "test_set", "label", "predicted", "images"]
COMPARISONS = [
    *("arm", "baseline", "fraction", "test_set", "metric", "replicate"),
    *("units", "effective_units", "images", "difference", "low", "high"),
    *("p_difference", "p_difference_holm", "p_equivalence_holm", "equivalent", "verdict"),
    *("detectable", "detectable_low", "detectable_high", "state"),
]
EFFICIENCY = [
    *("arm", "baseline", "test_set", "metric", "fraction", "labels", "value"),
    *("difference", "low", "high", "p", "p_holm", "ratio", "ratio_bound"),
    *("ratio_low", "ratio_low_bound", "ratio_high", "ratio_high_bound", "state"),
]
COUNTED = ["arm", "fraction", "replicate", "labels", "smallest_class_labels", "steps", "subset"]
COSTS = [
    *("model", "fraction", "replicate", "seconds", "images_per_second"),
    *("peak_memory_mb", "peak_gpu_mb"),
]
JUDGED = [
    *("kind", "first_dataset", "first_split", "second_dataset", "second_split"),
    *("count", "images", "test", "consequence"),
]
COMPARED = [
    *("first_dataset", "first_split", "first_images", "second_dataset", "second_split"),
    *("second_images", "test", "bytes", "pixels", "near_duplicates", "slide", "field"),
]
INDEX = ["id", "split", "label", "width", "height", "slide", "field"]
