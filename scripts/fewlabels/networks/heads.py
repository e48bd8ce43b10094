"""Heads that are fitted to the features of frozen encoders at once, without optimiser steps.

Both compute in float32, whatever the precision of the encoders: they were fitted to the last digit.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Names of the classifiers in the config and in checkpoints.
LOGISTIC_REGRESSION = "logistic_regression"
NEAREST_NEIGHBOURS = "nearest_neighbours"
LIGHT = (LOGISTIC_REGRESSION, NEAREST_NEIGHBOURS)

#: Of the weights of neighbours, as in Wu et al. 2018 (arXiv:1805.01978) and DINO (arXiv:2104.14294).
TEMPERATURE = 0.07


class LogisticHead(nn.Linear):
    """A linear head in float32: features, float (n, f), to logits, float32 (n, classes)."""

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class NeighboursHead(nn.Module):
    """The votes of the k nearest training images by cosine similarity: features, float (n, f), to log probabilities,
    float32 (n, classes).

    A vote weighs exp((s - s1) / 0.07), s being its similarity and s1 that of the nearest, so that ties go to the nearer
    images. To the votes of each class one is added (Laplace), so that no probability is 0.

    Args:
        features: of the training images, float (images, f).
        labels: their classes, int64 (images,).
        neighbours: k, at most the number of images.
        classes: number of outputs.
    """

    features: Tensor
    labels: Tensor
    neighbours: Tensor

    def __init__(self, features: Tensor, labels: Tensor, neighbours: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("features", functional.normalize(features.float(), dim=1))
        self.register_buffer("labels", labels)
        self.register_buffer("neighbours", torch.tensor(neighbours))

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            similarity = functional.normalize(features.float(), dim=1) @ self.features.T
            # Stable: of equal images the first counts as the nearer.
            nearest = similarity.sort(dim=1, descending=True, stable=True)
            count = int(self.neighbours)
            weights = ((nearest.values - nearest.values[:, :1]) / TEMPERATURE).exp()[:, :count]
            voted = functional.one_hot(self.labels, self.classes).float()[
                nearest.indices[:, :count]
            ]
            votes = (weights[..., None] * voted).sum(1) + 1
            return (votes / votes.sum(1, keepdim=True)).log()


def empty_head(kind: str, features: int, images: int, classes: int) -> nn.Module | None:
    """The head of a light classifier, for a checkpoint to be loaded into; None for a network's own linear one.

    Args:
        features: number of inputs.
        images: training images that the head holds; of nearest neighbours alone.
    """
    if kind == LOGISTIC_REGRESSION:
        return LogisticHead(features, classes)
    if kind == NEAREST_NEIGHBOURS:
        labels = torch.zeros(images, dtype=torch.int64)
        return NeighboursHead(torch.zeros(images, features), labels, 1, classes)
    return None
