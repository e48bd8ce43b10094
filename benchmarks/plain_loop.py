"""The plain way to fine-tune: ImageFolder, DataLoader, PIL, float32. What the other benchmarks compare with.

Written as a good user would: frozen blocks without gradients and with BatchNorm in eval mode, persistent workers,
no gradient for what is evaluated. Every image is decoded anew in every epoch. Channels last is an option, since few
know of it: on a CPU it makes the loop much faster.
"""

import random
import time
from collections.abc import Set
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from torchvision.models import resnet18

TURNS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


def turn(image: Image.Image) -> Image.Image:
    """Rotate by a random right angle, without interpolation."""
    choice = random.choice(TURNS)
    return image if choice is None else image.transpose(choice)


def loaders(
    folder: Path, size: int, batch: int, workers: int, only: Set[str] | None = None
) -> tuple[DataLoader, DataLoader]:
    """Training and test images of a WBC folder (train/data/<class>, val/data/<class>).

    ``only``: paths below the folder of the images to train on; else all.
    """
    to_tensor = [
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    resize = transforms.Resize((size, size))
    flips = [transforms.RandomHorizontalFlip(), transforms.RandomVerticalFlip()]
    train = datasets.ImageFolder(
        str(folder / "train/data"),
        transforms.Compose([resize, *flips, turn, *to_tensor]),
        is_valid_file=only and (lambda path: Path(path).relative_to(folder).as_posix() in only),
    )
    test = datasets.ImageFolder(str(folder / "val/data"), transforms.Compose([resize, *to_tensor]))
    common = {"batch_size": batch, "num_workers": workers, "persistent_workers": workers > 0}
    return DataLoader(train, shuffle=True, **common), DataLoader(test, **common)


def open_network(state: dict, trained: list[str], classes: int) -> nn.Module:
    """ResNet-18 with a new head, only some of its stages or blocks open for updates."""
    network = resnet18()
    network.load_state_dict(state)
    network.fc = nn.Linear(512, classes)
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name.startswith(("fc", *trained))
    return network


def to_training(network: nn.Module, trained: list[str]) -> None:
    """Training mode, but for the BatchNorm of frozen blocks."""
    network.train()
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and not name.startswith(tuple(trained)):
            module.eval()


def train_plain(
    folder: Path,
    state: dict,
    trained: list[str],
    epochs: int,
    *,
    schedule_epochs: int,
    size: int = 224,
    batch: int = 64,
    workers: int = 2,
    threads: int = 2,
    seed: int = 1,
    memory_format: torch.memory_format = torch.channels_last,
    only: Set[str] | None = None,
) -> list[dict[str, float]]:
    """Fine-tune and evaluate after each epoch: seconds (in all, of training), loss and test accuracy of each."""
    torch.manual_seed(seed)
    random.seed(seed)
    torch.set_num_threads(threads)
    train, test = loaders(folder, size, batch, workers, only)
    network = open_network(state, trained, len(train.dataset.classes))
    network.to(memory_format=memory_format)
    optimizer = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad], lr=0.0003, weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=schedule_epochs)
    history = []
    for _ in range(epochs):
        started = time.perf_counter()
        to_training(network, trained)
        losses = 0.0
        for images, labels in train:
            optimizer.zero_grad()
            logits = network(images.to(memory_format=memory_format))
            loss = functional.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            losses += loss.item() * len(labels)
        schedule.step()
        trained_at = time.perf_counter()
        network.eval()
        right = 0
        with torch.inference_mode():
            for images, labels in test:
                logits = network(images.to(memory_format=memory_format))
                right += (logits.argmax(1) == labels).sum().item()
        history.append(
            {
                "seconds": time.perf_counter() - started,
                "train_seconds": trained_at - started,
                "train_loss": losses / len(train.dataset),
                "test_accuracy": right / len(test.dataset),
            }
        )
    return history
