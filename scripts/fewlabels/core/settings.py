"""Settings as checked values: the base of every section of the config, and the settings of training.

A section is declared once, as a class: its types and bounds check the config, its descriptions document it
(docs/configuration.md), and scripts read the same class from JSON.
"""

import argparse
import json
import math
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, Self, TypeGuard, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from fewlabels.core.errors import did_you_mean


def number_label(value: object) -> object:
    """A number as text, as in file names; anything else as it is, and what is no number in truth (nan, infinity), too.

    >>> number_label(1.0), number_label(0.5), number_label("a")
    ('1', '0.5', 'a')
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    try:
        return f"{value:.10g}" if math.isfinite(value) else value
    except OverflowError:  # of more digits than a float holds
        return value


def _off(value: object) -> object:
    return "off" if value is False else value  # YAML 1.1 reads an unquoted off as false


#: Text that YAML may have read as a number, such as the class name 0.
Label = Annotated[str, BeforeValidator(number_label), Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(gt=0, lt=1)]
MaskUse = Annotated[Literal["off", "replace", "append"], BeforeValidator(_off)]
#: Blocks open for updates, by their names or those of stages.
Blocks = list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]] | Literal["all"]
BatchNorm = Literal["trained", "frozen"]


def map_entries(values: dict) -> dict[Any, Any]:
    """Entries of a map with numbers among its keys as text: a later one replaces or takes away an earlier one."""
    kept: dict[Any, Any] = {}
    for key, value in values.items():
        key = number_label(key)
        if value is None or value == "null":
            kept.pop(key, None)
        else:
            kept[key] = value
    return kept


def _is_number(annotation: Any) -> bool:
    """Whether numbers are wanted, by themselves or in lists and maps."""
    inner = get_args(annotation)
    if get_origin(annotation) is Literal or is_section(annotation):
        return False
    return annotation in (int, float) or any(_is_number(one) for one in inner)


def _truth_as_text(value: Any) -> Any:
    """True and False as they are written, within lists and maps, too: pydantic takes them for the numbers 1 and 0."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return [_truth_as_text(one) for one in value]
    if isinstance(value, dict):
        return {key: _truth_as_text(one) for key, one in value.items()}
    return value


def _stands_for_default(value: Any, field: FieldInfo) -> bool:
    """Whether a null was given; as "null" where Snakemake read it on the command line."""
    if field.is_required():
        return False
    return value is None or (value == "null" and field.default is None)


class Section(BaseModel):
    """One section: unknown keys are refused; ``null`` stands for a key's default, and takes an entry of a map away."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        kept: dict[Any, Any] = {}
        for key, value in values.items():
            field = cls.model_fields.get(key)
            if field is not None and _stands_for_default(value, field):
                continue
            if isinstance(value, dict) and not (field and is_section(field.annotation)):
                value = map_entries(value)
            kept[key] = _truth_as_text(value) if field and _is_number(field.annotation) else value
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


def is_section(annotation: Any) -> TypeGuard[type[Section]]:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _inside(annotation: Any, step: object) -> tuple[Any, bool]:
    """What lies at one step below an annotation, and whether the step is a key of the config (pydantic's
    places also name the members of unions)."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if is_section(annotation):
        field = annotation.model_fields.get(str(step))
        return (field.annotation if field else None), True
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (dict, list):
        return inner[-1], True
    if origin in (Union, UnionType):
        members = [member for member in inner if step in _tags(member)]
        return (members[0] if members else None), False
    return None, isinstance(step, int) or annotation is not None


def _tags(member: Any) -> tuple:
    """The values of ``method`` that a member of a union of sections stands for."""
    field = member.model_fields.get("method") if is_section(member) else None
    return get_args(field.annotation) if field else ()


def _locate(model: type[BaseModel], location: tuple) -> tuple[list[str], Any]:
    """The keys of a place in pydantic's words, and the annotation of what holds the last of them."""
    keys: list[str] = []
    annotation: Any = model
    holder: Any = model
    for step in location:
        found, is_key = _inside(annotation, step)
        if is_key:
            keys.append(str(step))
            holder = annotation
        annotation = found
    return keys, holder


