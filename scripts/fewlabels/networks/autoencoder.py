"""A convolutional autoencoder, and its first half as an encoder."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from fewlabels.networks.encoder import IMAGENET, Encoder, Normalisation

#: The autoencoder's name in a checkpoint's metadata.
AUTOENCODER = "autoencoder"


class ConvolutionalEncoder(Encoder):
    """The autoencoder's encoder: stride-2 convolutions (BatchNorm, ReLU), then one linear layer.

    Args:
        channels: outputs of each convolution.
        latent_size: size of the features.
        image_size: pixels; a multiple of 2 ** len(channels), which ties the linear layer to it.
    """

    def __init__(
        self,
        channels: Sequence[int],
        latent_size: int,
        image_size: int,
        normalisation: Normalisation = IMAGENET,
    ) -> None:
        super().__init__(normalisation)
        self.architecture = {
            "model": AUTOENCODER,
            "channels": list(channels),
            "latent_size": latent_size,
            "image_size": image_size,
        }
        self.block_names = (*(f"conv{n}" for n in range(1, len(channels) + 1)), "latent")
        self.feature_size = latent_size
        inputs = 3
        for place, outputs in enumerate(channels, start=1):
            self.add_module(
                f"conv{place}",
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(inplace=True),
                ),
            )
            inputs = outputs
        side = image_size // 2 ** len(channels)
        self.latent = nn.Linear(inputs * side * side, latent_size)

    def _steps(self) -> list[Callable[[Tensor], Tensor]]:
        """The forward pass, block by block."""
        convolutions = [self.get_submodule(name) for name in self.block_names[:-1]]
        return [*convolutions, lambda maps: self.latent(maps.flatten(1))]

    def frozen_prefix(self) -> int:
        return self.leading_frozen()

    def prefix(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            for step in self._steps()[: self.frozen_prefix()]:
                images = step(images)
        return images

    def tail(self, activations: Tensor) -> Tensor:
        for step in self._steps()[self.frozen_prefix() :]:
            activations = step(activations)
        return activations


class Autoencoder(nn.Module):
    """Convolutional autoencoder: :class:`ConvolutionalEncoder` and its mirror image.

    The forward pass takes normalised images (``encoder.normalise``) and gives reconstructions,
    float (n, 3, image_size, image_size) in 0 ... 1.
    """

    def __init__(
        self,
        channels: Sequence[int],
        latent_size: int,
        image_size: int,
        normalisation: Normalisation = IMAGENET,
    ) -> None:
        super().__init__()
        self.encoder = ConvolutionalEncoder(channels, latent_size, image_size, normalisation)
        self.encoder.open_blocks("all")
        self.side = image_size // 2 ** len(channels)
        self.deepest = channels[-1]
        self.expand = nn.Linear(latent_size, self.deepest * self.side * self.side)
        layers: list[nn.Module] = []
        backwards = [*reversed(channels)]
        for inputs, outputs in pairwise(backwards):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        layers.append(nn.ConvTranspose2d(backwards[-1], 3, 4, stride=2, padding=1))
        self.decoder = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.expand(self.encoder(images))
        maps = maps.unflatten(1, (self.deepest, self.side, self.side))
        return torch.sigmoid(self.decoder(maps.relu()).float())
