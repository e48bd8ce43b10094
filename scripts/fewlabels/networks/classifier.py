"""The classifier over one or more encoders."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from fewlabels.networks.encoder import Encoder, Normalisation


class Classifier(nn.Module):
    """One or more encoders, whose features are concatenated, and a head.

    Args:
        encoders: name -> encoder, with its blocks opened; the order is that of the features.
        classes: number of outputs.
        head: what makes outputs of features; None for a linear layer with drawn weights.
    """

    def __init__(
        self, encoders: Mapping[str, Encoder], classes: int, head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(dict(encoders))
        self.feature_size = sum(encoder.feature_size for encoder in encoders.values())
        self.classes = classes
        self.head = nn.Linear(self.feature_size, classes) if head is None else head

    def named_encoders(self) -> dict[str, Encoder]:
        """Name -> encoder, in the order of their features."""
        return {name: cast(Encoder, encoder) for name, encoder in self.encoders.items()}

    def forward(
        self, images: Tensor | None, activations: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Logits, float (n, classes).

        Args:
            images: float (n, 3, size, size) in 0 ... 1: each encoder normalises for itself; None where every
                encoder has its activations.
            activations: encoder name -> what its frozen prefix makes of the same images.

        Raises:
            ValueError: an encoder has neither images nor activations.
        """
        known = activations or {}
        normalised: dict[Normalisation, Tensor] = {}
        features = []
        for name, encoder in self.named_encoders().items():
            if name in known:
                features.append(encoder.tail(known[name]))
                continue
            if images is None:
                raise ValueError(f"encoder '{name}' has neither images nor activations")
            if encoder.normalisation not in normalised:
                normalised[encoder.normalisation] = encoder.normalise(images)
            features.append(encoder(normalised[encoder.normalisation]))
        return self.head(torch.cat(features, dim=1))
