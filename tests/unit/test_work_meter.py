"""Counting pictures and operations, and the machine's rate."""

import pytest
import torch
from torch import nn

from fewlabels.training.runtime import Runtime
from fewlabels.training.work_meter import WorkMeter, matrix_product_rate

CPU = Runtime(torch.device("cpu"), torch.float32, 1)


def test_operations_by_hand():
    # 3x3 convolution, 2 to 4 channels, 8x8 outputs: 9 * 2 * 4 * 64 multiply-adds. Backward, without the
    # gradient of the images: the same once more.
    layer = nn.Conv2d(2, 4, 3, padding=1, bias=False)
    forward = 2 * 9 * 2 * 4 * 64
    meter = WorkMeter()
    for count in (5, 2):
        with meter.batch("train", count):
            layer(torch.ones(count, 2, 8, 8)).sum().backward()
    assert meter.flops == pytest.approx(7 * 2 * forward)
    with torch.inference_mode(), meter.batch("evaluate", 3):
        layer(torch.ones(3, 2, 8, 8))
    assert meter.flops == pytest.approx((7 * 2 + 3) * forward)
    assert meter.images == 10


def test_parts_add_up_over_epochs():
    meter, layer = WorkMeter(), nn.Linear(2, 1)
    for count in (5, 2):
        for part in ("training", "evaluation"):
            with meter.part(part), meter.batch(part, count):
                layer(torch.ones(count, 2)).sum().item()
    assert {kind: images for kind, (images, _) in meter.parts.items()} == {
        "training": 7,
        "evaluation": 7,
    }
    assert all(seconds > 0 for _, seconds in meter.parts.values())


def test_metering_changes_no_result():
    layer, images = nn.Conv2d(2, 4, 3), torch.rand(3, 2, 8, 8)
    expected = layer(images)
    with WorkMeter().batch("train", 3):
        assert torch.equal(layer(images), expected)


def test_the_rate_is_that_of_this_machine():
    # A rate that no machine falls short of or exceeds; more is a matter of benchmarks/.
    assert 1e7 < matrix_product_rate(CPU.device, CPU.precision) < 1e16
