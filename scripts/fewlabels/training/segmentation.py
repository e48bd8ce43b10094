"""Training of the U-Net that predicts masks, and its predictions."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fewlabels.core.errors import UserError
from fewlabels.core.mask_settings import MaskNetwork
from fewlabels.data.pictures import Key
from fewlabels.networks.checkpoints import load_checkpoint, load_state, save_checkpoint
from fewlabels.networks.unet import UNet
from fewlabels.training.divergence import TRAIN_LOSS, DivergedError, divergence
from fewlabels.training.runtime import Runtime
from fewlabels.training.unfinished import Generators, Keeper, Stateful, Trained

#: The network's name in a checkpoint's metadata.
UNET = "unet"
#: Images that are predicted at a time.
PREDICTED_AT_A_TIME = 64
#: How far views depart from an image: factor of its scale, share of its side, factor of each colour.
SCALE, SHIFT, GAIN = 1.4, 0.1, 0.2
LOGGED_STEPS = 100


def reduce(images: np.ndarray, size: int, device: torch.device) -> Tensor:
    """Images uint8 (n, s, s, 3) as float (n, 3, size, size) in 0 ... 1, or masks bool (n, s, s) as (n, 1, size, size);
    averaged, and never enlarged."""
    # A copy: the array may be mapped from a file.
    values = torch.from_numpy(np.array(images)).to(device)
    values = (
        values[:, None].float() if images.ndim == 3 else values.permute(0, 3, 1, 2).float() / 255
    )
    if size >= values.shape[-1]:
        return values
    return functional.interpolate(values, (size, size), mode="bilinear", antialias=True)


def draw_view(pairs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One view of each image and its mask: turned by any angle, flipped, scaled, shifted, its colours changed.

    Args:
        pairs: float (n, 4, size, size) in 0 ... 1; the last channel is the mask.

    Returns:
        Images (n, 3, size, size) and masks (n, size, size).
    """
    count = len(pairs)

    def evenly(*shape: int) -> Tensor:
        return 2 * torch.rand(shape, generator=generator) - 1

    angle = math.pi * evenly(count)
    scale = SCALE ** evenly(count)
    flip = torch.where(evenly(count) < 0, -1.0, 1.0)
    shift = 2 * SHIFT * evenly(count, 2)
    gain = 1 + GAIN * evenly(count, 3)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    matrices = torch.stack(
        [
            torch.stack([cosine * flip, -sine, shift[:, 0]], 1),
            torch.stack([sine * flip, cosine, shift[:, 1]], 1),
        ],
        1,
    ).to(pairs.device)
    grid = functional.affine_grid(matrices, list(pairs.shape), align_corners=False)
    views = functional.grid_sample(pairs, grid, padding_mode="reflection", align_corners=False)
    images = (views[:, :3] * gain.to(pairs.device)[..., None, None]).clamp(0, 1)
    return images, views[:, 3]


def mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of the pixels, and 1 - Dice of the batch (Milletari et al. 2016), which a small cell counts in.

    Args:
        logits, masks: float (n, size, size); masks in 0 ... 1.
    """
    found = logits.sigmoid()
    dice = (2 * (found * masks).sum() + 1) / (found.sum() + masks.sum() + 1)
    return functional.binary_cross_entropy_with_logits(logits, masks) + 1 - dice


def order_of_pairs(count: int, wanted: int, generator: torch.Generator) -> Tensor:
    """Places of ``wanted`` images, int64: all of them, in a new order each time, over and over."""
    rounds = [torch.randperm(count, generator=generator) for _ in range(math.ceil(wanted / count))]
    return torch.cat(rounds)[:wanted]


class StepsMade:
    """How far a training by steps has come.

    Attributes:
        losses: of the steps since they were looked at, float32 () each, on the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.count = 0
        self.losses: list[Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "losses": list(self.losses)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]
        self.losses = [loss.to(self.device) for loss in state["losses"]]


