"""About how much a run will write, from its config alone: an estimate by sizes that were measured."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.core.files import has_no_inodes
from fewlabels.workflow.experiment import Experiment
from fewlabels.workflow.findings import Finding
from fewlabels.workflow.machine_checks import LEAST_DISK, check_disk
from fewlabels.workflow.raw_data import RawData
from fewlabels.workflow.start_checks import files_of

#: Bytes of one encoder's weights in float32: ResNet-18 has 45 MB; most others of use here have less than 100.
ENCODER = 50e6
#: Of models whose names hold these words.
LARGE_MODELS = {"vgg": 550e6, "vit_l": 1200e6, "convnext_large": 800e6}
#: Bytes of the feature cache per image of 224 pixels and encoder, in eight views: behind layer3 of ResNet-18.
CACHED = 0.83e6
#: What tables, figures, logs and histories take, at most.
TABLES = 50e6
PIXELS = 224


def weights_size(model: str) -> float:
    """Bytes of a backbone's file of weights, about."""
    return next((size for word, size in LARGE_MODELS.items() if word in model), ENCODER)


def results_size(experiment: Experiment, raw: RawData, images: Mapping[str, int]) -> float:
    """Bytes of all results, about.

    Args:
        images: data set -> how many images it has.
    """
    config = raw.config
    side = config.images.size
    arrays = 0.0
    for name, count in images.items():
        masked = name in config.datasets and bool(config.datasets[name].masks)
        # Masked copies are an array of their own, and masks another, of one byte a pixel.
        arrays += count * side * side * (7 if masked else 3)
    checkpoints = ENCODER * sum(
        len(experiment.arms[run.arm].recipe.encoders) for run in experiment.runs
    )
    checkpoints += ENCODER * len(experiment.pretraining)
    cached = 0.0
    if config.compute.feature_cache != "off":
        frozen = {
            (choice.encoder, tuple(choice.trained), arm.recipe.masks)
            for arm in experiment.arms.values()
            for choice in arm.recipe.encoders
            if choice.trained != "all"
        }
        each = images.get(config.target, 0) * CACHED * (side / PIXELS) ** 2
        if (
            each <= config.compute.feature_cache_gb * 1e9
            or config.compute.feature_cache == "always"
        ):
            cached = len(frozen) * each
    return arrays + checkpoints + cached + TABLES


def drawn_images(raw: RawData) -> dict[str, tuple[int, int]]:
    """Data set -> how many images are drawn, and of how many pixels a side."""
    drawn = raw.config.synthetic
    return {
        "wbc": (drawn.wbc.train + drawn.wbc.test, drawn.wbc.size),
        "cam16": (drawn.cam16.train + drawn.cam16.validation + drawn.cam16.test, drawn.cam16.size),
        "prcc": (drawn.prcc.images, drawn.prcc.size),
    }


def count_images(raw: RawData, datasets: Iterable[str]) -> dict[str, int]:
    """Data set -> how many files there, or rows of its table, may be images; 0 where it is missing."""
    found = {}
    for name in datasets:
        if raw.is_drawn(name):
            found[name] = drawn_images(raw).get(name, (0, 0))[0]
            continue
        layout, root = raw.layout_of(name), raw.folder_of(name)
        try:
            found[name] = sum(1 for _ in files_of(root, layout))
        except (OSError, UserError):
            # The check of the images says so.
            found[name] = 0
    return found


def resources_size(experiment: Experiment, raw: RawData) -> float:
    """Bytes of weights, and of images that are drawn, about: PNGs take some 1.5 bytes a pixel."""
    config = raw.config
    found = sum(weights_size(config.backbones[name].model) for name in experiment.backbones)
    if config.synthetic.draw:
        found += sum(count * side * side * 1.5 for count, side in drawn_images(raw).values())
    return found


def free_at(path: Path) -> tuple[str, int]:
    """The folder that a path lies or will lie in, and the free bytes there."""
    path = path.absolute()
    folder = next(place for place in (path, *path.parents) if place.is_dir())
    return str(folder), shutil.disk_usage(folder).free


def full_disk_lines(folders: Iterable[Path]) -> list[str]:
    """Of folders whose disk takes hardly more: a line each. There a step's log may lack its last line, and what
    Snakemake removed of failed steps has made some room since."""
    found = [(folder, folder.absolute() / "file") for folder in folders]
    return [
        f"The disk of {folder}/ has no room for more files (inodes): remove some."
        if has_no_inodes(file)
        else f"The disk of {folder}/ is full or nearly so ({free_at(folder)[1] / 1e6:.0f} MB free): make room."
        for folder, file in found
        if has_no_inodes(file) or free_at(folder)[1] < LEAST_DISK
    ]


def check_results_disk(experiment: Experiment, raw: RawData, results: Path) -> Finding:
    """Whether what is left to be written of the results has room."""
    images = count_images(raw, [*experiment.datasets, *raw.config.external])
    need = max(0.0, results_size(experiment, raw, images) - size_of(results))
    return check_disk("disk: results", *free_at(results), need, "results")


def check_resources_disk(experiment: Experiment, raw: RawData, resources: Path) -> Finding:
    """Whether weights and drawn images have room."""
    need = max(0.0, resources_size(experiment, raw) - size_of(resources))
    return check_disk("disk: resources", *free_at(resources), need, "weights and drawn images")


def size_of(path: str | os.PathLike[str]) -> int:
    """Bytes of a file or of all files below a folder; 0 where there is none, or where it can't be read. Links are not
    followed."""
    try:
        if not os.path.isdir(path) or os.path.islink(path):
            return os.lstat(path).st_size
        with os.scandir(path) as entries:
            return sum(size_of(entry.path) for entry in entries)
    except OSError:  # gone meanwhile, or not for us to read
        return 0
