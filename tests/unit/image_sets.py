"""Image sets from arrays, and back, on the CPU."""

import numpy as np
import torch

from fewlabels.training.loop import ImageSet, image_set
from fewlabels.training.runtime import Runtime
from fewlabels.training.stored_rows import stored_rows

CPU = Runtime(torch.device("cpu"), torch.float32, 1)


def images_of(pixels: np.ndarray, labels: np.ndarray | None = None) -> ImageSet:
    """The set of images uint8 (n, size, size, 3), with labels int (n,), or without: all 0."""
    labels = np.zeros(len(pixels)) if labels is None else labels
    return image_set(stored_rows([pixels], range(len(pixels)), CPU.device), labels, CPU)


def pixels_in(images: ImageSet) -> np.ndarray:
    """The images of a set: uint8 (n, size, size, 3)."""
    return images.pixels.take(torch.arange(len(images))).permute(0, 2, 3, 1).numpy()
