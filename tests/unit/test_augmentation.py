"""Views of an image: exact where they can be, drawn by a generator, with nothing added."""

import json
import math

import pytest
import torch
from builders import TRAINING
from torchvision.transforms.v2 import functional as v2

from fewlabels.core.settings import TrainingSettings
from fewlabels.training.augmentation import (
    VIEWS,
    apply_views,
    augment,
    draw_views,
    jitter_colours,
    possible_views,
    predicted_views,
    rotate_any,
)

SETTINGS = TrainingSettings.from_json(json.dumps(TRAINING))

#: An image without any symmetry.
IMAGE = torch.arange(3 * 4 * 4, dtype=torch.uint8).reshape(3, 4, 4) * 5
QUARTERS = [torch.rot90(IMAGE, turns, (1, 2)) for turns in range(4)]
DIHEDRAL = [*QUARTERS, *(view.flip(2) for view in QUARTERS)]
FLIPS = [IMAGE, IMAGE.flip(1), IMAGE.flip(2), IMAGE.flip(1).flip(2)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chosen(**changes) -> TrainingSettings:
    return SETTINGS.model_copy(update=changes)


def batch(count: int) -> torch.Tensor:
    return IMAGE.expand(count, 3, 4, 4)


def times_of(views: torch.Tensor, known: list[torch.Tensor]) -> list[int]:
    """How often each known view occurs; every view must be one of them, exactly."""
    times = [sum(torch.equal(view, one) for view in views) for one in known]
    assert sum(times) == len(views)
    return times


def drawer(flips: bool, rotation: str):
    def draw(images: torch.Tensor, drawn: torch.Generator) -> torch.Tensor:
        return apply_views(images, draw_views(len(images), flips, rotation, drawn))

    return draw


flip = drawer(True, "none")
rotate_right_angles = drawer(False, "right_angles")
both = drawer(True, "right_angles")


@pytest.mark.parametrize("view", range(VIEWS))
def test_a_view_is_a_flip_and_then_quarter_turns(view):
    expected = IMAGE.flip(2) if view >= 4 else IMAGE
    expected = torch.rot90(expected, view % 4, (1, 2))
    assert torch.equal(apply_views(batch(1), torch.tensor([view]))[0], expected)


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("rotation", ["none", "right_angles"])
def test_possible_views_are_those_that_are_drawn(flips, rotation):
    drawn = draw_views(500, flips, rotation, generator())
    exact = {"flips": flips, "rotation": rotation}
    possible = possible_views(chosen(**exact))
    assert sorted(set(drawn.tolist())) == possible
    assert predicted_views(chosen(**exact, test_views="all")) == possible
    assert predicted_views(chosen(**exact)) == [0]
    assert possible_views(chosen(**exact | {"rotation": "any"})) is None
    assert possible_views(chosen(**exact, colour_jitter=0.1)) is None


@pytest.mark.parametrize(
    ("action", "views"), [(flip, FLIPS), (rotate_right_angles, QUARTERS), (both, DIHEDRAL)]
)
def test_views_are_exact_and_equally_frequent(action, views):
    drawn = action(batch(800), generator())
    assert drawn.dtype == torch.uint8
    expected = 800 / len(views)
    # At most 5 standard deviations away.
    assert all(abs(n - expected) < 5 * math.sqrt(expected) for n in times_of(drawn, views))


def test_flips_and_right_angles_keep_every_pixel():
    drawn = augment(batch(50), chosen(flips=True, rotation="right_angles"), generator())
    expected = (IMAGE.float() / 255).flatten(1).sort(1).values
    for view in drawn:
        assert torch.equal(view.flatten(1).sort(1).values, expected)


def test_images_of_one_batch_are_drawn_apart():
    images = torch.stack([IMAGE, IMAGE.flip(0)]).repeat(20, 1, 1, 1)
    views = flip(images, generator())
    for image, view in zip(images, views, strict=True):
        assert torch.equal(image.sum((1, 2), dtype=int), view.sum((1, 2), dtype=int))


@pytest.mark.parametrize("rotation", ["none", "right_angles", "any"])
def test_a_generator_fixes_the_views(rotation):
    one, same, other = (
        augment(batch(30), chosen(flips=True, rotation=rotation), generator(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_without_augmentation_pixels_are_scaled_only():
    images = augment(batch(3), chosen(flips=False, rotation="none"), generator())
    assert images.dtype == torch.float32
    assert torch.equal(images, batch(3).float() / 255)


@pytest.mark.parametrize(
    ("flips", "rotation", "views"), [(True, "none", FLIPS), (False, "right_angles", QUARTERS)]
)
def test_settings_choose_the_views(flips, rotation, views):
    drawn = augment(batch(100), chosen(flips=flips, rotation=rotation), generator())
    assert min(times_of(drawn, [view.float() / 255 for view in views])) > 0


@pytest.mark.parametrize(("share", "turns"), [(0.0, 0), (0.25, 1), (0.5, 2), (0.75, 3)])
def test_rotation_by_quarters_of_the_circle_is_exact(monkeypatch, share, turns):
    monkeypatch.setattr(torch, "rand", lambda count, generator: torch.full((count,), share))
    image = IMAGE[None].float() / 255
    views = {direction: torch.rot90(image, direction * turns, (-2, -1)) for direction in (1, -1)}
    rotated = rotate_any(image, generator())
    assert any(torch.allclose(rotated, view, atol=1e-5) for view in views.values())


def test_rotation_by_any_angle_keeps_shape_and_range():
    images = torch.rand(40, 3, 9, 9, generator=generator())
    rotated = rotate_any(images, generator())
    assert rotated.shape == images.shape
    assert rotated.min() >= 0
    assert rotated.max() <= 1
    assert not torch.allclose(rotated, images, atol=0.1)


def test_rotation_leaves_no_dark_corners():
    torch.testing.assert_close(
        rotate_any(torch.ones(20, 3, 8, 8), generator()), torch.ones(20, 3, 8, 8)
    )


def test_colours_are_changed_as_torchvision_changes_them():
    """Each image by factors of its own, drawn within the strength."""
    images = torch.rand(6, 3, 9, 9, generator=generator())
    found = jitter_colours(images, 0.4, generator(3))
    factors = 1 + 0.4 * (2 * torch.rand((3, 6), generator=generator(3)) - 1)
    assert len(set(factors.flatten().tolist())) == 18
    assert 0.6 < factors.min() < 0.8 and 1.2 < factors.max() < 1.4
    for image, changed, (brightness, contrast, saturation) in zip(
        images, found, factors.T.tolist(), strict=True
    ):
        expected = v2.adjust_brightness(image, brightness)
        expected = v2.adjust_contrast(expected, contrast)
        expected = v2.adjust_saturation(expected, saturation)
        torch.testing.assert_close(changed, expected, rtol=0, atol=1e-3)
    assert torch.equal(jitter_colours(images, 0, generator()).sub(images).abs() < 1e-6, images > -1)


def test_colours_of_training_are_changed_where_asked_for():
    plain = augment(batch(20), chosen(flips=False, rotation="none"), generator())
    drawn = augment(batch(20), chosen(flips=False, rotation="none", colour_jitter=0.3), generator())
    assert (drawn - plain).abs().amax((1, 2, 3)).min() > 0.01
