"""The config is checked whole; every complaint is one line that names the key."""

import copy
import re

import pytest
import yaml
from builders import REPOSITORY
from configs import CONFIG, check_complaint, complaint, laid_over, load, plan

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.workflow.configuration import (
    external_layout,
    load_config,
    training_settings,
)

OVERLAYS = [
    *("demo.yaml", "tests/tiny.yaml"),
    *(
        path.relative_to(REPOSITORY).as_posix()
        for path in sorted(REPOSITORY.glob("overlays/*.yaml"))
    ),
]


def text_of(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


#: Overlays that are laid over others, in this order, as their first lines say.
ON_TOP_OF = {
    path: re.findall(r"overlays/\w+\.yaml", match[1])
    for path in OVERLAYS
    if (match := re.search(r"^# Overlay of .* on top of ([^:]+):", text_of(path), re.M))
}


def test_the_config_is_valid():
    assert load("").plain()["pathvars"] == CONFIG["pathvars"]


@pytest.mark.parametrize("path", OVERLAYS)
def test_overlays_are_valid(path):
    overlays = [*map(text_of, [*ON_TOP_OF.get(path, []), path])]
    experiment = plan(*overlays)
    asked = [yaml.safe_load(text).get("experiment", {}).get("arms") for text in overlays]
    [*_, arms] = [CONFIG["experiment"]["arms"], *filter(None, asked)]
    assert list(experiment.arms) == arms
    assert len(experiment.runs) >= len(arms)


def test_overlays_were_found():
    assert len(OVERLAYS) >= 11
    assert len(ON_TOP_OF) >= 4
    assert all(ON_TOP_OF.values())
    assert {below for names in ON_TOP_OF.values() for below in names} < set(OVERLAYS)


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        # Unknown keys.
        ("imagess: {size: 64}", ["'imagess'", "top level", "did you mean 'images'?"]),
        ("images: {qqq: 3}", ["'qqq'", "'images'", "known: size, resize, max_megapixels"]),
        (
            "pretraining: {resnet_cam16: {trainedd: all}}",
            ["'trainedd'", "'pretraining.resnet_cam16'", "did you mean 'trained'?"],
        ),
        ("problems: {same_image_in_two_splits: warn}", ["'same_image_in_two_splits'"]),
        # Values.
        ("subsets: {fractions: [100, 0]}", ["subsets.fractions.1", "is 0"]),
        ("subsets: {fractions: [101]}", ["subsets.fractions.0", "is 101"]),
        ("subsets: {fractions: []}", ["subsets.fractions", "subsets.per_class", "at least one"]),
        ("subsets: {per_class: [5, 0]}", ["subsets.per_class.1", "is 0"]),
        ("subsets: {per_class: 5}", ["subsets.per_class", "write [5]"]),
        ("statistics: {primary: acuracy}", ["statistics.primary", "did you mean 'accuracy'"]),
        ("statistics: {training_pool: all}", ["statistics.training_pool", "this", "any"]),
        ("subsets: {validation_share: 1}", ["subsets.validation_share"]),
        ("images: {size: 100}", ["images.size", "100"]),
        ("images: {resize: strech}", ["images.resize", "did you mean 'stretch'?"]),
        ("masks: {empty: kept}", ["masks.empty", "did you mean 'keep'?"]),
        ("experiment: {replicates: [1, -1]}", ["experiment.replicates.1"]),
        ("experiment: {crossed: {fractions: [0]}}", ["experiment.crossed.fractions.0"]),
        ("experiment: {splits: []}", ["experiment.splits"]),
        ("experiment: {splits: [grouped]}", ["experiment.splits", "given"]),
        ("experiment: {splits: [given, sloped]}", ["experiment.splits.1"]),
        ("experiment: {selection: best}", ["experiment.selection", "known: last"]),
        ("problems: {undecodable_image: ignore}", ["problems.undecodable_image"]),
        ("leakage: {slide: stop}", ["leakage.slide", "known: error, warn, ignore"]),
        ("leakage: {near_duplicate_distance: 65}", ["leakage.near_duplicate_distance"]),
        ("leakage: {near_duplicate_correlation: 0}", ["leakage.near_duplicate_correlation"]),
        ("statistics: {alpha: 5}", ["statistics.alpha"]),
        ("arms: [resnet]", ["'arms'"]),
        ("arms: {resnet: nothing}", ["'arms.resnet'"]),
        ("arms: {resnet: {encoders: []}}", ["'arms.resnet.encoders'"]),
        ("arms: {res_net: {title: t}}", ["arms.res_net"]),
        (
            "arms: {resnet: {encoders: [{encoder: resnet_cam16}]}}",
            ["arms.resnet.encoders.0", "'trained'"],
        ),
        ("arms: {resnet: {masks: on}}", ["arms.resnet.masks"]),
        ("compute: null", ["'compute'"]),
        ("table: {figures: {figure-5: resnet}}", ["table.figures", "figure-5"]),
        (
            "backbones: {imagenet_resnet18: {model: resnet18}}",
            ["backbones.imagenet_resnet18.model"],
        ),
        ("backbones: {imagenet_resnet18: {sha256: abc}}", ["backbones.imagenet_resnet18.sha256"]),
        (
            "pretraining: {resnet_cam16: {method: superwised}}",
            ["'pretraining.resnet_cam16.method'", "did you mean 'supervised'?"],
        ),
        ("pretraining: {mine: {dataset: cam16}}", ["'method'", "'pretraining.mine'"]),
        ("pretraining: {prcc_cluster_label: {clusters: 1}}", ["prcc_cluster_label.clusters"]),
        # Data sets.
        ("datasets: {prcc: {holdout: 1}}", ["datasets.prcc.holdout"]),
        (
            "datasets: {wbc: {group_pattern: '(unclosed'}}",
            ["datasets.wbc.group_pattern", "regular"],
        ),
        ("datasets: {wbc: {group_pattern: '^[0-9]+$'}}", ["datasets.wbc.group_pattern", "slide"]),
        ("datasets: {prcc: {group_pattern: '(?P<patient>.)'}}", ["datasets.prcc.group_pattern"]),
        ("datasets: {wbc: {images: '{split}/{clas}'}}", ["datasets.wbc.images", "{clas}"]),
        ("datasets: {wbc: {splits: {trai: train}}}", ["datasets.wbc.splits", "'train'?"]),
        ("datasets: {mine: {classes: []}}", ["datasets.mine", "neither folder nor table"]),
        ("datasets: {cam16: {table: a.csv}}", ["datasets.cam16", "both table and folder"]),
        ("datasets: {wbc: {classes: [a, b, a]}}", ["datasets.wbc.classes", "'a' twice"]),
        # Numbers.
        ("statistics: {alpha: .nan}", ["'statistics.alpha' is nan: give a finite number"]),
        ("images: {size: .inf}", ["'images.size' is inf"]),
        ("subsets: {fractions: [100, -.inf]}", ["'subsets.fractions.1' is -inf"]),
        ("training: {classification: {epochs: .nan}}", ["'training.classification.epochs'"]),
        ("arms: {lite: {training: {learning_rate: .nan}}}", ["'arms.lite.training.learning_rate'"]),
        ("pretraining: {resnet_cam16: {training: {epochs: .inf}}}", ["resnet_cam16.training.epoc"]),
        ("table: {reported: {wbc: {resnet: {'50': .nan}}}}", ["'table.reported.wbc.resnet.50'"]),
        ("datasets: {wbc: {classes: [.nan, b]}}", ["'datasets.wbc.classes.0' is nan"]),
        ("statistics: {alpha: 'nan'}", ["'statistics.alpha' is 'nan'", "finite number"]),
        ("compute: {threads: 3.5}", ["'compute.threads' is 3.5", "integer"]),
        ("compute: {threads: true}", ["'compute.threads' is 'true'", "valid integer"]),
        ("experiment: {replicates: [yes]}", ["'experiment.replicates.0' is 'true'"]),
        ("table: {reported: {wbc: {resnet: {'50': no}}}}", ["table.reported.wbc.resnet", "false"]),
        ("compute: {threads: 1e3x}", ["'compute.threads' is '1e3x'", "integer"]),
        ("statistics: {margin: '0,5'}", ["'statistics.margin' is '0,5'", "write 0.5"]),
        ("compute: {threads: 1e0}", ["'compute.threads' is '1e0'", "write 1"]),
        # Sections, lists and texts.
        ("images: [1, 2]", ["'images' is a list: it must hold keys and values"]),
        ("images: 5", ["'images' is 5: it must hold keys and values"]),
        ("arms: {resnet: {training: [1]}}", ["arms.resnet.training", "keys and values"]),
        ("experiment: {arms: resnet}", ["'experiment.arms' is 'resnet'", "write [resnet]"]),
        ("arms: {resnet: {title: 2024-01-02}}", ["arms.resnet.title", "put it in quotes"]),
        ("datasets: {wbc: {classes: [yes, no]}}", ["datasets.wbc.classes.0", "in quotes"]),
        # Shares in place of per cent.
        (
            "subsets: {fractions: [1.0, 0.5, 0.1]}",
            ["subsets.fractions", "did you mean [100, 50, 10]?", 'in quotes, as in ["0.1"]'],
        ),
        ("subsets: {fractions: [1.0]}", ["subsets.fractions", "did you mean [100]?"]),
        ("subsets: {fractions: [0.5]}", ["subsets.fractions", "did you mean [50]?", '["0.5"]']),
        (
            "experiment: {crossed: {fractions: [0.1, 0.01]}}",
            ["experiment.crossed.fractions", "did you mean [10, 1]?"],
        ),
        ("subsets: {given: {0.1: few}}", ["subsets.given", "fraction 0.1", "did you mean 10?"]),
        # The target.
        ("target: wcb", ["'target'", "did you mean 'wbc'?"]),
        ("target: prcc", ["datasets.prcc.classes", "at least two classes"]),
        ("datasets: {wbc: {classes: [one]}}", ["datasets.wbc.classes", "at least two classes"]),
        ("datasets: {wbc: {splits: {test: null}}}", ["datasets.wbc", "splits.test or holdout"]),
        ("datasets: {wbc: null}", ["'target'", "'wbc'"]),
        # External test sets.
        ("external: {Test_A: {folder: a}}", ["Test_A"]),
        ("external: {TestA: {}}", ["external.TestA", "folder"]),
        ("external: {TestA: {folder: a, classes: [b]}}", ["'classes'", "external.TestA"]),
        ("external: {wbc: {folder: a}}", ["external.wbc", "choose another"]),
        ("external: {TestA: {folder: a, group_pattern: '('}}", ["external.TestA.group_pattern"]),
        # Given subsets.
        ("subsets: {source: given, fractions: [50, 2.5]}", ["subsets.given", "fraction 2.5"]),
        (
            "experiment: {splits: [given, grouped]}\nsubsets: {source: given}",
            ["experiment.splits", "subsets.source"],
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(overlay, parts):
    check_complaint(overlay, parts, load)


def test_a_missing_key_is_named():
    config = copy.deepcopy(CONFIG)
    del config["images"]["resize"]
    with pytest.raises(UserError, match="config: missing key 'resize' in key 'images'"):
        load_config(config)


def test_an_unknown_key_comes_before_what_it_leaves_missing():
    config = copy.deepcopy(CONFIG)
    config["images"]["resiz"] = config["images"].pop("resize")
    with pytest.raises(UserError, match="unknown key 'resiz'"):
        load_config(config)


def test_masks_off_may_stand_unquoted():
    config = load("arms: {combinedNet: {masks: off}}\npretraining: {resnet_cam16: {masks: off}}")
    assert config.arms["combinedNet"].masks == "off"
    assert config.pretraining["resnet_cam16"].masks == "off"
    assert load("compute: {feature_cache: off}").compute.feature_cache == "off"


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ("[1]", [1]),
        ("[1, 0.5]", [1, 0.5]),
        ("[100, 0.5]", [100, 0.5]),
        ("['0.5']", [0.5]),
        ("['1.0', 0.5]", [1, 0.5]),
        ("[5e1, 1e-1, 10]", [50, 0.1, 10]),
    ],
)
def test_fractions_below_one_per_cent_can_be_said(fractions, expected):
    config = load(
        f"subsets: {{fractions: {fractions}}}\n"
        "experiment: {crossed: {fractions: []}}\ntable: {reported: null}"
    )
    assert config.subsets.fractions == expected


