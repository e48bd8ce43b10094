"""The jobs of a dry run: what Snakemake prints of each, and its command, read by its script's own parser."""

import argparse
import importlib
import json
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"^(?:local)?rule (\w+):\n((?: {4}.*\n)*)(?:Shell command: (.*)\n)?", re.MULTILINE
)

#: What the contents of a data set's files add to names of what is made of them.
STATE = re.compile(r"(?<=\w)_[0-9a-f]{12}(?=[/.,\n])")


def parser_of(script: str, method: str | None = None) -> argparse.ArgumentParser:
    """The parser of a script of the workflow; of pretrain.py, that of one method."""
    module = importlib.import_module(script)
    return module.build_parser(method) if method else module.build_parser()


def look_up(found: Any, place: str) -> Any:
    """What lies at a dotted place in a parsed value, with JSON read on the way; [] stands for each of a list."""
    for depth, step in enumerate(steps := place.split(".") if place else []):
        if isinstance(found, str):
            found = json.loads(found)
        if step == "[]":
            return [look_up(one, ".".join(steps[depth + 1 :])) for one in found]
        if isinstance(found, list | tuple):
            found = found[int(step)]
        else:
            found = found[step] if isinstance(found, dict) else getattr(found, step)
    return found


def log_sign(words: list[str]) -> int:
    """Place of the sign before the log: of all that is printed, or of what is no line for the terminal."""
    return min(place for place, word in enumerate(words) if word in (">", "2>"))


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        rule: its name.
        facts: what is printed below it: input, output, log, wildcards, ...
        command: its shell command.
    """

    rule: str
    facts: dict[str, str]
    command: str

    def listed(self, fact: str) -> list[str]:
        """A fact that is a list."""
        return self.facts[fact].split(", ") if self.facts.get(fact) else []

    @cached_property
    def inputs(self) -> list[str]:
        """Its input files, but for the program."""
        return [path for path in self.listed("input") if not path.startswith("scripts/")]

    @cached_property
    def program(self) -> list[str]:
        """The script and the modules among its input files."""
        return [path for path in self.listed("input") if re.fullmatch(r"scripts/.*\.py", path)]

    @cached_property
    def pairs(self) -> dict[str, str]:
        """Wildcards and resources: name -> value."""
        both = self.listed("wildcards") + self.listed("resources")
        return dict(pair.split("=", 1) for pair in both)

    @cached_property
    def words(self) -> list[str]:
        """The command behind `python`, without the log."""
        words = shlex.split(self.command)
        return words[words.index("python") + 1 : log_sign(words)]

    @property
    def log(self) -> str:
        """Where what it prints goes."""
        words = shlex.split(self.command)
        return words[log_sign(words) + 1]

    @property
    def script(self) -> str:
        return Path(self.words[0]).stem

    @property
    def method(self) -> str | None:
        """Of pretrain.py: how it pretrains."""
        return self.words[1] if self.script == "pretrain" else None

    @property
    def options(self) -> list[str]:
        """The options that are written out."""
        found = (re.match("(--[a-z0-9-]+)(=|$)", word) for word in self.words)
        return [option[1] for option in found if option]

    @property
    def values(self) -> list[str]:
        """The words behind options, also those that are joined to theirs by =."""
        return [re.sub("^--[a-z0-9-]+=", "", word) for word in self.words]

    @cached_property
    def arguments(self) -> argparse.Namespace:
        """What the script gets."""
        words = self.words[2:] if self.method else self.words[1:]
        return parser_of(self.script, self.method).parse_args(words)

    @property
    def printed(self) -> dict[str, str | None]:
        """Facts, wildcards, resources, method and the environment of the command."""
        words = shlex.split(self.command)
        environment = dict(word.split("=", 1) for word in words[: words.index("python")])
        return {**self.facts, **self.pairs, **environment, "method": self.method}

    def value(self, place: str) -> Any:
        """The value of an option, or what lies in it (``training.epochs``); ``printed.X``: a fact."""
        if place.startswith("printed."):
            return self.printed[place.removeprefix("printed.")]
        found = look_up(self.arguments, place)
        if isinstance(found, Path):
            return str(found)
        return list(found) if isinstance(found, tuple) else found


def read_jobs(printed: str) -> list[Job]:
    """The jobs that ``snakemake --dry-run --printshellcmds`` prints; names of states without their hashes."""
    jobs = []
    for rule, facts, command in BLOCK.findall(STATE.sub("", printed)):
        pairs = re.findall(r"^ {4}(\w+): (.*)$", facts, re.MULTILINE)
        jobs.append(Job(rule, dict(pairs), command))
    return jobs


@dataclass(frozen=True)
class DryRun:
    """A dry run: the config that it was given, its jobs, and what all of them are for."""

    config: dict[str, Any]
    jobs: list[Job]
    wanted: list[str]

    def select(self, asked: str) -> list[Job]:
        """The jobs of a rule; with some wildcards: ``train_classifier arm=resnet``."""
        rule, *wildcards = asked.split()
        wanted = dict(pair.split("=", 1) for pair in wildcards)
        found = [
            job for job in self.jobs if job.rule == rule and wanted.items() <= job.pairs.items()
        ]
        assert found, f"no job {asked} among {sorted({job.rule for job in self.jobs})}"
        return found

    def one(self, asked: str) -> Job:
        """The one job that this is."""
        (job,) = self.select(asked)
        return job
