"""How much a process computed: pictures, floating point operations, and how fast the machine multiplies."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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
        before_batch: called before each batch: where a process that was asked to leave does so.
    """

    def __init__(self) -> None:
        self.images = 0
        self.parts: dict[str, tuple[int, float]] = {}
        self.flops = 0.0
        self.before_batch: Callable[[], None] | None = None
        self._per_image: dict[str, float] = {}
        self._open: tuple[str, int, float] | None = None

    @contextmanager
    def batch(self, kind: str, images: int) -> Iterator[None]:
        """Meter one batch; operations are counted in the first batch of a kind and scaled in the others."""
        if self.before_batch:
            self.before_batch()
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
        self._open = kind, self.images, time.perf_counter()
        try:
            yield
        finally:
            self.parts = self._parts_until_now()
            self._open = None

    def _parts_until_now(self) -> dict[str, tuple[int, float]]:
        """All parts, an open one as if it ended here."""
        if self._open is None:
            return dict(self.parts)
        kind, images, started = self._open
        before, seconds = self.parts.get(kind, (0, 0.0))
        spent = time.perf_counter() - started
        return self.parts | {kind: (before + self.images - images, seconds + spent)}

    def state_dict(self) -> dict[str, Any]:
        """What was counted, as plain values."""
        return {
            "images": self.images,
            "flops": self.flops,
            "parts": self._parts_until_now(),
            "per_image": dict(self._per_image),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting from what :meth:`state_dict` gave."""
        self.images, self.flops = state["images"], state["flops"]
        self.parts, self._per_image = dict(state["parts"]), dict(state["per_image"])


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
