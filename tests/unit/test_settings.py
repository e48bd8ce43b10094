"""Checked settings: what they accept, and the one line that says what is wrong."""

import argparse
import json
import math
from typing import Annotated, Literal

import pytest
from builders import TRAINING
from pydantic import Field, ValidationError

from fewlabels.core.settings import (
    Blocks,
    EncoderChoice,
    Label,
    MaskUse,
    Section,
    Seed,
    TrainingSettings,
    describe,
    number_label,
)


class Supervised(Section):
    method: Literal["supervised"]
    dataset: str
    trained: Blocks = "all"


class Cluster(Section):
    method: Literal["cluster"]
    clusters: int = Field(2, ge=2)


Pretraining = Annotated[Supervised | Cluster, Field(discriminator="method")]


class Inner(Section):
    size: int = 3


class Whole(Section):
    """A config with every kind of key."""

    masks: MaskUse = "off"
    classes: list[Label] = Field([])
    names: dict[str, Label] = Field({})
    seed: Seed = 0
    inner: Inner = Inner()
    models: dict[str, Pretraining] = Field({})
    training: TrainingSettings = TrainingSettings(**TRAINING)


def mistake(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        Whole(**values)
    return describe(caught.value, Whole)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"mask": "off"}, "unknown key 'mask' in the top level: did you mean 'masks'?"),
        ({"inner": {"sise": 1}}, "unknown key 'sise' in key 'inner': did you mean 'size'?"),
        (
            {"training": TRAINING | {"epoch": 1}},
            "unknown key 'epoch' in key 'training': did you mean 'epochs'?",
        ),
        (
            {"models": {"a": {"method": "cluster", "cluster": 2}}},
            "unknown key 'cluster' in key 'models.a': did you mean 'clusters'?",
        ),
        (
            {"models": {"a": {"method": "supervised"}}},
            "missing key 'dataset' in key 'models.a': copy it from config.yaml",
        ),
        (
            {"models": {"a": {"method": "clusters"}}},
            "key 'models.a.method' is 'clusters': did you mean 'cluster'?",
        ),
        (
            {"models": {"a": {"dataset": "x"}}},
            "missing key 'method' in key 'models.a': it says how to pretrain",
        ),
        ({"masks": "replaced"}, "key 'masks' is 'replaced': did you mean 'replace'?"),
        (
            {"training": TRAINING | {"optimizer": "lion"}},
            "key 'training.optimizer' is 'lion': known: adamw, adam, sgd",
        ),
        (
            {"training": {key: TRAINING[key] for key in TRAINING if key != "epochs"}},
            "missing key 'epochs' in key 'training': copy it from config.yaml",
        ),
        (
            {"models": {"a": {"method": "cluster", "clusters": 1}}},
            "key 'models.a.clusters' is 1: input should be greater than or equal to 2",
        ),
        ({"seed": -1}, "key 'seed' is -1: input should be greater than or equal to 0"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(values, line):
    assert mistake(**values) == line


def test_an_unknown_key_is_told_before_what_it_causes():
    training = {key: TRAINING[key] for key in TRAINING if key != "epochs"}
    assert mistake(training=training | {"epoch": 3}).startswith("unknown key 'epoch'")


def test_null_stands_for_the_default_and_takes_entries_away():
    found = Whole(seed=None, inner=None, names={"a": "x", "b": None}, models={"m": None})
    assert (found.seed, found.inner.size) == (0, 3)
    assert (found.names, found.models) == ({"a": "x"}, {})
    assert Whole(inner={"size": None}).inner.size == 3


def test_null_is_no_value_of_a_key_without_default():
    text = mistake(models={"m": {"method": "supervised", "dataset": None}})
    assert text.startswith("key 'models.m.dataset' is None: input should be a valid string")


def test_numbers_are_labels():
    found = Whole(classes=[0, "a", 1.0], names={1: 2.5, 0.10: "x"})
    assert found.classes == ["0", "a", "1"]
    assert found.names == {"1": "2.5", "0.1": "x"}
    assert [number_label(value) for value in (100, 0.1 + 0.2, True)] == ["100", "0.3", True]
    assert number_label(math.inf) == math.inf


def test_an_empty_label_is_refused():
    assert mistake(classes=[""]).startswith("key 'classes.0' is '': ")


def test_off_may_have_been_read_as_false():
    assert Whole(masks=False).masks == "off"
    assert "masks" in mistake(masks=True)


def test_blocks_are_a_list_or_all():
    assert EncoderChoice(encoder="x", trained="all").trained == "all"
    assert EncoderChoice(encoder="x", trained=[]).batch_norm == "trained"
    with pytest.raises(ValidationError):
        EncoderChoice(encoder="x", trained="some")


@pytest.mark.parametrize("block", ["layer4.{2}", "a/b", "-x", "", "a+b", "a b"])
def test_blocks_have_names_that_files_can_have(block):
    with pytest.raises(ValidationError):
        EncoderChoice(encoder="x", trained=[block])


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Whole().seed = 3


def test_json_there_and_back():
    settings = TrainingSettings(**TRAINING)
    assert TrainingSettings.from_json(json.dumps(settings.plain())) == settings
    assert "epochs" not in settings.plain("epochs")
    with pytest.raises(argparse.ArgumentTypeError, match="unknown key 'epoch' in the top level"):
        TrainingSettings.from_json(json.dumps(TRAINING | {"epoch": 1}))
