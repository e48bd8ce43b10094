"""Checks a whole config before anything runs; every complaint is one line with the remedy."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.networks.blocks import RESNET18_BLOCKS, blocks_of, expand_blocks


def fraction_label(fraction: float | int) -> str:
    """Label of a fraction in per cent, as in file names: ``100``, ``50``, ``0.5``.

    >>> fraction_label(1.0), fraction_label(0.5)
    ('1', '0.5')
    """
    return f"{fraction:.10g}"


def _key(path: Iterator[Any]) -> str:
    return ".".join(str(part) for part in path)


def _describe(error: ValidationError) -> str:
    key = _key(error.absolute_path)
    where = f"key '{key}'" if key else "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = sorted(str(name) for name in error.instance if name not in known)
        return f"unknown key '{unknown[0]}' in {where}: {did_you_mean(unknown[0], known)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"missing key '{missing[0]}' in {where}: copy it from config.yaml"
    if error.validator == "enum":
        known = [str(value) for value in error.validator_value]
        return f"{where} is '{error.instance}': {did_you_mean(str(error.instance), known)}"
    if error.validator == "not":
        return f"{where}: only the section classification has this key"
    return f"{where}: {error.message.splitlines()[0]}"


def _read_command_line_values(config: dict, validator: Draft202012Validator) -> None:
    """Snakemake leaves nested values of ``--config 'a={b: 3}'`` as text: read them as YAML where the
    schema wants another type."""
    for error in list(validator.iter_errors(config)):
        if error.validator in ("type", "enum") and isinstance(error.instance, str):
            *path, last = error.absolute_path
            parent = config
            for part in path:
                parent = parent[part]
            with contextlib.suppress(yaml.YAMLError):  # stays as it is, and wrong
                parent[last] = yaml.safe_load(error.instance)


def check_config(config: dict, schema: Path | str) -> None:
    """Check a config against the schema and its names against each other.

    Raises:
        UserError: the first thing that is wrong, as ``config: ...``.
    """
    validator = Draft202012Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
    _read_command_line_values(config, validator)
    errors = sorted(
        validator.iter_errors(config),
        # An unknown key is the likeliest slip, and often the cause of a missing one.
        key=lambda error: (error.validator != "additionalProperties", _key(error.absolute_path)),
    )
    if errors:
        raise UserError(f"config: {_describe(errors[0])}")
    try:
        _check_names(config)
    except UserError as error:
        raise UserError(f"config: {error}") from None


def _check_names(config: dict) -> None:
    _check_arms(config)
    _check_datasets(config)
    labels = [fraction_label(fraction) for fraction in config["subsets"]["fractions"]]
    if config["subsets"]["source"] == "given":
        for label in labels:
            if label != "100" and label not in config["subsets"]["given"]:
                raise UserError(
                    f"key 'subsets.given' has no folder for the fraction {label}: "
                    f"add one, or set subsets.source to drawn"
                )
    grouped = _check_splits(config)
    run = [*config["experiment"]["arms"], *grouped]
    for arm in config["table"]["figures"].values():
        if arm not in run:
            raise UserError(
                f"key 'table.figures' names the arm '{arm}', which experiment.arms does not run: "
                + did_you_mean(arm, run)
            )
    models = [*config["arms"], "pRCC_clustered_resnet", "resnet_cam16"]
    for model in config["table"]["reported"]:
        if model not in models:
            raise UserError(f"key 'table.reported' names '{model}': {did_you_mean(model, models)}")


def _check_arms(config: dict) -> None:
    declared = list(config["arms"])
    for arm in config["experiment"]["arms"]:
        if arm not in declared:
            raise UserError(f"key 'experiment.arms' names '{arm}': {did_you_mean(arm, declared)}")
    baseline = config["statistics"]["baseline"]
    if baseline not in declared:
        raise UserError(
            f"key 'statistics.baseline' names '{baseline}': {did_you_mean(baseline, declared)}"
        )
    channels = config["pretraining"]["prcc_autoencoder"]["channels"]
    divisor = 2 ** len(channels)
    if config["images"]["size"] % divisor:
        raise UserError(
            f"key 'images.size' must be a multiple of {divisor}: "
            f"the autoencoder halves the image {len(channels)} times"
        )
    for arm, recipe in config["arms"].items():
        names = [choice["encoder"] for choice in recipe["encoders"]]
        if len(set(names)) < len(names):
            raise UserError(f"key 'arms.{arm}.encoders' names an encoder twice: keep one of them")
        for choice in recipe["encoders"]:
            blocks = blocks_of(choice["encoder"], len(channels))
            _check_blocks(f"arms.{arm}", choice["trained"], blocks)
    for model in ("cam16", "prcc_clustered"):
        _check_blocks(
            f"pretraining.{model}", config["pretraining"][model]["trained"], RESNET18_BLOCKS
        )


def _check_splits(config: dict) -> list[str]:
    """Check the splits; give the names of the arms that they add."""
    if "grouped" not in config["experiment"]["splits"]:
        return []
    if config["subsets"]["source"] == "given":
        raise UserError(
            "key 'experiment.splits' asks for grouped, but given subsets belong to the given split: "
            "set subsets.source to drawn"
        )
    grouped = [grouped_arm(arm) for arm in config["experiment"]["arms"]]
    for arm in grouped:
        if arm in config["arms"]:
            raise UserError(
                f"key 'arms.{arm}': experiment.splits makes an arm of that name: choose another"
            )
    return grouped


def _check_blocks(key: str, names: list[str], blocks: tuple[str, ...]) -> None:
    try:
        expand_blocks(names, blocks)
    except UserError as error:
        raise UserError(f"key '{key}.trained': {error}") from None


def _check_datasets(config: dict) -> None:
    for name, dataset in config["datasets"].items():
        _check_dataset(f"datasets.{name}", dataset, dataset.get("classes", []))
    for name, dataset in config["external"].items():
        if name in config["datasets"]:
            raise UserError(f"key 'external.{name}': a data set has that name: choose another")
        _check_dataset(f"external.{name}", dataset, config["datasets"]["wbc"]["classes"])


def _check_dataset(key: str, dataset: dict, classes: list[str]) -> None:
    pattern = dataset.get("group_pattern")
    if pattern is not None:
        try:
            groups = set(re.compile(pattern).groupindex)
        except re.error as error:
            raise UserError(
                f"key '{key}.group_pattern' is no regular expression ({error}): mend it"
            ) from None
        if not groups or groups - {"slide", "field"}:
            raise UserError(
                f"key '{key}.group_pattern' must name the groups (?P<slide>...) "
                f"and, if wanted, (?P<field>...), and no others"
            )
    for alias, target in dataset.get("aliases", {}).items():
        if target not in classes:
            raise UserError(
                f"key '{key}.aliases.{alias}' names the class '{target}': "
                + did_you_mean(target, classes)
            )


def _with_text_keys(value: Any) -> Any:
    """Copy a config with numbers among the keys as text, a later key in an equal earlier one's place."""
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    numbers = {key: fraction_label(key) for key in value if isinstance(key, (int, float))}
    return {numbers.get(key, key): _with_text_keys(item) for key, item in value.items()}


