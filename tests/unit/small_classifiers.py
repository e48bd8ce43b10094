"""Checkpoints of tiny untrained classifiers, for what uses trained ones."""

from pathlib import Path

import torch
from builders import AUTOENCODER, CLASSES, SIDE, TRAINING

from fewlabels.core.mask_settings import MaskNetwork
from fewlabels.networks.autoencoder import Autoencoder
from fewlabels.networks.checkpoints import classifier_state, describe_encoders, save_checkpoint
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.mask_channel import add_mask_channel
from fewlabels.networks.unet import UNet
from fewlabels.training.segmentation import save_unet


def small_classifier(
    path: Path,
    seed: int = 0,
    classes: list[str] = CLASSES,
    channel: bool = False,
    **metadata: object,
) -> Classifier:
    """Write a classifier whose head spreads its answers over the classes; gives the network.

    Args:
        channel: whether it takes a mask as a fourth channel, whose weights count.
    """
    torch.manual_seed(seed)
    encoder = Autoencoder(**AUTOENCODER).encoder
    if channel:
        add_mask_channel(encoder)
        torch.nn.init.normal_(next(encoder.parameters()))
    encoder.open_blocks([])
    model = Classifier({"kidney": encoder}, len(classes)).eval()
    with torch.no_grad():
        model.head.weight *= 60
    facts = {
        "model": "small_cells_10",
        "classes": classes,
        "image_size": SIDE,
        "resize": "stretch",
        "encoders": describe_encoders(model),
        "mask_use": "off",
        "training": TRAINING,
        "state": "complete",
    }
    save_checkpoint(path, classifier_state(model), facts | metadata)
    return model


def small_mask_network(path: Path, seed: int = 0) -> tuple[UNet, MaskNetwork]:
    """Write a network of masks."""
    settings = MaskNetwork(width=8, size=SIDE, steps=1, batch_size=1, learning_rate=0.01)
    torch.manual_seed(seed)
    model = UNet(settings.width).eval()
    save_unet(path, model, settings, SIDE)
    return model, settings
