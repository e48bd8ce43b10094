"""From what Snakemake read to a checked config; every complaint is one line with the remedy."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from pydantic import ValidationError

from fewlabels.core.config_paths import EXPANDING
from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.fractions import per_cent_labels
from fewlabels.core.settings import TrainingSettings, describe, number_label
from fewlabels.data.layouts import Layout, check_layout
from fewlabels.workflow.config_model import Config, Dataset, External
from fewlabels.workflow.config_values import check_values
from fewlabels.workflow.names import check_input_paths, check_names, check_pathvars

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
    "masks.threshold": "datasets.<name>.mask_foreground (auto, or a number: at least that value)",
    "compute.activations": "compute.feature_cache",
    "compute.activations_gb": "compute.feature_cache_gb",
}


def load_config(raw: Mapping[str, Any], overlay: Mapping[str, Any] | None = None) -> Config:
    """Check what Snakemake read from all files and the command line.

    Args:
        overlay: what of it is not from config.yaml. Where a key is a number there and text here (``50`` and ``"50"``),
            Snakemake takes them for two keys, and the overlay's would be lost.

    Raises:
        UserError: the first thing that is wrong, as ``config: ...``.
    """
    try:
        for values in (raw, overlay):
            check_values(values)
        raw = merged(with_text_keys(raw), with_text_keys(overlay or {}))
        _check_moved(raw)
        _check_shares(raw)
        try:
            config = Config.model_validate(raw, context=EXPANDING)
        except ValidationError as error:
            raise UserError(describe(error, Config)) from None
        check_names(config)
        check_pathvars(config.pathvars.plain())
        check_input_paths(config)
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


def _check_shares(raw: Mapping[str, Any]) -> None:
    """Refuse fractions that are shares of 1 in all likelihood, as they are per cent."""
    subsets, crossed = (_section(raw, *path) for path in (("subsets",), ("experiment", "crossed")))
    fractions = subsets.get("fractions")
    if _are_shares(fractions):
        raise UserError(
            f"key 'subsets.fractions' is {fractions}, in per cent: did you mean {_as_per_cent(fractions)}? "
            f'If per cent is meant, put them in quotes, as in ["{fractions[-1]:g}"]'
        )
    known = {number_label(value) for value in fractions} if isinstance(fractions, list) else set()
    wanted = crossed.get("fractions")
    if _are_shares(wanted) and not {number_label(value) for value in wanted} <= known:
        raise UserError(
            f"key 'experiment.crossed.fractions' is {wanted}, in per cent: did you mean {_as_per_cent(wanted)}?"
        )
    given = subsets.get("given")
    for label in given if isinstance(given, Mapping) else ():
        meant = _as_per_cent([float(label)]) if _reads_as_share(label) else "[]"
        if label not in known and meant[1:-1] in known:
            raise UserError(
                f"key 'subsets.given' has the fraction {label}, in per cent: did you mean {meant[1:-1]}?"
            )


def _section(raw: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """A section of a config that is not checked yet."""
    found: Any = raw
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _are_shares(fractions: Any) -> TypeGuard[list[float]]:
    """Whether all are written with a decimal point, and none is above 1."""
    return (
        isinstance(fractions, list)
        and bool(fractions)
        and all(isinstance(value, float) and 0 < value <= 1 for value in fractions)
    )


def _reads_as_share(label: Any) -> bool:
    try:
        return 0 < float(label) < 1
    except (TypeError, ValueError):
        return False


def _as_per_cent(shares: Iterable[float]) -> str:
    return "[" + ", ".join(per_cent_labels(100 * share for share in shares)) + "]"


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
        table=external.table,
        images="" if external.table else external.images,
        classes=target.classes,
        aliases=target.aliases if external.aliases is None else external.aliases,
        group_pattern=external.group_pattern,
        white_level=external.white_level,
    )


def _check_splits(config: Config) -> None:
    if "given" not in config.experiment.splits:
        raise UserError("key 'experiment.splits' lacks given, beside which grouped is run: add it")


def _check_subsets(config: Config) -> None:
    subsets = config.subsets
    if not subsets.fractions and not subsets.per_class:
        raise UserError(
            "key 'subsets.fractions' is [], and so is subsets.per_class: give at least one number in either"
        )
    if subsets.source == "drawn":
        return
    if subsets.per_class:
        raise UserError(
            f"key 'subsets.per_class' is {subsets.per_class}, but given subsets are in per cent: set it to [], or "
            "subsets.source to drawn"
        )
    if "grouped" in config.experiment.splits:
        raise UserError(
            "key 'experiment.splits' asks for grouped, but given subsets belong to the given split: "
            "set subsets.source to drawn"
        )
    for label in per_cent_labels(subsets.fractions):
        if label != "100" and label not in subsets.given:
            raise UserError(
                f"key 'subsets.given' has no folder for the fraction {label}: "
                "add one, or set subsets.source to drawn"
            )


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
