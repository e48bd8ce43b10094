"""The config is checked whole; every complaint is one line that names the key."""

import copy

import pytest
import yaml
from builders import REPOSITORY

from fewlabels.core.errors import UserError
from fewlabels.workflow.configuration import (
    add_grouped_arms,
    check_config,
    did_you_mean,
    fraction_label,
    normalise_config,
)

SCHEMA = REPOSITORY / "schemas/config.schema.yaml"
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
OVERLAYS = [
    *("demo.yaml", "tests/tiny.yaml"),
    *(
        path.relative_to(REPOSITORY).as_posix()
        for path in sorted(REPOSITORY.glob("overlays/*.yaml"))
    ),
]


def merged(base: dict, overlay: dict) -> dict:
    """Lay one config over another, key by key, as Snakemake does."""
    result = copy.deepcopy(base)
    for key, value in overlay.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def check(overlay: str) -> dict:
    """Check config.yaml with this YAML laid over it, as rules/common.smk does."""
    config = merged(CONFIG, yaml.safe_load(overlay) or {})
    normalise_config(config)
    check_config(config, SCHEMA)
    return config


def complaint(overlay: str) -> str:
    with pytest.raises(UserError) as caught:
        check(overlay)
    text = str(caught.value)
    assert text.startswith("config: ")
    assert "\n" not in text
    return text


def test_the_config_is_valid():
    assert check("") == CONFIG


@pytest.mark.parametrize("path", OVERLAYS)
def test_overlays_are_valid(path):
    check((REPOSITORY / path).read_text(encoding="utf-8"))


