"""Labelled predictions that calibrate, and entropy."""

import argparse

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.deployment.answers import Rule, decide, entropy, read_calibration

CLASSES = ("a", "b")


def labelled(path, answers="aaabbb", labels="aabbba", name="id", **more):
    rows = [
        {name: place, "label": label, "predicted": answer}
        | {f"p_{k}": 0.8 if k == answer else 0.2 for k in CLASSES}
        | more
        for place, (answer, label) in enumerate(zip(answers, labels, strict=True))
    ]
    write_csv(path, list(rows[0]), rows)
    return path


def options(**changes):
    given = {"risk": None, "confidence": 0.95, "min_probability": None, "calibration": "c.csv"}
    return argparse.Namespace(**given | changes)


def test_entropy_is_that_of_shannon():
    found = entropy(np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]]))
    np.testing.assert_allclose(found, [0, np.log(2), np.log(3)])
    assert not np.signbit(found).any()


@pytest.mark.parametrize("name", ["id", "path"])
def test_files_of_the_workflow_and_of_predict_are_read(tmp_path, name):
    path = labelled(tmp_path / "c.csv", name=name, **({"calibrated": 0} if name == "path" else {}))
    found = read_calibration(path, CLASSES)
    assert found.labels.tolist() == [0, 0, 1, 1, 1, 0]
    assert found.predicted.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: write_csv(path, ["path", "p_a"], [{"path": 1}]), "has no column 'label'"),
        (lambda path: labelled(path, calibrated=1), "was calibrated already"),
        (lambda path: labelled(path, "aab", ["a", "", "b"]), "has an image without a label"),
        (
            lambda path: write_csv(path, ["id", "label", "predicted", "p_a", "p_b"], []),
            "holds no predictions",
        ),
    ],
)
def test_other_files_are_one_line(tmp_path, write, words):
    write(tmp_path / "c.csv")
    with pytest.raises(UserError, match=words):
        read_calibration(tmp_path / "c.csv", CLASSES)


def test_other_classes_are_one_line(tmp_path):
    with pytest.raises(UserError, match="is of the classes a, b, the models of b, a"):
        read_calibration(labelled(tmp_path / "c.csv"), ("b", "a"))


def test_where_all_is_right_there_is_no_temperature(tmp_path):
    found = read_calibration(labelled(tmp_path / "c.csv", "ab", "ab"), CLASSES)
    rule = decide(options(), found, "")
    assert rule.temperature is None
    assert "no error on the validation images" in rule.calibration


def test_a_risk_that_cannot_be_shown_says_what_it_takes(tmp_path):
    found = read_calibration(labelled(tmp_path / "c.csv"), CLASSES)
    with pytest.raises(
        UserError, match=r"6 labelled predictions of c.csv \(2 wrong\).*at least 97"
    ):
        decide(options(risk=0.05), found, "")


def test_abstention_begins_below_the_threshold():
    rule = Rule(None, "", 0.7, "")
    found = rule.abstains(np.array([[0.7, 0.3], [0.31, 0.69]]))
    assert found.tolist() == [False, True]
    assert not Rule(None, "", None, "").abstains(np.array([[0.5, 0.5]])).any()
