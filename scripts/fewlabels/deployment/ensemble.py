"""Probabilities of new images by one or several trained models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.deployment.trained_model import TrainedModel, check_alike
from fewlabels.statistics.calibration import scale
from fewlabels.training.loop import image_set, predict
from fewlabels.training.masked_pixels import MaskView, held_in_memory
from fewlabels.training.runtime import Runtime
from fewlabels.training.segmentation import predict_masks
from fewlabels.training.stored_rows import stored_rows


@dataclass(frozen=True)
class Ensemble:
    """Models whose probabilities are averaged (Lakshminarayanan et al. 2017, NeurIPS, arXiv:1612.01474).

    Attributes:
        models: of the same classes, size and resize.
        calibrated: whether each model's probabilities are scaled by its own temperature, where it has one.
    """

    models: Sequence[TrainedModel]
    runtime: Runtime
    calibrated: bool

    def __post_init__(self) -> None:
        """Place the networks on the device.

        Raises:
            UserError: the models do not belong together, or one lacks its network of masks.
        """
        check_alike(self.models)
        for model in self.models:
            self.runtime.place(model.network)
            if model.masks is None:
                continue
            if model.masks.network is None:
                raise UserError(
                    f"{model.path} sees images through predicted masks, and {model.masks.source} does not exist: "
                    "give --mask-network the .pt that predict_masks wrote for its subset"
                )
            self.runtime.place(model.masks.network)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.models[0].classes

    @property
    def has_temperatures(self) -> bool:
        """Whether each model's probabilities are calibrated by a temperature of its own."""
        return self.calibrated and all(model.temperature is not None for model in self.models)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Of images, uint8 (n, size, size, 3): float (n, classes), rows sum to 1."""
        each = [self._of_model(model, pixels) for model in self.models]
        return np.mean(each, axis=0) if len(each) > 1 else each[0]

    def _of_model(self, model: TrainedModel, pixels: np.ndarray) -> np.ndarray:
        # Places serve as names: a table may name a file twice.
        places = list(range(len(pixels)))
        rows = stored_rows([pixels], places, self.runtime.device)
        if model.masks and model.masks.network:
            found = predict_masks(model.masks.network, pixels, model.masks.size, self.runtime)
            names = [str(place) for place in places]
            masks = held_in_memory(names, found)
            rows = MaskView(masks, model.masks.use, model.masks.crop_margin).of(rows, names)
        # Nobody asks for their labels.
        images = image_set(rows, np.zeros(len(pixels)), self.runtime, views=model.views)
        found_logits = predict(model.network, images, self.runtime)
        probabilities = found_logits.softmax(1).cpu().numpy()
        if self.has_temperatures and model.temperature is not None:
            return scale(probabilities, model.temperature)
        return probabilities
