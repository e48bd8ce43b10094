"""A small U-Net: which pixels of an image are the cell's."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

#: How often the image is halved, and the width doubled.
DEPTH = 4
#: Of the normalisation: of two channels or more, each.
GROUPS = 4


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with GroupNorm and ReLU; the size stays."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """The U-Net of Ronneberger et al. (MICCAI 2015, doi:10.1007/978-3-319-24574-4_28), narrower.

    Unlike theirs it pads, so that the mask has the image's size, and normalises by groups of channels (Wu and He, ECCV
    2018): its statistics are those of each image, not of a batch that a few masks make.

    Args:
        width: channels at the full size, a multiple of 8; doubled at each of the four halvings.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(DEPTH + 1)]
        self.down = nn.ModuleList(
            double_convolution(inputs, outputs) for inputs, outputs in pairwise([3, *widths])
        )
        self.pool = nn.MaxPool2d(2)
        backwards: Sequence[tuple[int, int]] = list(pairwise(reversed(widths)))
        # Transposed convolutions, as in the paper: gradients of interpolation vary from run to run on a GPU.
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)
            for inputs, outputs in backwards
        )
        self.up = nn.ModuleList(
            double_convolution(inputs, outputs) for inputs, outputs in backwards
        )
        self.head = nn.Conv2d(width, 1, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the foreground, float (n, size, size).

        Args:
            images: float (n, 3, size, size) in 0 ... 1; the size a multiple of 16.
        """
        maps = images - 0.5
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            maps = block(maps if level == 0 else self.pool(maps))
            skipped.append(maps)
        skipped.pop()
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            maps = block(torch.cat([skipped.pop(), enlarge(maps)], dim=1))
        return self.head(maps).squeeze(1)
