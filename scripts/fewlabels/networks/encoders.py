"""The networks: ResNet-18 and autoencoder encoders, the classifier over several encoders, VGG16 features.

An encoder is a sequence of named blocks. Blocks that are not trained keep their BatchNorm in eval mode
(``requires_grad=False`` alone would let the running statistics drift), and the leading ones run without
gradients.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, vgg16

from fewlabels.networks.blocks import RESNET18_BLOCKS, autoencoder_blocks, expand_blocks


class Encoder(nn.Module, ABC):
    """Turns normalised images, float (n, 3, size, size), into features, float (n, feature_size)."""

    feature_size: int
    block_names: tuple[str, ...]

    def __init__(self) -> None:
        super().__init__()
        self.trained_blocks: tuple[str, ...] = ()

    def block_modules(self, name: str) -> nn.Module:
        """The module that holds a block's parameters."""
        return self.get_submodule(name)

    @abstractmethod
    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """The forward pass, block by block, in order."""

    def pool(self, activations: Tensor) -> Tensor:
        """Turn the last block's output into features."""
        return activations

    def open_blocks(self, names: Sequence[str]) -> None:
        """Open these blocks (or stages) for updates and freeze every other.

        Raises:
            UserError: a name is unknown.
        """
        self.trained_blocks = tuple(expand_blocks(names, self.block_names))
        for name in self.block_names:
            self.block_modules(name).requires_grad_(name in self.trained_blocks)

    def train(self, mode: bool = True) -> "Encoder":
        super().train(mode)
        for name in self.block_names:
            self.block_modules(name).train(mode and name in self.trained_blocks)
        return self

    def frozen_prefix(self) -> int:
        """How many leading blocks are frozen."""
        for place, name in enumerate(self.block_names):
            if name in self.trained_blocks:
                return place
        return len(self.block_names)

    def prefix(self, images: Tensor) -> Tensor:
        """What the leading frozen blocks make of images; the features, where all blocks are frozen."""
        frozen = self.frozen_prefix()
        with torch.no_grad():
            for _, step in self.steps()[:frozen]:
                images = step(images)
            return self.pool(images) if frozen == len(self.block_names) else images

    def tail(self, activations: Tensor) -> Tensor:
        """Features, from what :meth:`prefix` gave."""
        frozen = self.frozen_prefix()
        if frozen == len(self.block_names):
            return activations
        for _, step in self.steps()[frozen:]:
            activations = step(activations)
        return self.pool(activations)

    def forward(self, images: Tensor) -> Tensor:
        return self.tail(self.prefix(images))


class ResNet18Encoder(Encoder):
    """torchvision's ResNet-18 without its last layer, under torchvision's parameter names."""

    feature_size = 512
    block_names = RESNET18_BLOCKS

    def __init__(self) -> None:
        super().__init__()
        network = resnet18(weights=None)
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.add_module(name, getattr(network, name))

    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        first = [
            ("conv1", self.conv1),
            ("bn1", lambda activations: self.maxpool(self.relu(self.bn1(activations)))),
        ]
        return first + [(name, self.get_submodule(name)) for name in self.block_names[2:]]

    def pool(self, activations: Tensor) -> Tensor:
        return activations.mean(dim=(2, 3))


class ConvolutionalEncoder(Encoder):
    """The autoencoder's encoder: stride-2 convolutions (BatchNorm, ReLU), then one linear layer.

    Args:
        channels: outputs of each convolution.
        latent_size: size of the features.
        image_size: pixels; a multiple of 2 ** len(channels), which ties the linear layer to it.
    """

    def __init__(self, channels: Sequence[int], latent_size: int, image_size: int) -> None:
        super().__init__()
        self.block_names = autoencoder_blocks(len(channels))
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

    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        convolutions = [(name, self.get_submodule(name)) for name in self.block_names[:-1]]
        return [*convolutions, ("latent", lambda maps: self.latent(maps.flatten(1)))]


class Autoencoder(nn.Module):
    """Convolutional autoencoder: :class:`ConvolutionalEncoder` and its mirror image.

    The forward pass gives reconstructions, float (n, 3, image_size, image_size) in 0 ... 1.
    """

    def __init__(self, channels: Sequence[int], latent_size: int, image_size: int) -> None:
        super().__init__()
        self.encoder = ConvolutionalEncoder(channels, latent_size, image_size)
        self.encoder.open_blocks(self.encoder.block_names)
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


class Classifier(nn.Module):
    """One or more encoders, whose features are concatenated, and a linear head.

    Args:
        encoders: name -> encoder, with its blocks opened; the order is that of the features.
        classes: number of outputs.
    """

    def __init__(self, encoders: Mapping[str, Encoder], classes: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.head = nn.Linear(sum(e.feature_size for e in encoders.values()), classes)

    def forward(
        self, images: Tensor | None, activations: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Logits, float (n, classes).

        Args:
            images: normalised; None where every encoder has its activations.
            activations: encoder name -> what its frozen prefix makes of the same images.
        """
        known = activations or {}
        features = [
            encoder.tail(known[name]) if name in known else encoder(images)
            for name, encoder in self.encoders.items()
        ]
        return self.head(torch.cat(features, dim=1))


class VGG16Features(nn.Module):
    """torchvision's VGG16 up to one of its two 4096-d layers, after ReLU: float (n, 4096).

    Args:
        state: its weights, under torchvision's names; used in place, not copied.
        layer: 1 or 2.
    """

    def __init__(self, state: Mapping[str, Tensor], layer: int) -> None:
        super().__init__()
        with torch.device("meta"):  # drawing 138 million random weights takes seconds
            self.network = vgg16(weights=None, init_weights=False)
        self.network.load_state_dict(state, assign=True)
        # classifier: linear, ReLU, dropout, linear, ReLU, dropout, linear
        self.head = self.network.classifier[: 2 if layer == 1 else 5]

    def forward(self, images: Tensor) -> Tensor:
        maps = self.network.avgpool(self.network.features(images))
        return self.head(maps.flatten(1))
