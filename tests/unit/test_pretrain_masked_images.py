"""SimMIM: which pixels are taken out, that the loss is of these alone, what is written."""

import json

import pytest
import torch
from builders import CLASSES, SIDE, call, failure
from source_sets import RESULTS, options_of, write_source

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.pretraining import masked_images
from fewlabels.pretraining.masked_images import MaskedImageModel, draw_masks, masked_error


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def options(tmp_path):
    sets = {
        "cells": write_source(tmp_path, "cells", 4),
        "target": write_source(tmp_path, "target", 6, labelled=False),
    }
    out = tmp_path / "out"
    return options_of(sets, {"cells": CLASSES}, out, patch_size=8, mask_share=0.5)


def run(options: dict[str, object], **changes: object) -> None:
    assert call("pretrain", "masked_images", **options | changes) == 0


@pytest.mark.parametrize(
    ("share", "patches"), [(0.5, 8), (0.6, 10), (0.001, 1), (0.999, 15), (0.25, 4)]
)
def test_every_image_loses_the_same_number_of_patches(share, patches):
    masks = draw_masks(50, 32, 8, share, generator())
    assert masks.shape == (50, 1, 32, 32) and masks.dtype == torch.bool
    assert (masks.sum((1, 2, 3)) == patches * 64).all()
    # Whole patches of the grid.
    grid = masks.view(50, 4, 8, 4, 8)
    assert torch.equal(grid.any(4).any(2), grid.all(4).all(2))


def test_patches_are_drawn_evenly_and_anew_for_each_image():
    masks = draw_masks(400, 16, 8, 0.5, generator())[:, 0, ::8, ::8]
    often = masks.float().mean(0)
    assert (often - 0.5).abs().max() < 0.1
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 6


def test_the_error_is_of_the_masked_pixels_alone():
    targets = torch.zeros(2, 3, 4, 4)
    masks = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    masks[0, 0, 0, 0] = masks[1, 0, 3, 3] = True
    outputs = torch.full((2, 3, 4, 4), 100.0)
    outputs[0, :, 0, 0] = torch.tensor([1.0, -2.0, 3.0])
    outputs[1, :, 3, 3] = torch.tensor([0.0, 0.0, -6.0])
    assert masked_error(outputs, targets, masks).item() == pytest.approx((2 + 2) / 2)


def test_the_network_does_not_see_what_it_is_asked_for(options, monkeypatch):
    """Its inputs are 0 where pixels are masked, and the images elsewhere."""
    seen = []
    really = MaskedImageModel.forward

    def watched(self, images):
        seen.append(images)
        return really(self, images)

    asked = []

    def error(outputs, targets, masks):
        asked.append((targets, masks))
        return masked_error(outputs, targets, masks)

    monkeypatch.setattr(MaskedImageModel, "forward", watched)
    monkeypatch.setattr(masked_images, "masked_error", error)
    run(options)
    assert len(seen) == len(asked) == 2 * (3 + 1)
    for inputs, (targets, masks) in zip(seen, asked, strict=True):
        assert (masks.float().mean((1, 2, 3)) == 0.5).all()
        assert torch.equal(inputs, targets * ~masks)
        assert targets.abs().amin((1, 2, 3)).max() < targets.abs().amax()


def test_outputs_lie_where_their_places_lie():
    """A place of the map tells the pixels of its own square and no others."""
    torch.manual_seed(0)
    model = MaskedImageModel(ConvolutionalEncoder([4, 8], 6, 16), 16)
    maps = torch.zeros(1, 8, 4, 4)
    maps[0, :, 1, 2] = 1
    changed = model.decoder(maps) != model.decoder(torch.zeros(1, 8, 4, 4))
    rows, columns = changed[0].any(0).any(1), changed[0].any(0).any(0)
    assert rows.nonzero().flatten().tolist() == [4, 5, 6, 7]
    assert columns.nonzero().flatten().tolist() == [8, 9, 10, 11]


def test_a_run(options, tmp_path):
    run(options, training=options["training"] | {"epochs": 20})
    history = read_csv(tmp_path / "out/history.csv")
    assert list(history[0]) == ["epoch", "steps", "train_loss", "held_out_loss", "probe_cells"]
    for kind in ("train_loss", "held_out_loss"):
        assert float(history[-1][kind]) < 0.8 * float(history[0][kind])
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert (record["training_images"], record["epochs"]) == (22, 20)
    before, after = (
        load_encoder(path, SIDE)[0].state_dict()
        for path in (options["start"], tmp_path / "out/checkpoint.pt")
    )
    assert not torch.equal(before["conv1.0.weight"], after["conv1.0.weight"])
    # The layer behind the map took no part.
    assert torch.equal(before["latent.weight"], after["latent.weight"])


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (3, 3, 4):
        run(options, seed=seed, training=options["training"] | {"epochs": 1})
        contents.append([(tmp_path / "out" / name).read_bytes() for name in RESULTS[:2]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.mark.parametrize("size", [32, 5])
def test_patches_that_do_not_part_the_images_are_one_line(options, capsys, size):
    line = failure(capsys, "pretrain", "masked_images", **options | {"patch_size": size})
    assert f"--patch-size is {size}: images of 32 pixels" in line


def test_a_map_that_does_not_part_the_images_is_one_line():
    """ResNet-18's last map of an image of 80 pixels has 3 places a side."""
    with pytest.raises(UserError, match="has 3 places a side, into which images of 80 pixels"):
        MaskedImageModel(Backbone("torchvision/resnet18", 80), 80)