def normalise_config(config: dict) -> None:
    """Undo, in place, what YAML 1.1 makes of an unquoted ``off`` (false) and of a fraction as key (a number)."""
    config.update(_with_text_keys({key: config.pop(key) for key in list(config)}))
    arms, pretraining = config.get("arms"), config.get("pretraining")
    recipes = list(arms.values()) if isinstance(arms, dict) else []
    recipes += [pretraining.get("cam16")] if isinstance(pretraining, dict) else []
    for recipe in recipes:
        if isinstance(recipe, dict) and recipe.get("masks") is False:
            recipe["masks"] = "off"


def grouped_arm(arm: str) -> str:
    """Name of the arm that follows the recipe of ``arm`` on the grouped split."""
    return f"{arm}Grouped"


def add_grouped_arms(config: dict) -> None:
    """Where experiment.splits asks for it, declare and list, in place, a grouped copy of every listed arm."""
    experiment, arms = config["experiment"], config["arms"]
    if "grouped" not in experiment["splits"]:
        return
    given = [arm for arm in experiment["arms"] if arms[arm].get("split") != "grouped"]
    for arm in given:
        title = f"{arms[arm]['title']}, split by slide"
        arms[grouped_arm(arm)] = {**arms[arm], "title": title, "split": "grouped"}
    experiment["arms"] = [*given, *map(grouped_arm, given)]
