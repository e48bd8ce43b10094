"""From what Snakemake read to a checked config; every complaint is one line with the remedy."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.settings import TrainingSettings, describe, number_label
from fewlabels.data.layouts import Layout, check_layout
from fewlabels.workflow.config_model import Config, Dataset, External

#: Where keys of the config's earlier form went; what stands below a section comes before it.
MOVED = {
    "weights.resnet18": "backbones.imagenet_resnet18.weights (imagenet: default)",
    "weights.vgg16": "backbones.imagenet_vgg16.weights (imagenet: default)",
    "weights.seed": "backbones.<name>.seed",
    "weights": "backbones.<name>.weights",
    "classification.selection": "experiment.selection",
    "classification": "training.classification",
    "pretraining.seed": "pretraining.<name>.seed",
    "pretraining.cam16": "pretraining.resnet_cam16",
    "pretraining.prcc_features.layer": "pretraining.prcc_feature.node (1: classifier.1, 2: classifier.4)",
    "pretraining.prcc_features": "pretraining.prcc_feature",
    "pretraining.prcc_clusters": "pretraining.prcc_cluster_label",
    "pretraining.prcc_clustered.test_share": "datasets.prcc.holdout",
    "pretraining.prcc_clustered": "pretraining.pRCC_clustered_resnet",
    "pretraining.prcc_autoencoder.test_share": "datasets.prcc.holdout",
    "pretraining.prcc_autoencoder": "pretraining.pRCC_autoencoder",
    "table.reported.resnet": "table.reported.wbc.resnet",
    "table.reported.combinedNet": "table.reported.wbc.combinedNet",
    "table.reported.combinedNetClustered": "table.reported.wbc.combinedNetClustered",
    "table.reported.pRCC_clustered_resnet": "table.reported.prcc.pRCC_clustered_resnet",
    "table.reported.resnet_cam16": "table.reported.cam16.resnet_cam16",
    "compute.activations": "compute.feature_cache",
    "compute.activations_gb": "compute.feature_cache_gb",
}

#: Endings of the files beside a data set's images: what they hold.
IMAGE_FILES = {
    "_index": "the index",
    "_problems": "the problems",
    "_masks": "the masks",
    "_grouped": "the grouped split",
}
#: Names that files of the workflow have in the same folder.
RESERVED = {"datasets": "check_datasets", "pretraining": "slide_only"}


def load_config(raw: Mapping[str, Any], overlay: Mapping[str, Any] | None = None) -> Config:
    """Check what Snakemake read from all files and the command line.

    Args:
        overlay: what of it is not from config.yaml. Where a key is a number there and text here (``50`` and ``"50"``),
            Snakemake takes them for two keys, and the overlay's would be lost.

    Raises:
        UserError: the first thing that is wrong, as ``config: ...``.
    """
    raw = merged(with_text_keys(raw), with_text_keys(overlay or {}))
    try:
        _check_moved(raw)
        try:
            config = Config(**raw)
        except ValidationError as error:
            raise UserError(describe(error, Config)) from None
        _check_datasets(config)
        _check_splits(config)
        _check_subsets(config)
    except UserError as error:
        raise UserError(f"config: {error}") from None
    return config


def with_text_keys(values: Any) -> Any:
    """Nested maps with numbers among their keys as text; of equal keys, a later one replaces an earlier one."""
    if isinstance(values, Mapping):
        found: dict[Any, Any] = {}
        for key, value in values.items():
            found = merged(found, {number_label(key): with_text_keys(value)})
        return found
    return values


def merged(base: Mapping[Any, Any], overlay: Mapping[Any, Any]) -> dict[Any, Any]:
    """Nested maps laid over others, as Snakemake does it."""
    found = dict(base)
    for key, value in overlay.items():
        below = found.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            value = merged(below, value)
        found[key] = value
    return found


def _check_moved(raw: Mapping[str, Any]) -> None:
    for old, new in MOVED.items():
        place: Any = raw
        *above, last = old.split(".")
        for step in above:
            place = place.get(step) if isinstance(place, Mapping) else None
        found = place.get(last) if isinstance(place, Mapping) else None
        # A pretraining of one's own may bear an old section's name: it says its method.
        if found is not None and not (isinstance(found, Mapping) and "method" in found):
            raise UserError(f"key '{old}' is now {new}: see CHANGELOG.md")


def _check_datasets(config: Config) -> None:
    if config.target not in config.datasets:
        raise UserError(
            f"key 'target' names '{config.target}': "
            + did_you_mean(config.target, list(config.datasets))
        )
    _check_file_names(config)
    for name, dataset in config.datasets.items():
        check_layout(f"datasets.{name}", dataset)
    for name, external in config.external.items():
        if name in config.datasets:
            raise UserError(f"key 'external.{name}': a data set has that name: choose another")
        check_layout(f"external.{name}", external_layout(config, external))
    check_target(config.target, config.datasets[config.target])


def _check_file_names(config: Config) -> None:
    """Refuse names whose files another thing writes."""
    sections = dict.fromkeys(config.datasets, "datasets") | dict.fromkeys(
        config.external, "external"
    )
    for name, section in sections.items():
        for ending, what in IMAGE_FILES.items():
            other = name.removesuffix(ending)
            if other != name and other in sections:
                raise UserError(
                    f"key '{section}.{name}': {what} of {other} have that name: choose another"
                )
    for section, name in RESERVED.items():
        if name in getattr(config, section):
            raise UserError(
                f"key '{section}.{name}': a file of the workflow's has that name: choose another"
            )


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
        table=external.table,
        images="" if external.table else external.images,
        classes=target.classes,
        aliases=target.aliases if external.aliases is None else external.aliases,
        group_pattern=external.group_pattern,
    )


def _check_splits(config: Config) -> None:
    if "given" not in config.experiment.splits:
        raise UserError("key 'experiment.splits' lacks given, beside which grouped is run: add it")


def _check_subsets(config: Config) -> None:
    if config.subsets.source == "drawn":
        return
    if "grouped" in config.experiment.splits:
        raise UserError(
            "key 'experiment.splits' asks for grouped, but given subsets belong to the given split: "
            "set subsets.source to drawn"
        )
    for label in fraction_labels(config.subsets.fractions):
        if label != "100" and label not in config.subsets.given:
            raise UserError(
                f"key 'subsets.given' has no folder for the fraction {label}: "
                "add one, or set subsets.source to drawn"
            )


def fraction_labels(fractions: Iterable[float]) -> list[str]:
    """Fractions in per cent, as in file names: ``100``, ``0.5``."""
    return [f"{fraction:.10g}" for fraction in fractions]


def training_settings(sections: Mapping[str, Mapping[str, Any]]) -> TrainingSettings:
    """Settings of one training.

    Args:
        sections: key in the config -> the settings there; each overrides those before it.

    Raises:
        UserError: a key is unknown, missing or wrong; names the section that it stands in.
    """
    found: dict[str, Any] = {}
    section_of: dict[str, str] = {}
    for section, settings in sections.items():
        given = {name: value for name, value in settings.items() if value is not None}
        found |= given
        section_of |= dict.fromkeys(given, section)
    first = next(iter(sections))
    try:
        return TrainingSettings(**found)
    except ValidationError as error:
        reason = describe(error, TrainingSettings, lambda key: section_of.get(key, first))
        raise UserError(f"config: {reason}") from None
