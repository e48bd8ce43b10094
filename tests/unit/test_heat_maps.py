"""Heat maps point at what the answer depends on, and at nothing else."""

import pytest
import torch
from torch import nn

from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder, Normalisation
from fewlabels.networks.heat_maps import (
    empty_field,
    heat_maps,
    open_for_gradients,
    pixel_contributions,
)

SIDE = 16
HALF = SIDE // 2
#: The upper left and the lower right quadrant.
FIRST, SECOND = (slice(0, HALF), slice(0, HALF)), (slice(HALF, None), slice(HALF, None))


class Quadrants(Encoder):
    """Two features: the mean of the upper left and of the lower right quadrant. Its first block is a frozen one."""

    def __init__(self) -> None:
        super().__init__(Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
        self.colours = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.constant_(self.colours.weight, 1.0)
        self.block_names = ("colours",)
        self.feature_size = 2

    def frozen_prefix(self) -> int:
        return self.leading_frozen()

    def prefix(self, images):
        if not self.frozen_prefix():
            return images
        with torch.no_grad():
            return self.colours(images)

    def tail(self, activations):
        maps = activations if self.frozen_prefix() else self.colours(activations)
        return torch.stack([maps[:, 0, *place].mean((1, 2)).relu() for place in (FIRST, SECOND)], 1)


@pytest.fixture
def model():
    """Class 0 is what is bright above left, class 1 below right."""
    encoder = Quadrants()
    encoder.open_blocks([])
    head = nn.Linear(2, 3, bias=False)
    head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = Classifier({"quadrants": encoder}, 3, head)
    open_for_gradients(found)
    return found


@pytest.fixture
def image():
    """Bright in both quadrants, but for their borders; float (1, 3, SIDE, SIDE)."""
    pixels = torch.full((1, 3, SIDE, SIDE), 0.5)
    for rows, columns in (FIRST, SECOND):
        pixels[:, :, rows, columns][:, :, 1:-1, 1:-1] = 0.9
    return pixels


def classes(*numbers):
    return [torch.tensor([number]) for number in numbers]


def shares(values):
    """What share of all that is positive, and negative, lies in the two quadrants."""
    values = values[0]
    positive, negative = values.clamp(min=0), (-values).clamp(min=0)
    return positive[FIRST].sum() / positive.sum(), negative[SECOND].sum() / negative.sum()


def test_a_heat_map_points_at_the_quadrant_that_the_answer_depends_on(model, image):
    for_answer, for_label = shares(heat_maps(model, image, *classes(0, 1)))
    assert for_answer > 0.95
    assert for_label > 0.95
    other_way = heat_maps(model, image, *classes(1, 0))[0]
    assert other_way[SECOND].max() == 1
    assert other_way[FIRST].min() < -0.9


def test_what_neither_class_depends_on_is_left_blank(model, image):
    values = pixel_contributions(model, image, *classes(0, 2))[0]
    assert values[FIRST].sum() > 0
    assert values[SECOND].abs().max() == 0


def test_contributions_sum_to_the_difference_of_the_logits(model, image):
    values = pixel_contributions(model, image, *classes(0, 2))
    here, empty = model(image)[0], model(empty_field(image))[0]
    expected = (here[0] - here[2]) - (empty[0] - empty[2])
    assert expected > 0.1
    torch.testing.assert_close(values.sum(), expected, rtol=0.001, atol=0)


def test_each_image_has_its_own_classes(model, image):
    both = heat_maps(model, image.repeat(2, 1, 1, 1), torch.tensor([0, 1]), torch.tensor([1, 0]))
    torch.testing.assert_close(both[0], -both[1])
    assert both[0][FIRST].mean() > 0


def test_without_any_difference_the_map_is_blank(model, image):
    assert heat_maps(model, empty_field(image), *classes(0, 1)).abs().max() == 0


def test_an_empty_field_has_the_colour_of_the_border_and_keeps_a_mask():
    image = torch.full((1, 4, SIDE, SIDE), 0.3)
    image[:, :, 4:8, 4:8] = 0.9
    field = empty_field(image)
    assert (field[:, :3] == 0.3).all()
    assert (field[:, 3:] == image[:, 3:]).all()
    assert (image[:, :, 4:8, 4:8] == 0.9).all()


def test_weights_take_no_gradients_and_batch_norm_stays_in_eval_mode(model):
    encoder = nn.Sequential(nn.BatchNorm2d(1))
    model.encoders["quadrants"].add_module("extra", encoder)
    open_for_gradients(model)
    assert not model.training
    assert not encoder[0].training
    assert not any(weights.requires_grad for weights in model.parameters())