def train_unet(
    images: np.ndarray,
    masks: np.ndarray,
    settings: MaskNetwork,
    runtime: Runtime,
    seed: int,
    pictures: Sequence[Key] = (),
) -> UNet:
    """Train a U-Net for a fixed number of steps on strongly varied views of a few images. A training that was cut off
    goes on from where ``runtime.unfinished`` kept it.

    Args:
        images: uint8 (n, size, size, 3), n at least 1.
        masks: bool (n, size, size).
        pictures: id and kind of each image.

    Raises:
        DivergedError: its loss is no longer finite.
        StoppedError: the process was asked to leave.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = UNet(settings.width)
    runtime.place(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.steps + 1
    )
    device = runtime.device
    parts = [reduce(images, settings.size, device), reduce(masks, settings.size, device)]
    pairs = torch.cat(parts, 1)
    order = order_of_pairs(len(pairs), settings.steps * settings.batch_size, generator)
    batches = order.split(settings.batch_size)
    made = StepsMade(device)
    held: dict[str, Stateful] = {
        **{"made": made, "model": Trained(model), "optimizer": optimizer, "schedule": schedule},
        **{"generators": Generators(generator, device), "meter": runtime.meter},
    }
    keeper = Keeper(runtime.unfinished, held)
    if keeper.resume():
        logging.info("goes on behind step %d", made.count)

    def look_at_losses() -> None:
        # A GPU is waited for here alone.
        values = torch.stack(made.losses).tolist()
        mean = sum(values) / len(values)
        if not math.isfinite(mean):
            before = made.count - len(values)
            rows_of = [batch.tolist() for batch in batches[before : made.count]]
            found = divergence(TRAIN_LOSS, mean, values, rows_of, before)
            file = runtime.replay_file.write(found, pictures, settings.learning_rate)
            raise DivergedError(
                f"the loss of the network of masks is {mean}, {found.place(pictures)}{file}: lower "
                f"masks.predicted.learning_rate ({settings.learning_rate:g})",
                [],
            )
        logging.info("step %d/%d: loss %.4f", made.count, settings.steps, mean)
        made.losses.clear()

    with keeper.keeps_when_stopped(runtime.meter):
        for rows in batches[made.count :]:
            optimizer.zero_grad(set_to_none=True)
            views, wanted = draw_view(pairs[rows.to(device)], generator)
            with runtime.meter.batch("train", len(rows)):
                with runtime.autocast(model):
                    logits = model(views.contiguous(memory_format=torch.channels_last))
                loss = mask_loss(logits.float(), wanted)
                loss.backward()
            optimizer.step()
            schedule.step()
            made.losses.append(loss.detach())
            made.count += 1
            if made.count % LOGGED_STEPS == 0 or made.count == settings.steps:
                look_at_losses()
            keeper.between_steps()
    return model


@torch.inference_mode()
def predict_masks(
    model: UNet, images: np.ndarray, size: int, runtime: Runtime
) -> Iterator[np.ndarray]:
    """Masks of images, uint8 (n, s, s, 3), in batches of bool (m, s, s): where the foreground is likelier than not.

    Args:
        size: pixels of the side that the network works at.
    """
    model.eval()
    side = images.shape[1]
    for start in range(0, len(images), PREDICTED_AT_A_TIME):
        batch = images[start : start + PREDICTED_AT_A_TIME]
        inputs = reduce(batch, size, runtime.device).contiguous(memory_format=torch.channels_last)
        with runtime.meter.batch("evaluate", len(batch)), runtime.autocast(model):
            logits = model(inputs)
        logits = logits.float()[:, None]
        if logits.shape[-1] != side:
            logits = functional.interpolate(logits, (side, side), mode="bilinear")
        yield (logits[:, 0] > 0).cpu().numpy()


def save_unet(path: Path | str, model: UNet, settings: MaskNetwork, image_size: int) -> None:
    """Write a U-Net's checkpoint; ``image_size``: pixels of the images that it is used on."""
    metadata = {"model": UNET, "image_size": image_size, "network": settings.plain()}
    save_checkpoint(path, model.state_dict(), metadata)


def load_unet(path: Path | str) -> tuple[UNet, MaskNetwork]:
    """Rebuild a U-Net, in eval mode, from its checkpoint alone.

    Raises:
        UserError: the file is no U-Net of this workflow.
    """
    state, metadata = load_checkpoint(path)
    if metadata.get("model") != UNET:
        raise UserError(f"{path} is no network of masks: give what predict_masks wrote")
    settings = MaskNetwork(**metadata["network"])
    model = UNet(settings.width)
    load_state(model, state, path)
    return model.eval(), settings