def test_crossed_and_given_fractions_may_be_those_of_the_subsets():
    config = load(
        "subsets: {source: given, fractions: [100, 50, 0.5], given: {0.5: few}}\n"
        "experiment: {crossed: {fractions: [0.5]}}"
    )
    assert config.experiment.crossed.fractions == [0.5]
    assert config.subsets.given["0.5"] == "few"


def test_numbers_may_be_written_in_other_ways():
    config = load(
        "images: {size: 64.0}\ncompute: {threads: '3'}\nstatistics: {margin: 1e-1, bootstrap: 1000.0}\n"
        "training: {classification: {epochs: 3.0, learning_rate: 1e-3}}"
    )
    assert (config.images.size, config.compute.threads) == (64, 3)
    assert (config.statistics.margin, config.statistics.bootstrap) == (0.1, 1000)
    settings = training_settings(
        {"a": config.training.defaults, "b": config.training.classification}
    )
    assert (settings.epochs, settings.learning_rate) == (3, 0.001)
    assert isinstance(settings.epochs, int)


def test_fractions_may_stand_unquoted_as_keys():
    """YAML reads ``50`` as a number; laid over config.yaml, it must replace the text "50"."""
    config = load(
        "subsets: {source: given, fractions: [50, 2.5], given: {50: half, 2.5: some}}\n"
        "table: {reported: {wbc: {resnet: {50: 1.5, 2.5: 3}}}}"
    )
    assert config.subsets.given == {**CONFIG["subsets"]["given"], "50": "half", "2.5": "some"}
    assert {*config.subsets.given} == {"50", "10", "1", "2.5"}
    reported = CONFIG["table"]["reported"]["wbc"]["resnet"]
    assert config.table.reported["wbc"]["resnet"] == {**reported, "50": 1.5, "2.5": 3}


