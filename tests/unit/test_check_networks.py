"""The check of networks before training: a record of each, or one line about the first wrong name."""

import json

import pytest
from builders import call

from fewlabels.core.files import read_csv
from fewlabels.core.verdict import read_verdict


def architecture(model: str) -> dict:
    return {"model": model, "image_size": 64}


AUTOENCODER = {"model": "autoencoder", "channels": [4, 8], "latent_size": 6, "image_size": 64}
RESNET = architecture("torchvision/resnet18")


def entry(model: dict, **more) -> dict:
    return {"key": "arms.resnet.encoders.0", "name": "mine", "architecture": model, **more}


def check(tmp_path, *entries) -> int:
    files = {"output": tmp_path / "check.csv", "verdict": tmp_path / "verdict.txt"}
    return call("check_networks", networks=json.dumps(entries), **files)


def test_every_network_has_its_row(tmp_path, capsys):
    code = check(
        tmp_path,
        entry(RESNET, trained=["layer4"]),
        entry(RESNET, trained="all"),
        entry(AUTOENCODER, trained=[]),
        entry(architecture("timm/test_vit"), trained=["norm"]),
        {"key": "pretraining.a", "architecture": RESNET, "node": "avgpool"},
    )
    assert code == 0
    assert read_verdict(tmp_path / "verdict.txt") is None
    rows = read_csv(tmp_path / "check.csv")
    assert [(row["model"], row["cut"]) for row in rows] == [
        ("torchvision/resnet18", "layer3.1"),
        ("torchvision/resnet18", ""),
        ("autoencoder", "latent"),
        ("timm/test_vit", ""),
        ("torchvision/resnet18", ""),
    ]
    assert [row["blocks"] for row in rows[:1] + rows[2:]] == [
        "layer4.0 layer4.1",
        "",
        "norm",
        "avgpool",
    ]
    log = capsys.readouterr().err
    assert "open layer4.0, layer4.1; frozen conv1, bn1, layer1.0" in log
    assert "activations are kept behind layer3.1" in log
    assert "activations are not kept: the first block is open" in log
    assert "activations are not kept: the network can't be cut" in log


@pytest.mark.parametrize(
    "model",
    [
        "torchvision/vgg16",
        "torchvision/efficientnet_b0",
        "torchvision/vit_b_16",
        "torchvision/swin_t",
        "torchvision/convnext_tiny",
        "timm/tf_efficientnet_lite0",
        "timm/swin_tiny_patch4_window7_224",
        "timm/vit_tiny_patch16_224",
        "timm/convnext_atto",
    ],
)
def test_no_weights_are_needed(tmp_path, model):
    """Large networks are checked without memory for them."""
    assert check(tmp_path, entry(architecture(model), trained=[])) == 0
    (row,) = read_csv(tmp_path / "check.csv")
    assert row["cut"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (entry(RESNET, trained=["layer5"]), "unknown block 'layer5': did you mean 'layer"),
        (entry(AUTOENCODER, trained=["conv9"]), "unknown block 'conv9': did you mean 'conv"),
        (
            entry(architecture("torchvision/resnet81"), trained=[]),
            "did you mean 'torchvision/resnet18'?",
        ),
        (entry(architecture("timm/test_vitt"), trained=[]), "did you mean 'timm/test_vit"),
        (
            entry(architecture("torchvision/vgg16"), node="clasifier.4"),
            "did you mean 'classifier.4'",
        ),
        (entry(architecture("timm/resnet81"), node="fc"), "unknown model 'timm/resnet81'"),
        (entry(AUTOENCODER, node="latent"), "an autoencoder has no nodes"),
    ],
)
def test_a_wrong_name_stops_with_one_line_and_its_key(tmp_path, wrong, told):
    assert check(tmp_path, entry(RESNET, trained=[]), wrong) == 0
    line = read_verdict(tmp_path / "verdict.txt")
    assert line is not None and "key 'arms.resnet.encoders.0'" in line
    assert told in line
    assert len(read_csv(tmp_path / "check.csv")) == 1
