"""Views for contrastive learning: crops, colours and blur, each by a case with a known answer."""

import json

import pytest
import torch
from builders import TRAINING
from torch.nn import functional

from fewlabels.core.settings import TrainingSettings
from fewlabels.training.contrastive_views import (
    ASPECT,
    ViewSettings,
    blurred,
    contrastive_view,
    resized_crops,
)

SIZE = 32
WIDE = 2
PLAIN = ViewSettings(crop=1, colour=0, grey=0, blur=0)
AS_IT_IS = TrainingSettings.from_json(json.dumps(TRAINING | {"flips": False, "rotation": "none"}))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randint(256, (40, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(9))


def ramps(count: int) -> torch.Tensor:
    """Images whose first channel is the place from left to right, the second from top to bottom, 0 ... 1."""
    places = (torch.arange(SIZE) + 0.5) / SIZE
    across = places.expand(SIZE, SIZE)
    return torch.stack([across, across.T, torch.zeros_like(across)]).repeat(count, 1, 1, 1)


def view(pixels, seed: int = 0, **changes) -> torch.Tensor:
    views = ViewSettings(**{**vars(PLAIN), **changes})
    return contrastive_view(pixels, views, AS_IT_IS, generator(seed))


def test_crops_are_rectangles_of_the_image_of_the_asked_share():
    """On a ramp, the values' span tells what was cut out."""
    crops = resized_crops(ramps(400), 0.2, generator())
    spans = []
    for channel in (0, 1):
        values = crops[:, channel].flatten(1)
        assert values.min() >= 0 and values.max() <= 1
        # Between the middles of the outer pixels.
        spans.append((values.amax(1) - values.amin(1)) * SIZE / (SIZE - 1))
    width, height = spans
    area, aspect = width * height, width / height
    assert area.min() > 0.17 and area.min() < 0.25 and area.max() > 0.9 and area.max() <= 1.01
    assert aspect.min() > 1 / ASPECT - 0.02 and aspect.max() < ASPECT + 0.02
    # Everywhere in the image.
    left = crops[:, 0].flatten(1).amin(1)
    assert left.min() < 0.03 and left.max() > 0.4
    # Only columns change from left to right, and they rise evenly.
    steps = crops[:, 0].diff(dim=2)[:, :, 2:-2]
    assert (steps.amax((1, 2)) - steps.amin((1, 2))).max() < 1e-4


def test_nothing_asked_for_changes_nothing_but_a_cut_of_the_longer_side(pixels):
    """A crop of the whole area is of another aspect, and as high or as wide as the image."""
    crops = resized_crops(ramps(50), 1, generator())
    for channel in (0, 1):
        values = crops[:, channel].flatten(1)
        assert (values.amax(1) - values.amin(1)).min() > (1 / ASPECT) ** 0.5 - 0.05
    turned = view(pixels[:1].repeat(6, 1, 1, 1) * 0 + 77)
    assert torch.allclose(turned, torch.tensor(77 / 255))


def test_grey_views_have_three_equal_channels(pixels):
    def greys(share: float) -> int:
        found = view(pixels, grey=share)
        return int((found - found[:, :1]).abs().flatten(1).amax(1).lt(1e-6).sum())

    assert greys(0) == 0
    assert greys(1) == len(pixels)
    assert 8 < greys(0.5) < 32


def test_a_blur_keeps_the_mean_and_loses_detail(pixels):
    images = pixels.float() / 255
    soft = blurred(images, generator(1))
    assert soft.shape == images.shape
    assert torch.allclose(soft.mean((2, 3)), images.mean((2, 3)), atol=0.02)
    assert soft.std() < images.std()
    flat = torch.full((2, 3, SIZE, SIZE), 0.3)
    assert torch.allclose(blurred(flat, generator()), flat, atol=1e-5)


def test_the_asked_share_is_blurred(pixels):
    # A seed that draws a wide blur.
    def roughness(share: float) -> torch.Tensor:
        return view(pixels, seed=WIDE, blur=share).diff(dim=3).abs().flatten(1).mean(1)

    sharp, all_soft, some = roughness(0), roughness(1), roughness(0.5)
    assert (all_soft < sharp).all()
    equal = torch.isclose(some, sharp)
    assert 8 < int(equal.sum()) < 32
    assert torch.allclose(some[~equal], all_soft[~equal])


def test_colours_change_each_image_by_itself_and_stay_within_bounds(pixels):
    changed = view(pixels, colour=0.5)
    plain = view(pixels)
    assert changed.min() >= 0 and changed.max() <= 1
    ratios = changed.mean((1, 2, 3)) / plain.mean((1, 2, 3))
    assert ratios.min() < 0.8 and ratios.max() > 1.15


def test_flips_and_turns_are_those_of_the_training(pixels):
    settings = AS_IT_IS.model_copy(update={"flips": True})
    ramp = (ramps(40) * 255).byte()
    views = contrastive_view(ramp, PLAIN, settings, generator())
    # The ramp runs from right to left in about half of the views.
    falling = (views[:, 0, 0, 0] > views[:, 0, 0, -1]).sum()
    assert 10 < int(falling) < 30
    steady = contrastive_view(ramp, PLAIN, AS_IT_IS, generator())
    assert (steady[:, 0, 0, 0] < steady[:, 0, 0, -1]).all()


def test_equal_generators_draw_equal_views(pixels):
    views = ViewSettings(0.2, 0.4, 0.2, 0.5)
    one, same, other = (
        contrastive_view(pixels, views, AS_IT_IS, generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert functional.mse_loss(one[0], one[1]) > 0
