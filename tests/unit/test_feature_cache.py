"""Files of activations: what is read is what was written, by picture and view."""

import pytest
import torch

from fewlabels.core.errors import UserError
from fewlabels.training import feature_cache
from fewlabels.training.feature_cache import (
    ActivationHeader,
    activations_for,
    open_activations,
    write_activations,
)

CPU = torch.device("cpu")
TRAINED = ActivationHeader(
    "e", "layer3.1", "float32", [("a", "plain", [0, 5]), ("b", "plain", [0, 5])]
)
TESTED = ActivationHeader(
    "e", "layer3.1", "float32", [("b", "masked", [0, 5]), ("c", "plain", [0])]
)
SHAPE = (2, 2, 3)  # height, width, channels


def written(folder, name, header, first):
    """A file whose rows hold their own numbers, from ``first`` on."""
    count = sum(len(views) for _, _, views in header.pictures)
    values = torch.arange(first, first + count).float()[:, None, None, None].expand(-1, *SHAPE)
    values = values.to(getattr(torch, header.dtype)).contiguous()
    # In two batches of unequal size.
    assert write_activations(
        folder / f"{name}.npy", header, SHAPE, iter([values[:1], values[1:]]), None
    )
    return open_activations(folder / f"{name}.npy")


@pytest.fixture
def files(tmp_path):
    return [written(tmp_path, "train", TRAINED, 0), written(tmp_path, "test", TESTED, 10)]


def numbers(found: torch.Tensor) -> list[float]:
    return found.flatten(1).mean(1).tolist()


def test_batches_of_pictures_and_views_from_several_files(files):
    pictures = [("b", "plain"), ("b", "masked"), ("a", "plain")]
    found = activations_for(pictures, "e", "layer3.1", [0, 5], files, CPU)
    rows, views = torch.tensor([2, 0, 1, 1]), torch.tensor([5, 0, 5, 0])
    batch = found.take(rows, views)
    assert numbers(batch) == [1, 2, 11, 10]
    assert batch.shape == (4, 3, 2, 2)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert numbers(found.take(torch.tensor([0, 1]), None)) == [2, 10]


def test_features_of_a_frozen_encoder_stay_flat(tmp_path):
    header = ActivationHeader("e", "latent", "float32", [("a", "plain", [0])])
    write_activations(tmp_path / "x.npy", header, (4,), iter([torch.ones(1, 4)]), None)
    file = open_activations(tmp_path / "x.npy")
    found = activations_for([("a", "plain")], "e", "latent", [0], [file], CPU)
    assert torch.equal(found.take(torch.tensor([0]), None), torch.ones(1, 4))


def test_bfloat16_keeps_its_bits(tmp_path):
    header = ActivationHeader("e", "latent", "bfloat16", [("a", "plain", [0])])
    values = torch.tensor([[1 / 3, -2.5, 1e30]]).bfloat16()
    write_activations(tmp_path / "x.npy", header, (3,), iter([values]), None)
    read = open_activations(tmp_path / "x.npy").values
    assert read.dtype == torch.bfloat16
    assert torch.equal(read, values)


@pytest.mark.parametrize(
    ("pictures", "encoder", "block", "views"),
    [
        ([("d", "plain")], "e", "layer3.1", [0]),  # an image that no file has
        ([("a", "masked")], "e", "layer3.1", [0]),  # a picture of it
        ([("c", "plain")], "e", "layer3.1", [0, 5]),  # a view of it
        ([("a", "plain")], "f", "layer3.1", [0]),
        ([("a", "plain")], "e", "layer2.1", [0]),
    ],
)
def test_all_or_nothing(files, pictures, encoder, block, views):
    assert activations_for(pictures, encoder, block, views, files, CPU) is None
    assert activations_for([("a", "plain")], "e", "layer3.1", [0, 5], files, CPU) is not None


def test_over_the_budget_nothing_is_computed(tmp_path):
    def never():
        raise AssertionError("computed")
        yield

    size = 4 * 2 * 2 * 3 * 4  # rows, height, width, channels, bytes
    assert not write_activations(tmp_path / "x.npy", TRAINED, SHAPE, never(), size - 1)
    file = open_activations(tmp_path / "x.npy")
    assert len(file.values) == 0
    assert activations_for([("a", "plain")], "e", "layer3.1", [0], [file], CPU) is None
    batches = iter([torch.zeros(4, *SHAPE)])
    assert write_activations(tmp_path / "x.npy", TRAINED, SHAPE, batches, size)


def test_too_little_room_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(
        feature_cache.shutil, "disk_usage", lambda _: type("Disk", (), {"free": 10})
    )
    with pytest.raises(UserError, match=r"make room, or set compute\.feature_cache to off"):
        write_activations(tmp_path / "x.npy", TRAINED, SHAPE, iter(()), None)
    assert list(tmp_path.iterdir()) == []


def test_an_array_of_another_header_is_refused(tmp_path, files):
    (tmp_path / "train.json").write_text((tmp_path / "test.json").read_text())
    with pytest.raises(UserError, match=r"train\.npy and its \.json differ"):
        open_activations(tmp_path / "train.npy")
