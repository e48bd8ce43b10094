"""Config files read strictly: what YAML would swallow, or Snakemake answer without a file's name, is one line.

Snakemake reads the files of `--configfile` before the Snakefile. Of ours, only the profile comes before that: it calls
:func:`read_strictly`, which puts :func:`read_config_file` in the place of Snakemake's own.
"""

import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.settings import number_label
from fewlabels.workflow.config_values import check_values

TAG = "tag:yaml.org,2002:"
#: Text that YAML takes for a number of another base: 010 is 8, 1:30 is 90.
OTHER_BASES = re.compile(r"[-+]?(0[0-9_]+|[0-9_]+(:[0-9_.]+)+)")
#: What Snakemake itself reads of a config, and where the folders of others may begin.
PATHVARS = ("results", "logs", "benchmarks", "resources")
STARTS = ("results", "resources")


def read_config_file(path: Path | str) -> dict[Any, Any]:
    """Read a config file in YAML or JSON; an empty one, or one of remarks alone, changes nothing.

    Raises:
        UserError: the file is missing, is in another encoding or no YAML, holds something else than keys, a key twice,
            or what no key may hold (:func:`check_values`).
    """
    text = _text_of(path)
    try:
        try:
            values = json.loads(text, object_pairs_hook=functools.partial(_once, path))
        except ValueError:
            values = _read_yaml(path, text)
    except RecursionError:
        raise UserError(f"{path}: too much lies within one another: mend the brackets") from None
    try:
        check_values(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        found = "a list" if isinstance(values, list) else "a single value"
        raise UserError(f"{path} holds {found}: it must hold keys and values, as config.yaml does")
    if "pathvars" in values:
        _check_pathvars(path, values["pathvars"])
    return values


def _read_yaml(path: Path | str, text: str) -> Any:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_keys(path, node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise UserError(_told(path, text, error)) from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no YAML ({reason}): mend it") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}: put it in quotes if it is text") from None


def _once(path: Path | str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A section of JSON."""
    [(key, count)] = Counter(key for key, _ in pairs).most_common(1) or [("", 0)]
    if count > 1:
        raise UserError(f"{path}: the key '{key}' stands twice in one section: keep one of them")
    return dict(pairs)


def _text_of(path: Path | str) -> str:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"the config file {path} does not exist: mend its name") from None
    except OSError as error:
        raise UserError(
            f"the config file {path} can't be read ({error.strerror}): mend its name, or who may read it"
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: its text is not encoded in UTF-8: save it as UTF-8"
        ) from None


def _told(path: Path | str, text: str, error: yaml.MarkedYAMLError) -> str:
    """What is wrong in a file that is no YAML, and where."""
    # Of a quote without a partner, where it opens.
    open_quote = "quoted" in (error.context or "")
    mark = (error.context_mark if open_quote else None) or error.problem_mark
    if mark is None:
        return f"{path} is no YAML ({error.problem}): mend it"
    line = mark.line + 1
    lines = text.splitlines()
    place = f"{path}, line {line}"
    indent = lines[mark.line][: mark.column + 1] if mark.line < len(lines) else ""
    if "\t" in indent and not indent.strip():
        return f"{place}: it is indented by a tab: indent by spaces"
    told = " ".join(part for part in (error.context, error.problem) if part)
    return f"{place}: this is no YAML ({told}): mend it, or put a text with special characters in quotes"


def _check_pathvars(path: Path | str, pathvars: Any) -> None:
    """Refuse what Snakemake would answer before the config is checked."""
    if not isinstance(pathvars, dict):
        raise UserError(f"{path}: the key 'pathvars' must hold keys and values, as in config.yaml")
    for name, folder in pathvars.items():
        key = f"{path}: the key 'pathvars.{name}'"
        if name not in PATHVARS:
            raise UserError(f"{key} is unknown: {did_you_mean(str(name), PATHVARS)}")
        if not isinstance(folder, str) or not folder:
            raise UserError(
                f"{key} is {json.dumps(folder, default=str)}: give a folder, a number in quotes"
            )
        for other in re.findall("<([^<>]*)>", folder):
            if name in STARTS or other not in STARTS:
                raise UserError(
                    f"{key} is '{folder}', with <{other}>: only logs and benchmarks may name another, <results> or "
                    "<resources>"
                )


def _check_keys(path: Path | str, top: yaml.Node) -> None:
    """Refuse a key that stands twice in one section, a section that holds itself, and text that reads as a number."""
    seen: set[int] = set()

    def check(node: yaml.Node, above: tuple[str, ...], holders: tuple[int, ...]) -> None:
        if id(node) in holders:
            raise UserError(f"{path}: the key '{'.'.join(above)}' holds itself: mend its alias")
        if id(node) in seen:
            return
        seen.add(id(node))
        _check_number(path, node)
        for step, value in _below(path, node, above):
            check(value, (*above, step), (*holders, id(node)))

    check(top, (), ())


def _below(
    path: Path | str, node: yaml.Node, above: tuple[str, ...]
) -> Iterator[tuple[str, yaml.Node]]:
    """What a node holds, by key or number."""
    if isinstance(node, yaml.SequenceNode):
        yield from ((str(place), value) for place, value in enumerate(node.value))
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        # Keys of `<<` may stand beside it: those are meant to be replaced.
        if key.tag == f"{TAG}merge":
            continue
        name = _name_of(path, key)
        line = key.start_mark.line + 1
        if name in lines:
            full = ".".join([*above, name])
            raise UserError(
                f"{path}, lines {lines[name]} and {line}: the key '{full}' stands there twice: keep one of them"
            )
        lines[name] = line
        yield name, value


def _check_number(path: Path | str, node: yaml.Node) -> None:
    if node.tag in (f"{TAG}int", f"{TAG}float") and OTHER_BASES.fullmatch(node.value):
        raise UserError(
            f"{path}, line {node.start_mark.line + 1}: {node.value} would be read as the number "
            f"{yaml.safe_load(node.value)}: put it in quotes, or write that number"
        )


def _name_of(path: Path | str, key: yaml.Node) -> str:
    """A key as text; 50 and "50" are one key in the workflow."""
    _check_number(path, key)
    if key.tag == f"{TAG}str":
        return key.value
    if key.tag in (f"{TAG}int", f"{TAG}float"):
        return str(number_label(yaml.safe_load(key.value)))
    shown = key.value if isinstance(key, yaml.ScalarNode) else "in brackets"
    raise UserError(
        f"{path}, line {key.start_mark.line + 1}: the key {shown} is no text: put it in quotes"
    )


def _read_or_exit(path: Path | str) -> Mapping[Any, Any]:
    try:
        return read_config_file(path)
    except UserError as error:
        sys.exit(f"error: config: {error}")


def check_config_files(paths: Sequence[Path | str]) -> None:
    """Read config files that Snakemake may have read in its own way: in a run without our profile.

    Raises:
        UserError: as of :func:`read_config_file`.
    """
    for path in paths:
        try:
            read_config_file(path)
        except UserError as error:
            raise UserError(f"config: {error}") from None


def without_empty(paths: Sequence[Path]) -> list[Path]:
    """Those config files that say something: a job on a compute node reads them as Snakemake does, without a profile,
    and that refuses empty ones."""
    return [path for path in paths if read_config_file(path)]


def read_strictly() -> None:
    """Have Snakemake read its config files by :func:`read_config_file`, from now on."""
    import snakemake.common.configfile as reader
    import snakemake.settings.types as settings

    reader.load_configfile = _read_or_exit
    settings.load_configfile = _read_or_exit