def describe(
    error: ValidationError,
    model: type[BaseModel],
    section_of: Callable[[str], str] | None = None,
) -> str:
    """The first thing that is wrong, in one line: an unknown key before others, as it is often their cause.

    Args:
        section_of: the section that a key of the model stands in, where the model is put together from several.
    """
    errors = error.errors(include_url=False)
    first = min(
        errors, key=lambda e: (e["type"] != "extra_forbidden", ".".join(map(str, e["loc"])))
    )
    location = tuple(step for step in first["loc"] if step != "[key]")
    keys, holder = _locate(model, location)
    if section_of:
        keys = [section_of(keys[0]), *keys]
    key = ".".join(keys)
    above = ".".join(keys[:-1])
    where = f"key '{above}'" if above else "the top level"
    if first["type"] == "extra_forbidden":
        known = list(getattr(holder, "model_fields", {}))
        return f"unknown key '{keys[-1]}' in {where}: {did_you_mean(keys[-1], known)}"
    if first["type"] == "missing":
        return f"missing key '{keys[-1]}' in {where}: copy it from config.yaml"
    if first["type"] in ("literal_error", "union_tag_invalid"):
        expected = first["ctx"]["expected" if first["type"] == "literal_error" else "expected_tags"]
        given = str(first["ctx"].get("tag", first["input"]))
        known = expected.replace("'", "").replace(" or ", ", ").split(", ")
        key = f"{key}.method" if "tag" in first["ctx"] else key
        return f"key '{key}' is '{given}': {did_you_mean(given, known)}"
    if first["type"] == "union_tag_not_found":
        return f"missing key 'method' in key '{key}': it says how to pretrain"
    if first["type"] == "value_error":
        return f"key '{key}': {first['ctx']['error']}"
    if first["type"] in ("model_type", "model_attributes_type", "dict_type"):
        kind = "a list" if isinstance(first["input"], list) else repr(first["input"])
        return f"key '{key}' is {kind}: it must hold keys and values, as in config.yaml"
    complaint = first["msg"][0].lower() + first["msg"][1:]
    return f"key '{key}' is {first['input']!r}: {complaint}{_hint(first['type'], first['input'])}"


def _hint(kind: str, given: Any) -> str:
    """How to write what was probably meant."""
    if kind == "string_type" and given is not None and not isinstance(given, list | dict):
        return ": put it in quotes"
    if kind == "list_type" and isinstance(given, str | int | float):
        return f": write [{given}]"
    if kind in ("int_parsing", "float_parsing") and isinstance(given, str):
        try:
            meant = float(given.replace(",", "."))
        except ValueError:
            return ""
        # A hint must not be refused in turn.
        if math.isfinite(meant) and (kind == "float_parsing" or meant.is_integer()):
            return f": write {meant:.10g}"
    return ""


class TrainingSettings(Section):
    """How a network is trained; the same for the target's classifiers and for pretraining."""

    epochs: int = Field(ge=1, description="passes over the training images, and evaluations")
    min_steps: int = Field(
        0,
        ge=0,
        description="at least so many optimiser steps: few images are passed over more often, with the schedule "
        "stretched; evaluated as often as `epochs` says; 0: as many as the epochs make",
    )
    batch_size: int = Field(ge=2, description="images of one optimiser step, at most")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(description="sgd: with momentum 0.9")
    learning_rate: float = Field(gt=0, description="at the start")
    weight_decay: float = Field(ge=0, description="of the optimiser")
    head_learning_rate: float | None = Field(
        None, gt=0, description="of a classifier's linear head; null: as the rest"
    )
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        description="of the learning rate; cosine: per epoch; one_cycle: per step, up for a share `warmup`, then down"
    )
    warmup: Share = Field(0.3, description="of the steps, with schedule one_cycle")
    averaging: Literal["none", "ema", "mean"] = Field(
        "none",
        description="of weights, for evaluation and the result; ema: exponential, over steps; mean: of the last "
        "quarter of the epochs",
    )
    ema_decay: Share = Field(0.99, description="per step, with averaging ema")
    label_smoothing: float = Field(
        0, ge=0, lt=1, description="share of each target that is spread evenly over all classes"
    )
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled",
        description="of an epoch's images; balanced: as many, drawn with replacement, each class equally often",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="of the loss; balanced: rare classes count as much as frequent ones"
    )
    flips: bool = Field(description="horizontal and vertical, drawn for each image")
    rotation: Literal["none", "right_angles", "any"] = Field(
        description="right_angles: exact; any: bilinear, reflected borders"
    )
    colour_jitter: float = Field(
        0,
        ge=0,
        lt=1,
        description="brightness, contrast and saturation are changed by factors of up to 1 - and 1 + this",
    )
    test_views: Literal["one", "all"] = Field(
        "one",
        description="of images that are predicted; all: probabilities are averaged over the exact views that training "
        "draws",
    )
    test_every: int = Field(
        1, ge=1, description="evaluate at every so manieth evaluation alone, and at the last"
    )

    @property
    def changes_pixels(self) -> bool:
        """Whether training changes pixels otherwise than by the exact views, so that nothing can be computed before."""
        return self.rotation == "any" or self.colour_jitter > 0


class Unlabelled(Section):
    """How training images outside the subset are used, without their labels."""

    method: Annotated[Literal["off", "pseudo_labels", "mean_teacher"], BeforeValidator(_off)] = (
        Field(
            "off",
            description="agreement with a teacher, the mean weights of the training itself (`averaging: ema`); "
            "pseudo_labels: with its label where it is sure (FixMatch); mean_teacher: with its probabilities",
        )
    )
    per_labelled: int = Field(
        3, ge=1, le=64, description="unlabelled images of a step for each labelled one"
    )
    weight: float = Field(1, gt=0, description="of their loss, after the first 30 % of the steps")
    confidence: Share = Field(
        0.95, description="least probability of a label of the teacher, with pseudo_labels"
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