def test_command_line_values_are_text():
    """Snakemake reads ``--config 'a={b: 3}'`` so that every value within is text."""
    given = yaml.load(
        "{training: {classification: {epochs: 3, flips: false, learning_rate: 0.1}},"
        " subsets: {fractions: [50]}, experiment: {replicates: [7]}, datasets: {prcc: {holdout: 0.5}},"
        " arms: {resnet: {masks: off, encoders: [{encoder: imagenet_resnet18, trained: []}]}}}",
        Loader=yaml.BaseLoader,
    )
    assert given["training"]["classification"]["epochs"] == "3"
    config = load_config(*laid_over(given))
    settings = training_settings(
        {"a": config.training.defaults, "b": config.training.classification}
    )
    assert (settings.epochs, settings.flips) == (3, False)
    assert settings.learning_rate == pytest.approx(0.1)
    assert config.subsets.fractions == [50]
    assert config.experiment.replicates == [7]
    assert config.datasets["prcc"].holdout == 0.5
    assert config.arms["resnet"].masks == "off"
    assert config.arms["resnet"].encoders[0].trained == []


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.BaseLoader])
def test_null_takes_away_what_config_yaml_says(loader):
    """In a file, and on the command line, where it is the text ``null``."""
    given = yaml.load(
        "datasets: {prcc: {holdout: null}, cam16: null, wbc: {masks: null, group_pattern: null,"
        " aliases: {Basophils: null}}}\n"
        "backbones: {imagenet_vgg16: null}\narms: {combinedNet: null}\n"
        "table: {reported: {wbc: {resnet: {'50': null}, combinedNet: null}}}\n"
        "subsets: {given: {'1': null}}",
        Loader=loader,
    )
    config = load_config(*laid_over(given))
    assert list(config.datasets) == ["wbc", "prcc"]
    assert config.datasets["prcc"].holdout is None
    target = config.datasets["wbc"]
    assert (target.masks, target.group_pattern) == (None, None)
    assert "Basophils" not in target.aliases
    assert "Eosinophils" in target.aliases
    assert "imagenet_vgg16" not in config.backbones
    assert "combinedNet" not in config.arms
    assert "combinedNet" not in config.table.reported["wbc"]
    assert set(config.table.reported["wbc"]["resnet"]) == {"100", "10", "1"}
    assert set(config.subsets.given) == {"50", "10"}


