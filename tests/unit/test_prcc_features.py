"""VGG16 features of every image, here of a small network built like VGG16."""

import numpy as np
import prcc_features
import pytest
import torch
from builders import ON_CPU, call, failure
from torch import nn

from fewlabels.core.files import read_csv
from fewlabels.networks import encoders as networks
from fewlabels.training.augmentation import normalise


class Small(nn.Module):
    """VGG16's parts with eight features in place of 4096."""

    def __init__(self, weights=None, init_weights=True):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            *(nn.Linear(16, 8), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(8, 8), nn.ReLU(), nn.Dropout()),
            nn.Linear(8, 5),
        )


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(networks, "vgg16", Small)
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture
def options(network, prcc_data, tmp_path):
    torch.save(network.state_dict(), tmp_path / "vgg16.pth")
    return {
        **prcc_data,
        "weights": tmp_path / "vgg16.pth",
        "features": tmp_path / "features.csv",
        "record": tmp_path / "record.json",
        **ON_CPU,
    }


@pytest.mark.parametrize(("layer", "last"), [(1, 2), (2, 5)])
def test_features_of_every_image_in_order(network, options, prcc_data, monkeypatch, layer, last):
    monkeypatch.setattr(prcc_features, "BATCH", 8)  # 20 images: batches of 8, 8, 4
    assert call("prcc_features", **options, layer=layer) == 0
    rows = read_csv(options["features"])
    assert list(rows[0]) == ["id", *(f"f{n}" for n in range(8))]
    assert [row["id"] for row in rows] == [row["id"] for row in read_csv(prcc_data["ids"])]
    found = np.array([[float(row[f"f{n}"]) for n in range(8)] for row in rows])
    pixels = torch.from_numpy(np.load(prcc_data["images"])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        values = network.avgpool(network.features(normalise(pixels / 255))).flatten(1)
        expected = network.classifier[:last](values)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found.min() >= 0
    assert len(np.unique(found.round(5), axis=0)) == 20


def test_equal_runs_give_equal_files(options):
    assert call("prcc_features", **options) == 0
    before = options["features"].read_bytes()
    assert call("prcc_features", **options) == 0
    assert options["features"].read_bytes() == before


def test_missing_weights_are_one_line(options, tmp_path, capsys):
    line = failure(capsys, "prcc_features", **options | {"weights": tmp_path / "nowhere.pth"})
    assert "nowhere.pth does not exist" in line
    assert not options["features"].exists()