def test_overlays_were_found():
    assert len(OVERLAYS) >= 4


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        # Unknown keys.
        ("imagess: {size: 64}", ["'imagess'", "top level", "did you mean 'images'?"]),
        ("classification: {epoch: 3}", ["'epoch'", "'classification'", "did you mean 'epochs'?"]),
        (
            "pretraining: {cam16: {training: {batchsize: 3}}}",
            ["'batchsize'", "'pretraining.cam16.training'", "did you mean 'batch_size'?"],
        ),
        ("images: {qqq: 3}", ["'qqq'", "'images'", "known: size, resize, max_megapixels"]),
        ("pretraining: {prcc_autoencoder: {training: {class_weights: none}}}", ["class_weights"]),
        # Values.
        ("subsets: {fractions: [100, 0]}", ["subsets.fractions.1", "0"]),
        ("subsets: {fractions: [101]}", ["subsets.fractions.0", "101"]),
        ("subsets: {fractions: []}", ["subsets.fractions"]),
        ("subsets: {fractions: [10, 10.0]}", ["subsets.fractions"]),
        ("images: {size: 100}", ["images.size", "100"]),
        ("images: {resize: strech}", ["images.resize", "did you mean 'stretch'?"]),
        ("masks: {empty: kept}", ["masks.empty", "did you mean 'keep'?"]),
        ("classification: {epochs: 0}", ["classification.epochs"]),
        ("classification: {epochs: many}", ["classification.epochs", "many"]),
        ("classification: {epochs: '['}", ["classification.epochs"]),
        ("classification: {learning_rate: 0}", ["classification.learning_rate"]),
        ("classification: {optimizer: adamm}", ["classification.optimizer", "did you mean 'adam"]),
        ("experiment: {replicates: [1, -1]}", ["experiment.replicates.1"]),
        (
            "pretraining: {prcc_clustered: {test_share: 1}}",
            ["pretraining.prcc_clustered.test_share"],
        ),
        ("problems: {undecodable_image: ignore}", ["problems.undecodable_image"]),
        ("arms: [resnet]", ["'arms'"]),
        ("arms: {resnet: nothing}", ["'arms.resnet'"]),
        ("compute: null", ["'compute'"]),
        ("table: {figures: {4: resnet, figure-5: resnet}}", ["table.figures", "figure-5"]),
        # Names that must fit each other.
        ("experiment: {arms: [combinednet]}", ["'experiment.arms'", "did you mean 'combinedNet'?"]),
        (
            "arms: {resnet: {encoders: [{encoder: imagenet, trained: []}]}}",
            ["arms.resnet.encoders.0.encoder", "imagenet_resnet18"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: resnet_cam16, trained: [layer5]}]}}",
            ["arms.resnet.trained", "'layer5'", "layer4.1"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: pRCC_autoencoder, trained: [conv6]}]}}",
            ["arms.resnet.trained", "'conv6'", "latent"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: resnet_cam16, trained: []}, "
            "{encoder: resnet_cam16, trained: [layer4]}]}}",
            ["arms.resnet.encoders", "twice"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: resnet_cam16}]}}",
            ["arms.resnet.encoders.0", "'trained'"],
        ),
        ("statistics: {baseline: resnett}", ["statistics.baseline", "did you mean 'resnet'?"]),
        ("statistics: {alpha: 5}", ["statistics.alpha"]),
        ("experiment: {crossed: {fractions: [0]}}", ["experiment.crossed.fractions.0"]),
        ("pretraining: {cam16: {trained: [layer0]}}", ["pretraining.cam16.trained", "'layer0'"]),
        (
            "pretraining: {prcc_autoencoder: {channels: [8, 8, 8, 8, 8, 8]}, prcc_features: {layer: 1}}\n"
            "images: {size: 96}",
            ["'images.size'", "multiple of 64"],
        ),
        (
            "datasets: {wbc: {group_pattern: '(unclosed'}}",
            ["datasets.wbc.group_pattern", "regular"],
        ),
        ("datasets: {wbc: {group_pattern: '^[0-9]+$'}}", ["datasets.wbc.group_pattern", "slide"]),
        ("datasets: {prcc: {group_pattern: '(?P<patient>.)'}}", ["datasets.prcc.group_pattern"]),
        (
            "datasets: {wbc: {aliases: {Eos: Eosinophill}}}",
            ["datasets.wbc.aliases.Eos", "did you mean 'Eosinophil'?"],
        ),
        ("table: {figures: {figure6: resnetTwoStages}}", ["table.figures", "'resnetTwoStages'"]),
        ("leakage: {slide: stop}", ["leakage.slide", "known: error, warn, ignore"]),
        ("leakage: {near_duplicate_distance: 65}", ["leakage.near_duplicate_distance"]),
        ("leakage: {near_duplicate_correlation: 0}", ["leakage.near_duplicate_correlation"]),
        ("problems: {same_image_in_two_splits: warn}", ["'same_image_in_two_splits'"]),
        ("experiment: {splits: [grouped]}", ["experiment.splits"]),
        ("experiment: {splits: [given, sloped]}", ["experiment.splits.1"]),
        (
            "experiment: {splits: [given, grouped]}\nsubsets: {source: given}",
            ["experiment.splits", "subsets.source"],
        ),
        (
            "experiment: {splits: [given, grouped], arms: [resnet, combinedNet]}\n"
            "arms: {resnetGrouped: {title: t, masks: append, "
            "encoders: [{encoder: resnet_cam16, trained: []}]}}",
            ["arms.resnetGrouped", "choose another"],
        ),
        ("subsets: {validation_share: 1}", ["subsets.validation_share"]),
        ("classification: {selection: best}", ["classification.selection", "known: last"]),
        (
            "pretraining: {cam16: {training: {selection: last}}}",
            ["cam16.training.selection", "only the section classification"],
        ),
        ("external: {Test_A: {folder: a}}", ["Test_A"]),
        ("external: {TestA: {}}", ["external.TestA", "'folder'"]),
        ("external: {TestA: {folder: a, classes: [b]}}", ["'classes'", "external.TestA"]),
        ("external: {wbc: {folder: a}}", ["external.wbc", "choose another"]),
        (
            "external: {TestA: {folder: a, aliases: {Neut: Neutrophill}}}",
            ["external.TestA.aliases.Neut", "did you mean 'Neutrophil'?"],
        ),
        ("external: {TestA: {folder: a, group_pattern: '('}}", ["external.TestA.group_pattern"]),
        ("table: {reported: {resnett: 3}}", ["table.reported", "did you mean 'resnet'?"]),
        (
            "subsets: {source: given, fractions: [50, 2.5]}",
            ["subsets.given", "2.5"],
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(overlay, parts):
    line = complaint(overlay)
    for part in parts:
        assert part in line


def test_a_missing_key_is_named():
    config = copy.deepcopy(CONFIG)
    del config["images"]["resize"]
    with pytest.raises(UserError, match="missing key 'resize' in key 'images'"):
        check_config(config, SCHEMA)


def test_an_unknown_key_comes_before_what_it_leaves_missing():
    config = copy.deepcopy(CONFIG)
    config["images"]["resiz"] = config["images"].pop("resize")
    with pytest.raises(UserError, match="unknown key 'resiz'"):
        check_config(config, SCHEMA)


def test_masks_off_may_stand_unquoted():
    config = check("arms: {combinedNet: {masks: off}}\npretraining: {cam16: {masks: off}}")
    assert config["arms"]["combinedNet"]["masks"] == "off"
    assert config["pretraining"]["cam16"]["masks"] == "off"


def test_masks_on_is_not_a_word():
    assert "arms.resnet.masks" in complaint("arms: {resnet: {masks: on}}")


def test_fractions_may_stand_unquoted_as_keys():
    """YAML reads ``50`` as a number; laid over config.yaml, it must replace the text "50"."""
    config = check(
        "subsets: {source: given, fractions: [50, 2.5], given: {50: half, 2.5: some}}\n"
        "table: {reported: {resnet: {50: 1.5, 2.5: 3}}}"
    )
    assert config["subsets"]["given"]["50"] == "half"
    assert config["subsets"]["given"]["2.5"] == "some"
    assert {*config["subsets"]["given"]} == {"50", "10", "1", "2.5"}
    assert config["table"]["reported"]["resnet"] == {
        **CONFIG["table"]["reported"]["resnet"],
        **{"50": 1.5, "2.5": 3},
    }


def test_command_line_values_are_read_as_yaml():
    """``--config 'a={b: 3}'`` leaves 3 as text."""
    config = check(
        "classification: {epochs: '3', flips: 'false', learning_rate: '0.1'}\n"
        "subsets: {fractions: '[50]'}"
    )
    assert config["classification"]["epochs"] == 3
    assert config["classification"]["flips"] is False
    assert config["classification"]["learning_rate"] == pytest.approx(0.1)
    assert config["subsets"]["fractions"] == [50]


def test_given_subsets_need_a_folder_for_every_fraction_but_100():
    check("subsets: {source: given, fractions: [100, 50, 10, 1]}")
    assert "fraction 2.5" in complaint("subsets: {source: given, fractions: [2.5]}")


def test_a_new_arm_and_fraction_need_the_config_only():
    check(
        "arms: {mine: {title: t, masks: append, encoders: [{encoder: pRCC_autoencoder, trained: [latent]}]}}\n"
        "experiment: {arms: [mine, resnet, combinedNet]}\nsubsets: {fractions: [0.5, 33]}"
    )


@pytest.mark.parametrize(
    ("fraction", "label"),
    [
        (100, "100"),
        (50.0, "50"),
        (0.5, "0.5"),
        (0.1, "0.1"),
        (1, "1"),
        (33.3, "33.3"),
        (0.01, "0.01"),
    ],
)
def test_fraction_labels(fraction, label):
    assert fraction_label(fraction) == label


def test_did_you_mean():
    assert did_you_mean("epoch", ["epochs", "flips"]) == "did you mean 'epochs'?"
    assert did_you_mean("zzz", ["epochs", "flips"]) == "known: epochs, flips"


def test_a_grouped_split_gives_every_listed_arm_a_copy():
    config = check(
        "experiment: {arms: [resnet, combinedNet], splits: [given, grouped]}\n"
        "table: {figures: {figure4: resnet, figure5: resnetGrouped}}"
    )
    add_grouped_arms(config)
    assert config["experiment"]["arms"] == [
        *("resnet", "combinedNet", "resnetGrouped", "combinedNetGrouped")
    ]
    copy_of_resnet = {**config["arms"]["resnetGrouped"]}
    assert copy_of_resnet.pop("split") == "grouped"
    assert copy_of_resnet.pop("title") == "without additional information, split by slide"
    assert copy_of_resnet.items() < config["arms"]["resnet"].items()
    again = copy.deepcopy(config)
    add_grouped_arms(again)
    assert again == config


def test_the_given_split_alone_adds_no_arm():
    config = check("")
    add_grouped_arms(config)
    assert config == CONFIG