def test_an_overlay_takes_away_what_an_earlier_one_added():
    added = "datasets: {mine: {folder: a, holdout: 0.2}}"
    assert "mine" in load(added).datasets
    assert "mine" not in load(added, "datasets: {mine: null}").datasets


def test_classes_are_the_users_own_numbers_too():
    """Aliases of classes that are not in use are left alone."""
    config = load("datasets: {wbc: {classes: [0, 1.5, cell], aliases: {zero: 0, cells: cell}}}")
    target = config.datasets["wbc"]
    assert target.classes == ("0", "1.5", "cell")
    assert target.class_of("zero") == "0"
    assert target.class_of("cells") == "cell"
    assert target.class_of("Eosinophils") is None
    assert target.class_of("2") is None


def test_another_layout_replaces_the_default_one():
    """torchvision's ImageFolder layout, and a table, each by the keys of its own and nulls."""
    config = load("datasets: {wbc: {images: '{split}/{class}', masks: null, classes: [a, b]}}")
    assert config.datasets["wbc"].images == "{split}/{class}"
    config = load(
        "datasets: {wbc: {folder: null, images: null, masks: null, table: cells.csv, classes: [a, b]}}"
    )
    assert config.datasets["wbc"].table == "cells.csv"
    assert config.datasets["wbc"].has_test


