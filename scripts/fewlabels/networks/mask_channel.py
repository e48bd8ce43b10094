"""A mask as the fourth input channel of an encoder."""

from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.networks.encoder import Encoder

#: Key of an encoder's architecture: how many channels it takes, where these are not three.
INPUT_CHANNELS = "input_channels"


def first_convolution(encoder: Encoder) -> tuple[str, nn.Conv2d]:
    """Path and module of the convolution that takes the colours, and perhaps a mask already.

    Raises:
        UserError: the network does not begin with one.
    """
    for path, module in encoder.network.named_modules():
        if isinstance(module, nn.Conv2d):
            if module.in_channels in (3, 4) and module.groups == 1:
                return path, module
            break
    raise UserError(
        f"{encoder.architecture['model']} begins with no convolution of three channels, to which a mask could be a "
        "fourth: set predicted_masks to replace or crop"
    )


def add_mask_channel(encoder: Encoder) -> None:
    """Give an encoder a fourth input channel in place: its weights are zero, so that at the start it gives what it
    gave without.

    Raises:
        UserError: see :func:`first_convolution`.
    """
    _, convolution = first_convolution(encoder)
    old = convolution.weight
    weight = old.detach().new_zeros(old.shape[0], 4, *old.shape[2:])
    weight[:, :3] = old.detach()
    convolution.in_channels = 4
    convolution.weight = nn.Parameter(weight, requires_grad=old.requires_grad)
    encoder.architecture = {**encoder.architecture, INPUT_CHANNELS: 4}


def check_mask_is_learnt(encoder: Encoder) -> None:
    """Refuse frozen zero weights: the mask would never count.

    Raises:
        UserError: the first convolution's block is not open, or there is none.
    """
    path, _ = first_convolution(encoder)
    block = next(
        (name for name in encoder.block_names if path == name or path.startswith(f"{name}.")), path
    )
    if block not in encoder.trained_blocks:
        raise UserError(
            f"the mask is a fourth channel of {block}, which is frozen and would never use it: open {block}, or all"
        )
