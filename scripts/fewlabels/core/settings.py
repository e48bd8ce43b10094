"""Settings as checked values: the base of every section of the config, and the settings of training.

A section is declared once, as a class: its types and bounds check the config, its descriptions document it
(docs/configuration.md), and scripts read the same class from JSON.
"""

import argparse
import json
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fewlabels.core.errors import did_you_mean


def number_label(value: object) -> object:
    """A number as text, as in file names; anything else as it is.

    >>> number_label(1.0), number_label(0.5), number_label("a")
    ('1', '0.5', 'a')
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.10g}"
    return value


def _off(value: object) -> object:
    return "off" if value is False else value  # YAML 1.1 reads an unquoted off as false


#: Text that YAML may have read as a number, such as the class name 0.
Label = Annotated[str, BeforeValidator(number_label), Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(gt=0, lt=1)]
MaskUse = Annotated[Literal["off", "replace", "append"], BeforeValidator(_off)]
#: Blocks open for updates, by their names or those of stages.
Blocks = list[str] | Literal["all"]
BatchNorm = Literal["trained", "frozen"]


class Section(BaseModel):
    """One section: unknown keys are refused; ``null`` stands for a key's default, and takes an entry of a map away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        kept = {}
        for key, value in values.items():
            field = cls.model_fields.get(key)
            if value is None and field is not None and not field.is_required():
                continue
            if isinstance(value, dict):
                value = {
                    number_label(name): entry
                    for name, entry in value.items()
                    if entry is not None or (field is not None and _is_section(field.annotation))
                }
            kept[key] = value
        return kept

    def plain(self, *without: str) -> dict[str, Any]:
        """Plain values, for JSON, but for some keys."""
        return self.model_dump(mode="json", exclude=set(without))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a section from JSON, for a command line.

        Raises:
            argparse.ArgumentTypeError: a key is missing, unknown or wrong.
        """
        try:
            return cls(**json.loads(text))
        except ValidationError as error:
            raise argparse.ArgumentTypeError(describe(error, cls)) from None


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _keys_at(model: Any, path: tuple) -> list[str]:
    """The keys that a section knows, found by walking its annotations."""
    for step in path:
        fields = getattr(model, "model_fields", {})
        if step in fields:
            model = fields[step].annotation
        else:
            # An entry of a map, or a member of a union, whose tag pydantic puts into the path.
            members = [
                get_args(member)[0] if get_origin(member) is Annotated else member
                for member in get_args(model)
            ]
            named = [m for m in members if step in _tags(m)]
            inner = [m for m in members if _is_section(m) or get_args(m)]
            model = named[0] if named else inner[-1] if inner else model
    return list(getattr(model, "model_fields", {}))


def _tags(model: Any) -> tuple:
    method = getattr(model, "model_fields", {}).get("method")
    return getattr(method.annotation, "__args__", ()) if method else ()


def key_of(location: tuple) -> str:
    """A place in a config as a dotted key."""
    return ".".join(str(part) for part in location)


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, in one line: an unknown key before others, as it is often their cause."""
    errors = sorted(
        error.errors(), key=lambda e: (e["type"] != "extra_forbidden", key_of(e["loc"]))
    )
    first = errors[0]
    *above, last = first["loc"] or ("",)
    above_key = key_of(tuple(part for part in above if part not in _METHOD_NAMES))
    where = f"key '{above_key}'" if above_key else "the top level"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, tuple(above))
        return f"unknown key '{last}' in {where}: {did_you_mean(str(last), known)}"
    if first["type"] == "missing":
        return f"missing key '{last}' in {where}: copy it from config.yaml"
    key = key_of(tuple(part for part in first["loc"] if part not in _METHOD_NAMES))
    if first["type"] == "literal_error":
        known = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"key '{key}' is '{first['input']}': {did_you_mean(str(first['input']), known)}"
    if first["type"] == "union_tag_invalid":
        known = first["ctx"]["expected_tags"].replace("'", "").split(", ")
        return f"key '{key}.method' is '{first['ctx']['tag']}': {did_you_mean(first['ctx']['tag'], known)}"
    if first["type"] == "union_tag_not_found":
        return f"missing key 'method' in key '{key}': say how it is pretrained"
    return f"key '{key}': {first['msg'][0].lower()}{first['msg'][1:]} (it is {first['input']!r})"


#: Tags that pydantic puts into an error's place and that are no keys.
_METHOD_NAMES = {"supervised", "autoencoder", "extract", "cluster"}


class TrainingSettings(Section):
    """How a network is trained; the same for the target's classifiers and for pretraining."""

    epochs: int = Field(ge=1, description="passes over the training images, and evaluations")
    min_steps: int = Field(
        0,
        ge=0,
        description="at least so many optimiser steps: few images are passed over more often, with the schedule "
        "stretched; evaluated as often as `epochs` says; 0: as many as the epochs make",
    )
    batch_size: int = Field(ge=2)
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    schedule: Literal["constant", "cosine"] = Field(description="of the learning rate, per epoch")
    class_weights: Literal["none", "balanced"] = Field("none", description="of the loss")
    flips: bool = Field(description="horizontal and vertical, drawn for each image")
    rotation: Literal["none", "right_angles", "any"] = Field(
        description="right_angles: exact; any: bilinear, reflected borders"
    )


class EncoderChoice(Section):
    """One encoder of an arm."""

    encoder: str = Field(description="a backbone, or a pretraining that gives an encoder")
    trained: Blocks = Field(
        description="blocks or stages open for updates, or `all`; []: the encoder is frozen"
    )
    batch_norm: BatchNorm = Field(
        "trained",
        description="of the open blocks; `frozen` keeps their running statistics, as small batches ask for",
    )