def test_a_source_may_be_the_target():
    config = load("target: cam16")
    assert config.target == "cam16"


def test_external_sets_have_the_targets_classes_and_its_aliases_or_their_own():
    config = load(
        "external: {TestA: {folder: a}, TestB: {folder: b, images: 'x/{class}', aliases: {Neut: Neutrophil}}}"
    )
    target = config.datasets["wbc"]
    first, second = (external_layout(config, config.external[name]) for name in ("TestA", "TestB"))
    assert (first.folder, first.images, first.splits) == ("a", "{class}", {})
    assert first.classes == second.classes == target.classes
    assert first.aliases == target.aliases
    assert second.images == "x/{class}"
    assert second.aliases == {"Neut": "Neutrophil"}


def test_given_subsets_need_a_folder_for_every_fraction_but_100():
    assert load("subsets: {source: given, fractions: [100, 50, 10, 1]}").subsets.source == "given"
    assert "fraction 2.5" in complaint("subsets: {source: given, fractions: [2.5]}", load)


def test_numbers_per_class_may_stand_alone():
    assert load("subsets: {fractions: [], per_class: [5, 1]}").subsets.per_class == [5, 1]


def test_given_subsets_are_in_per_cent():
    text = "subsets: {source: given, fractions: [50], per_class: [5]}"
    check_complaint(text, ["subsets.per_class", "is [5]", "in per cent", "source to drawn"], load)


def test_did_you_mean():
    assert did_you_mean("epoch", ["epochs", "flips"]) == "did you mean 'epochs'?"
    assert did_you_mean("zzz", ["epochs", "flips"]) == "known: epochs, flips"
    assert did_you_mean("zzz", []) == "known: none"
