"""docs/configuration.md: every key of the config, from the classes that check it.

Run as a module it writes the page to its argument:
  python -m fewlabels.workflow.configuration_page docs/configuration.md
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_text
from fewlabels.core.settings import Section, TrainingSettings, is_section
from fewlabels.pretraining.settings import METHODS
from fewlabels.workflow.config_model import Config
from fewlabels.workflow.configuration_examples import EXAMPLES, INTRODUCTION

CONFIG_FILE = Path(__file__).resolve().parents[3] / "config.yaml"
#: Sections whose keys stand open in the classes, as layers of settings: what their keys are.
LAYERS = {"training.defaults": TrainingSettings}
NAMES = {int: "whole number", float: "number", str: "text", bool: "true, false"}


@dataclass(frozen=True)
class Key:
    """One key of the config.

    Attributes:
        path: from the top, with <name> for an entry's name and <n> for its place in a list.
        kind: type and allowed values, in words.
        default: as JSON has it; empty where it must be given.
        meaning: what it is for.
        method: of pretraining; empty where a key is of no single one.
    """

    path: str
    kind: str
    default: str
    meaning: str
    method: str = ""


def _bounds(metadata: Sequence[Any]) -> str:
    """Limits of a number in words: ``, at least 1``."""
    words = {
        "ge": "at least {}",
        "gt": "above {}",
        "le": "at most {}",
        "lt": "below {}",
        "multiple_of": "a multiple of {}",
    }
    found = {
        name: f"{getattr(limit, name):.10g}"
        for limit in metadata
        for name in words
        if getattr(limit, name, None) is not None
    }
    closed = {"ge", "le"} <= found.keys()
    ends = f", {found.pop('ge')} to {found.pop('le')}" if closed else ""
    return ends + "".join(f", {words[name].format(value)}" for name, value in found.items())


def kind_of(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Type and allowed values of an annotation, in words.

    >>> kind_of(Literal["a", "b"]), kind_of(list[int]), kind_of(float | None)
    ('`a`, `b`', 'list: whole number', 'number; null')
    """
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        limits = [part for entry in more for part in getattr(entry, "metadata", [entry])]
        return kind_of(inner, [*limits, *metadata])
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inside)
    if origin in (Union, UnionType):
        return "; ".join("null" if part is type(None) else kind_of(part) for part in inside)
    if origin in (list, tuple):
        return f"list: {kind_of(inside[0])}"
    if origin is dict:
        return f"map to {kind_of(inside[1])}"
    if annotation is Any:
        return "value"
    return NAMES[annotation] + _bounds(metadata)


def shown(value: Any) -> str:
    """A value as YAML has it within a line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("...").strip()


def _default(field: FieldInfo, given: Any) -> str:
    """What a key is where nobody sets it: config.yaml's value, else that of the class."""
    if given is not None:
        return f"`{shown(given)}`"
    if field.is_required():
        return "required"
    value = field.default
    return f"`{shown(list(value) if isinstance(value, tuple) else value)}`"


def _inside(mapping: Any, key: str) -> Any:
    return mapping.get(key) if isinstance(mapping, Mapping) else None


def keys_of(section: type[Section], path: str, given: Any) -> Iterator[Key]:
    """The keys of a section, depth first.

    Args:
        path: of the section, empty at the top.
        given: what config.yaml has there; None where an entry of any name is meant.
    """
    for name, field in section.model_fields.items():
        yield from _keys_of_field(f"{path}.{name}".lstrip("."), field, _inside(given, name))


def _keys_of_field(path: str, field: FieldInfo, given: Any) -> Iterator[Key]:
    annotation: Any = field.annotation
    if is_section(annotation):
        yield from keys_of(annotation, path, given)
        return
    if path in LAYERS:
        yield from keys_of(LAYERS[path], path, given)
        return
    inside = get_args(annotation)
    if get_origin(annotation) is dict and path == "pretraining":
        yield from _keys_of_pretraining()
        return
    if get_origin(annotation) in (dict, list) and is_section(inside[-1]):
        entry = "<name>" if get_origin(annotation) is dict else "<n>"
        yield from keys_of(inside[-1], f"{path}.{entry}", None)
        return
    kind = kind_of(annotation, field.metadata)
    if get_origin(annotation) is dict and inside[1] is Any:
        kind = "map: keys of training.defaults"
    yield Key(path, kind, _default(field, given), field.description or "")


def _keys_of_pretraining() -> Iterator[Key]:
    """The method, then the keys of each."""
    path = "pretraining.<name>"
    yield Key(f"{path}.method", kind_of(Literal[tuple(METHODS)]), "required", "how to pretrain")
    for method, section in METHODS.items():
        for key in keys_of(section, path, None):
            if key.path.removeprefix(f"{path}.") != "method":
                yield replace(key, method=method)


def all_keys() -> list[Key]:
    """Every key of the config, in the order of the classes, with config.yaml's values as defaults."""
    given = yaml.safe_load(CONFIG_FILE.read_text(encoding="utf-8"))
    return list(keys_of(Config, "", given))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _table(keys: Sequence[Key]) -> list[str]:
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for key in keys:
        path = f"`{key.path}`"
        cells = [_cell(text) for text in (path, key.kind, key.default, key.meaning)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _sections(keys: Sequence[Key]) -> dict[str, list[Key]]:
    """Top-level section -> its keys; those that stand alone at the top come first, under ""."""
    found: dict[str, list[Key]] = {"": []}
    for key in keys:
        top, _, rest = key.path.partition(".")
        found.setdefault(top if rest else "", []).append(key)
    return found


def _described(section: str) -> str:
    """What the class of a section, or of its entries, says of it."""
    field = Config.model_fields[section]
    inside = get_args(field.annotation)
    model = inside[-1] if inside else field.annotation
    # A class without a docstring would show its base's.
    own = vars(model).get("__doc__") if is_section(model) else None
    return own.strip().splitlines()[0] if own else ""


def _lines_of_section(section: str, keys: Sequence[Key]) -> Iterator[str]:
    if section:
        yield from (f"### {section}", "")
    described = _described(section) if section else ""
    if described:
        yield from (described, "")
    yield from (*_table([key for key in keys if not key.method]), "")
    for method in METHODS if section == "pretraining" else ():
        yield from (f"`method: {method}`: {METHODS[method].__doc__}", "")
        yield from (*_table([key for key in keys if key.method == method]), "")


def page() -> str:
    """The page's text."""
    lines = [INTRODUCTION.strip(), "", "## Examples", ""]
    for title, text in EXAMPLES.items():
        lines += [f"### {title}", "", "```yaml", text.strip("\n"), "```", ""]
    lines += ["## Every key", ""]
    for section, keys in _sections(all_keys()).items():
        lines += _lines_of_section(section, keys)
    return "\n".join(lines).rstrip("\n") + "\n"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("page", help="file to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    write_text(arguments.page, page())


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
