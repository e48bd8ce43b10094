"""What the classes of the ways of pretraining tell the rules: words of the command line, starts, networks."""

import importlib
import json

import pytest
import yaml
from builders import REPOSITORY

from fewlabels.core.errors import UserError
from fewlabels.pretraining.settings import (
    METHODS,
    Autoencoder,
    Cluster,
    Contrastive,
    Extract,
    MaskedImages,
    MultiSource,
    Supervised,
)
from fewlabels.workflow.configuration import load_config
from fewlabels.workflow.experiment import plan_experiment

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))

SUPERVISED = {"method": "supervised", "dataset": "cells", "start": "net", "trained": ["layer4"]}
AUTOENCODER = {"method": "autoencoder", "dataset": "cells", "channels": [4, 8], "latent_size": 6}
EXTRACT = {"method": "extract", "dataset": "cells", "start": "net", "node": "classifier.4"}
ON_TWO = {"datasets": ["cells", "kidney"], "start": "net", "trained": "all"}
CLUSTER = {"method": "cluster", "features": "f", "pca_dimensions": 5, "clusters": 3, "seed": 7}


def test_every_method_has_a_class_and_a_module():
    assert {
        "supervised": Supervised,
        "autoencoder": Autoencoder,
        "extract": Extract,
        "cluster": Cluster,
        "contrastive": Contrastive,
        "masked_images": MaskedImages,
        "multi_source": MultiSource,
    } == METHODS
    for method, section in METHODS.items():
        module = importlib.import_module(f"fewlabels.pretraining.{method}")
        assert callable(module.add_arguments) and callable(module.run)
        assert set(section.starts) <= set(section.model_fields)
        assert section.gives in ("encoder", "features", "labels")


def test_own_keys_become_words_of_the_command_line():
    assert Autoencoder(**AUTOENCODER).options() == [
        *("--channels", 4, 8),
        "--latent-size=6",
    ]
    assert Extract(**EXTRACT).options() == ["--node=classifier.4"]
    assert Cluster(**CLUSTER).options() == [
        *("--pca-dimensions=5", "--clusters=3"),
        "--seed=7",
    ]


def test_lists_and_shares_of_methods_on_several_sets_become_words():
    start = json.dumps({"batch_norm": "trained", "encoder": "net", "trained": "all"})
    common = ["--encoder", start, "--held-out=0.1", "--datasets", "cells", "kidney"]
    assert MaskedImages(method="masked_images", **ON_TWO, patch_size=8).options() == [
        *common,
        *("--patch-size=8", "--mask-share=0.6"),
    ]
    assert MultiSource(method="multi_source", **ON_TWO, labels="clusters").options() == common
    words = Contrastive(method="contrastive", **ON_TWO, temperature=0.5).options()
    assert words[:6] == common
    assert words[6] == "--temperature=0.5"


def test_the_data_sets_of_a_pretraining():
    assert MultiSource(method="multi_source", **ON_TWO).own_datasets() == ["cells", "kidney"]
    assert Supervised(**SUPERVISED).own_datasets() == ["cells"]
    assert Cluster(**CLUSTER).own_datasets() == []


def test_a_supervised_start_is_one_word():
    entry = Supervised(**SUPERVISED, masks="append", batch_norm="frozen")
    flag, use, encoder, text = entry.options()
    assert (flag, use, encoder) == ("--mask-use", "append", "--encoder")
    assert json.loads(text) == {"encoder": "net", "trained": ["layer4"], "batch_norm": "frozen"}


def test_what_an_encoder_is_built_of():
    own = Autoencoder(**AUTOENCODER).architecture()
    assert own == {"model": "autoencoder", "channels": [4, 8], "latent_size": 6}
    assert Supervised(**SUPERVISED).architecture() is None


def test_clusters_run_no_network():
    running = {method for method, section in METHODS.items() if section.runs_network}
    assert METHODS.keys() - running == {"cluster"}
    assert {method for method, section in METHODS.items() if section.tested} == {
        "supervised",
        "autoencoder",
    }


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ("resnet_cam16", "gives encoder: it must be a backbone"),
        ("imagenet_vgg", "did you mean 'imagenet_vgg16'?"),
    ],
)
def test_features_are_extracted_from_a_backbone(start, line):
    """Their script reads the files of fetch_weights alone: told before anything is trained."""
    overlay = {"pretraining": {"prcc_feature": {"start": start}}}
    with pytest.raises(UserError) as caught:
        plan_experiment(load_config(CONFIG, overlay))
    assert str(caught.value).startswith("config: key 'pretraining.prcc_feature.start' names")
    assert str(caught.value).endswith(line)
