"""One trained classifier, as its checkpoint and what the workflow left beside it describe it.

The checkpoint alone rebuilds the network and says how images reach it. Two files are looked for beside it, by paths
that it names: the network that predicts masks, where the classifier sees images through these, and the predictions on
validation images, to which a temperature is fitted. A checkpoint that was taken elsewhere lacks them, and says so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UserError
from fewlabels.core.settings import TrainingSettings
from fewlabels.data.intensities import Intensities
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Normalisation
from fewlabels.networks.unet import UNet
from fewlabels.statistics.calibration import fit_temperature
from fewlabels.statistics.predictions import read_predictions
from fewlabels.training.augmentation import predicted_views
from fewlabels.training.segmentation import load_unet

#: Why a model has no temperature.
NOT_NAMED = "the checkpoint names no predictions on validation images (experiment.selection: validation makes them)"
NOT_BESIDE = "the predictions on validation images are not beside the checkpoint"
#: What a temperature was fitted to.
FITTED_TO_VALIDATION = "fitted to the validation images that chose the epoch"


@dataclass(frozen=True)
class SeenMasks:
    """How a classifier sees every image through predicted masks.

    Attributes:
        use: ``replace``, ``crop`` or ``channel``; see :class:`fewlabels.training.masked_pixels.MaskedPixels`.
        crop_margin: of ``crop``, as a share of the longer side of the cell's box.
        network: predicts the masks, float (n, 3, size, size) in 0 ... 1 to logits (n, size, size); None where its
            file was not found.
        size: pixels of the side that this network works at; 0 without it.
        source: the file it is looked for in.
    """

    use: str
    crop_margin: float
    network: UNet | None
    size: int
    source: Path


@dataclass(frozen=True)
class TrainedModel:
    """A classifier, ready to be used.

    Attributes:
        path: the checkpoint.
        name: ``<arm>_<target>_<fraction>``.
        network: takes float (n, 3, size, size) in 0 ... 1 (a fourth channel with ``masks.use: channel``), normalises
            for itself, and gives logits (n, classes); in eval mode.
        classes: in the order of the outputs.
        size: pixels of the square images.
        resize: how images become square: ``stretch``, ``crop`` or ``pad``.
        normalisations: per encoder, by its name: mean and standard deviation of RGB values in 0 ... 1.
        intensities: what stands for white in files of more than 8 bits, as in the training images; None where the
            checkpoint does not say, or these had none.
        views: in which an image is predicted; of several, probabilities are averaged.
        masks: None where the classifier sees images plain.
        masked_tests: whether its test images were masked by masks of their own (``experiment.test_masks: arm``).
        temperature: that logits are divided by; None where none could be fitted.
        calibration: what the temperature was fitted to, or why there is none.
        arm, target, fraction, replicate: of the run; None in a checkpoint that does not say.
        metadata: all that the checkpoint says.
    """

    path: Path
    name: str
    network: Classifier
    classes: tuple[str, ...]
    size: int
    resize: str
    normalisations: dict[str, Normalisation]
    intensities: Intensities | None
    views: tuple[int, ...]
    masks: SeenMasks | None
    masked_tests: bool
    temperature: float | None
    calibration: str
    arm: str | None
    target: str | None
    fraction: str | None
    replicate: str | None
    metadata: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Name and replicate, for readers; of a checkpoint that does not say, its folder and name."""
        if self.replicate:
            return f"{self.name}, replicate {self.replicate}"
        return f"{self.path.parent.name}/{self.name}"


def load(path: Path | str, mask_network: Path | str | None = None) -> TrainedModel:
    """Read a checkpoint of train_classifier.

    Args:
        mask_network: of predict_masks, for a classifier that sees images through predicted masks; None: looked for
            beside the checkpoint.

    Raises:
        UserError: the file is no classifier of this workflow, or of a run that diverged; a network of masks is given
            to a classifier that takes none, or is none.
    """
    path = Path(path)
    network, metadata = load_classifier(path)
    if metadata.get("state") == "diverged":
        raise UserError(f"{path} is of a run that diverged, and predicts nothing: give another one")
    run = metadata.get("run", {})
    white = metadata.get("intensities")
    temperature, calibration = _temperature(path, metadata)
    return TrainedModel(
        path=path,
        name=metadata.get("model", path.stem),
        network=network,
        classes=tuple(metadata["classes"]),
        size=metadata["image_size"],
        resize=metadata.get("resize", "stretch"),
        normalisations={
            name: encoder.normalisation for name, encoder in network.named_encoders().items()
        },
        intensities=Intensities(**white) if white else None,
        views=tuple(predicted_views(TrainingSettings(**metadata["training"]))),
        masks=_seen_masks(path, metadata, mask_network),
        masked_tests=metadata.get("test_masks") == "arm" and metadata["mask_use"] == "replace",
        temperature=temperature,
        calibration=calibration,
        arm=run.get("arm"),
        target=run.get("target"),
        fraction=run.get("fraction"),
        replicate=run.get("replicate"),
        metadata=metadata,
    )


def _seen_masks(
    path: Path, metadata: Mapping[str, Any], given: Path | str | None
) -> SeenMasks | None:
    seen = metadata.get("predicted_masks")
    if not seen:
        if given:
            raise UserError(
                f"{path} takes no network of masks, its arm sees images plain: leave out {given}"
            )
        return None
    source = Path(given) if given else path.parent / seen.get("network", "")
    network, size = None, 0
    if given or source.is_file():
        network, settings = load_unet(source)
        size = settings.size
    return SeenMasks(seen["use"], seen["crop_margin"], network, size, source)


def _temperature(path: Path, metadata: Mapping[str, Any]) -> tuple[float | None, str]:
    """The temperature of the validation predictions that lie beside a checkpoint, or why there is none."""
    named = metadata.get("validation")
    if not named:
        return None, NOT_NAMED
    beside = path.parent / named
    if not beside.is_file():
        return None, NOT_BESIDE
    found = read_predictions(beside)
    if found.probabilities is None:
        return None, "there are no predictions on validation images"
    temperature, reason = fit_temperature(found.probabilities, found.labels)
    return (None, reason) if temperature is None else (temperature, FITTED_TO_VALIDATION)


def check_alike(models: Sequence[TrainedModel]) -> None:
    """Refuse models whose probabilities cannot be averaged.

    Raises:
        UserError: they differ in classes, or in how images are made.
    """
    first = models[0]
    for other in models[1:]:
        for what in ("classes", "size", "resize"):
            ours, theirs = (getattr(model, what) for model in (first, other))
            if ours != theirs:
                raise UserError(
                    f"{other.path} and {first.path} differ in {what} ({_words(theirs)}; {_words(ours)}): "
                    "give checkpoints of one target and one images section"
                )


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else json.dumps(value)
