"""The network of masks: its shapes, what it learns in a few steps, and that it learns the same again."""

import numpy as np
import pytest
import torch
from image_sets import CPU

from fewlabels.core.errors import UserError
from fewlabels.core.mask_settings import MaskNetwork
from fewlabels.networks.checkpoints import save_checkpoint
from fewlabels.networks.unet import UNet
from fewlabels.training.segmentation import (
    draw_view,
    load_unet,
    mask_loss,
    order_of_pairs,
    predict_masks,
    reduce,
    save_unet,
    train_unet,
)

SETTINGS = MaskNetwork(width=8, size=32, steps=20, batch_size=2, learning_rate=0.01)


@pytest.fixture(scope="module")
def discs():
    """Four dark images with a bright disc each, uint8 (4, 32, 32, 3), and the discs, bool (4, 32, 32)."""
    rows, columns = np.mgrid[:32, :32]
    centres = [(12, 12), (20, 14), (16, 20), (14, 17)]
    masks = np.stack([(rows - y) ** 2 + (columns - x) ** 2 < 64 for y, x in centres])
    return np.where(masks[..., None], 200, 40).astype(np.uint8).repeat(3, axis=3), masks


@pytest.fixture(scope="module")
def learnt(discs):
    return train_unet(*discs, SETTINGS, CPU, seed=1)


def test_logits_have_the_size_of_the_images_and_widths_double():
    model = UNet(8)
    assert model(torch.rand(2, 3, 48, 48)).shape == (2, 48, 48)
    assert [block[0].out_channels for block in model.down] == [8, 16, 32, 64, 128]
    assert [block[0].in_channels for block in model.up] == [128, 64, 32, 16]


def test_it_learns_bright_discs_in_a_few_steps(learnt, discs):
    images, masks = discs
    moved = np.roll(images, 3, axis=2)
    found = np.concatenate(list(predict_masks(learnt, moved, 32, CPU)))
    assert found.dtype == bool
    assert (found == np.roll(masks, 3, axis=2)).mean() > 0.95


def test_the_same_seed_gives_the_same_weights_and_another_others(discs):
    short = SETTINGS.model_copy(update={"steps": 2})
    first, again, other = (train_unet(*discs, short, CPU, seed=seed) for seed in (1, 1, 2))
    pairs = list(zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert all(torch.equal(one, two) for one, two in pairs)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_it_is_read_from_its_file_alone(learnt, discs, tmp_path):
    save_unet(tmp_path / "unet.pt", learnt, SETTINGS, 32)
    again, settings = load_unet(tmp_path / "unet.pt")
    assert settings == SETTINGS
    expected = next(predict_masks(learnt, discs[0], 32, CPU))
    np.testing.assert_array_equal(next(predict_masks(again, discs[0], 32, CPU)), expected)


def test_another_checkpoint_is_refused(tmp_path):
    save_checkpoint(tmp_path / "other.pt", {}, {"model": "autoencoder"})
    with pytest.raises(UserError, match=r"other\.pt is no network of masks: give"):
        load_unet(tmp_path / "other.pt")


def test_a_loss_that_is_not_finite_is_told(discs):
    wild = SETTINGS.model_copy(update={"learning_rate": 1e30, "steps": 3})
    told = r"is nan, first in step [23] with the images row \d, .*: lower masks\.predicted\.learning_rate"
    with pytest.raises(UserError, match=told):
        train_unet(*discs, wild, CPU, seed=1)


def test_it_works_at_its_own_size_and_masks_have_the_images(discs):
    images, masks = discs
    assert reduce(images, 64, CPU.device).shape == (4, 3, 32, 32)
    small = reduce(masks, 16, CPU.device)
    assert small.shape == (4, 1, 16, 16)
    assert small.mean().item() == pytest.approx(masks.mean(), abs=0.01)
    seen = []
    model = UNet(8)
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    (found,) = predict_masks(model, images, 16, CPU)
    assert seen == [16]
    assert found.shape == (4, 32, 32)


def test_a_view_moves_image_and_mask_alike_and_colours_the_image_alone():
    mask = torch.zeros(6, 1, 32, 32)
    mask[:, :, 8:20, 10:16] = 1
    pairs = torch.cat([mask.expand(-1, 3, -1, -1) * 0.5, mask], 1)
    images, masks = draw_view(pairs, torch.Generator().manual_seed(0))
    gains = images.amax((2, 3)) / 0.5
    assert (gains > 0.79).all() and (gains < 1.21).all() and gains.std() > 0.02
    torch.testing.assert_close(
        images, 0.5 * gains[..., None, None] * masks[:, None], atol=1e-5, rtol=0
    )
    assert not torch.equal(masks, mask[:, 0])


def test_the_loss_by_hand():
    masks = torch.tensor([[[1.0, 0.0]]])
    # Cross entropy ln 2; Dice (2 x 0.5 + 1) / (1 + 1 + 1).
    expected = np.log(2) + 1 - 2 / 3
    assert mask_loss(torch.zeros(1, 1, 2), masks).item() == pytest.approx(expected)


def test_every_image_comes_as_often_as_any_other():
    order = order_of_pairs(3, 7, torch.Generator().manual_seed(0))
    assert len(order) == 7
    assert sorted(order[:3].tolist()) == sorted(order[3:6].tolist()) == [0, 1, 2]
