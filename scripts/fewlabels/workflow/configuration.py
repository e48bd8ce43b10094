"""From what Snakemake read to a checked config; every complaint is one line with the remedy."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.settings import TrainingSettings, describe
from fewlabels.data.layouts import Layout, check_layout
from fewlabels.workflow.config_model import Config, Dataset, External

#: Where keys of the config's earlier form went.
MOVED = {
    "weights": "backbones.<name>.weights",
    "classification": "training.classification (its selection: experiment.selection)",
    "pretraining.seed": "pretraining.<name>.seed",
    "pretraining.cam16": "pretraining.resnet_cam16",
    "pretraining.prcc_features": "pretraining.prcc_feature",
    "pretraining.prcc_clusters": "pretraining.prcc_cluster_label",
    "pretraining.prcc_clustered": "pretraining.pRCC_clustered_resnet",
    "pretraining.prcc_autoencoder": "pretraining.pRCC_autoencoder",
    "compute.activations": "compute.feature_cache",
    "compute.activations_gb": "compute.feature_cache_gb",
}


def load_config(raw: Mapping[str, Any]) -> Config:
    """Check what Snakemake read from all files and the command line.

    Raises:
        UserError: the first thing that is wrong, as ``config: ...``.
    """
    try:
        _check_moved(raw)
        try:
            config = Config(**raw)
        except ValidationError as error:
            raise UserError(describe(error, Config)) from None
        _check_datasets(config)
        _check_subsets(config)
    except UserError as error:
        raise UserError(f"config: {error}") from None
    return config


def _check_moved(raw: Mapping[str, Any]) -> None:
    for old, new in MOVED.items():
        place: Any = raw
        *above, last = old.split(".")
        for step in above:
            place = place.get(step) if isinstance(place, Mapping) else None
        if isinstance(place, Mapping) and last in place:
            raise UserError(f"key '{old}' is now {new}: see CHANGELOG.md")


def _check_datasets(config: Config) -> None:
    if config.target not in config.datasets:
        raise UserError(
            f"key 'target' names '{config.target}': "
            + did_you_mean(config.target, list(config.datasets))
        )
    for name, dataset in config.datasets.items():
        check_layout(f"datasets.{name}", dataset)
    for name, external in config.external.items():
        if name in config.datasets:
            raise UserError(f"key 'external.{name}': a data set has that name: choose another")
        check_layout(f"external.{name}", external_layout(config, external))
    check_target(config.target, config.datasets[config.target])


def check_target(name: str, target: Dataset) -> None:
    """Refuse a target that can't be classified.

    Raises:
        UserError: it has no labels or no test images.
    """
    if len(target.classes) < 2:
        raise UserError(
            f"key 'datasets.{name}.classes': the target needs labels of at least two classes: list them"
        )
    if not target.has_test:
        raise UserError(
            f"key 'datasets.{name}': the target needs test images: set splits.test or holdout"
        )


def external_layout(config: Config, external: External) -> Layout:
    """Where the images of a further test set lie; its classes are the target's."""
    target = config.datasets[config.target]
    return Layout(
        folder=external.folder,
        images=external.images,
        classes=target.classes,
        aliases=target.aliases if external.aliases is None else external.aliases,
        group_pattern=external.group_pattern,
    )


def _check_subsets(config: Config) -> None:
    if config.subsets.source == "drawn":
        return
    if "grouped" in config.experiment.splits:
        raise UserError(
            "key 'experiment.splits' asks for grouped, but given subsets belong to the given split: "
            "set subsets.source to drawn"
        )
    for label in fraction_labels(config):
        if label != "100" and label not in config.subsets.given:
            raise UserError(
                f"key 'subsets.given' has no folder for the fraction {label}: "
                "add one, or set subsets.source to drawn"
            )


def fraction_labels(config: Config) -> list[str]:
    """The fractions in per cent, as in file names: ``100``, ``0.5``."""
    return [f"{fraction:.10g}" for fraction in config.subsets.fractions]


def training_settings(key: str, *layers: Mapping[str, Any]) -> TrainingSettings:
    """Settings of one training: each layer overrides those before it.

    Args:
        key: of the last layer, for complaints.

    Raises:
        UserError: a key is unknown, missing or wrong.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {name: value for name, value in layer.items() if value is not None}
    try:
        return TrainingSettings(**merged)
    except ValidationError as error:
        reason = describe(error, TrainingSettings)
        raise UserError(f"config: {reason.replace('the top level', key)} (in {key})") from None
