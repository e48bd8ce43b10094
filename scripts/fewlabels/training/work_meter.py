"""How much a process computed: pictures, floating point operations, and how fast the machine multiplies."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

#: Side of the matrices whose product is timed, by device: large enough for its full rate.
MATRIX_SIDE = {"cpu": 1024, "cuda": 8192}
PRODUCTS = 8


class WorkMeter:
    """Counts pictures and floating point operations of all batches that pass through networks.

    Attributes:
        images: pictures, once per pass.
        parts: kind -> (pictures, seconds), of what was timed as a whole.
        flops: operations, as :class:`torch.utils.flop_counter.FlopCounterMode` counts them (a
            multiplication and an addition are two).
    """

    def __init__(self) -> None:
        self.images = 0
        self.parts: dict[str, tuple[int, float]] = {}
        self.flops = 0.0
        self._per_image: dict[str, float] = {}

    @contextmanager
    def batch(self, kind: str, images: int) -> Iterator[None]:
        """Meter one batch; operations are counted in the first batch of a kind and scaled in the others."""
        if kind in self._per_image:
            yield
        else:
            with FlopCounterMode(display=False) as counter:
                yield
            self._per_image[kind] = counter.get_total_flops() / images
        self.images += images
        self.flops += self._per_image[kind] * images

    @contextmanager
    def part(self, kind: str) -> Iterator[None]:
        """Time a part that ends with a result on the CPU, as an epoch's mean loss, so that no device still computes."""
        images, started = self.images, time.perf_counter()
        yield
        before, seconds = self.parts.get(kind, (0, 0.0))
        self.parts[kind] = (
            before + self.images - images,
            seconds + time.perf_counter() - started,
        )


def matrix_product_rate(device: torch.device, precision: torch.dtype) -> float:
    """Operations per second of matrix products in some precision, by torch's threads, here and now."""
    side = MATRIX_SIDE[device.type]
    matrix = torch.ones(side, side, device=device, dtype=precision)

    def product_times(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    product_times(2)
    return 2 * side**3 * PRODUCTS / product_times(PRODUCTS)
