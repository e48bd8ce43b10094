"""What images without labels add to the loss of a classifier: agreement with a teacher, the mean of its own weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from fewlabels.core.settings import TrainingSettings, Unlabelled
from fewlabels.networks.classifier import Classifier
from fewlabels.training.augmentation import apply_views, draw_views, jitter_colours
from fewlabels.training.averaging import WeightAverage
from fewlabels.training.runtime import Runtime
from fewlabels.training.stored_rows import StoredRows

#: Of all steps, over which the weight of the unlabelled images grows to what it is.
RAMP_SHARE = 0.3
#: Strength of the colour jitter of what the student sees, and the part of a side that a square cut out of it has.
STRONG_JITTER, CUT_OUT = 0.4, 0.375


@dataclass
class UnlabelledLoss:
    """The further loss of each step, on images drawn anew for it.

    ``pseudo_labels``: cross entropy with the teacher's label where it is sure enough, of a strongly changed image
    (FixMatch, Sohn et al. 2020, with the teacher's mean weights); ``mean_teacher``: squared difference of the
    probabilities (Tarvainen & Valpola 2017).

    Attributes:
        pixels: the images, uint8.
        steps: of the whole training.
    """

    pixels: StoredRows
    settings: Unlabelled
    training: TrainingSettings
    runtime: Runtime
    average: WeightAverage
    steps: int
    step: int = 0

    def weight(self) -> float:
        """Of this step's loss: grows as Laine & Aila (2017) have it."""
        grown = min(1.0, self.step / max(1.0, RAMP_SHARE * self.steps))
        return self.settings.weight * math.exp(-5 * (1 - grown) ** 2)

    def __call__(self, model: Classifier, labelled: int, generator: torch.Generator) -> Tensor:
        """The weighted loss of one step, beside ``labelled`` images with labels, whose work counts with theirs."""
        count = labelled * self.settings.per_labelled
        rows = torch.randint(len(self.pixels), (count,), generator=generator)
        pixels = self.pixels.take(rows)
        teacher = self._teacher()
        with torch.no_grad():
            views = self._views(count, generator)
            known = self._logits(teacher, apply_views(pixels, views).float() / 255).softmax(1)
        changed = self._strongly_changed(pixels, generator)
        logits = self._logits(model, changed)
        if self.settings.method == "mean_teacher":
            each = (logits.softmax(1) - known).square().sum(1)
        else:
            sure, labels = known.max(1)
            each = functional.cross_entropy(logits, labels, reduction="none")
            each = each * (sure >= self.settings.confidence)
        weight = self.weight()
        self.step += 1
        return weight * each.mean()

    def state_dict(self) -> dict[str, int]:
        return {"step": self.step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.step = state["step"]

    def _teacher(self) -> Classifier:
        return cast(Classifier, self.average.averaged.module.eval())

    def _views(self, count: int, generator: torch.Generator) -> Tensor:
        return draw_views(count, self.training.flips, self.training.rotation, generator)

    def _logits(self, model: Classifier, images: Tensor) -> Tensor:
        with self.runtime.autocast(model):
            return model(images).float()

    def _strongly_changed(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        views = self._views(len(pixels), generator)
        images = apply_views(pixels, views).float() / 255
        return cut_out(jitter_colours(images, STRONG_JITTER, generator), CUT_OUT, generator)


def cut_out(images: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """Grey out a square of each image (n, 3, size, size) at a drawn place, with a side of so large a part of it
    (DeVries & Taylor 2017, "Improved regularization of convolutional neural networks with cutout")."""
    size = images.shape[-1]
    centres = torch.rand((2, len(images), 1), generator=generator).to(images.device) * size
    places = torch.arange(size, device=images.device) + 0.5
    rows, columns = (places - centres).abs() < part * size / 2
    hidden = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(hidden, torch.full_like(images, 0.5), images)
