"""Pretrain by one of the methods that the config declares: `pretrain.py METHOD --help` describes each."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from fewlabels.core.cli import make_parser, run_script
from fewlabels.pretraining.settings import METHODS


def method_module(name: str) -> ModuleType:
    """The module of a method; only that of the asked one is loaded, as some need torch and some don't."""
    return importlib.import_module(f"fewlabels.pretraining.{name}")


def build_parser(method: str | None = None) -> argparse.ArgumentParser:
    """The whole command line, or that of one method alone."""
    if method is not None:
        module = method_module(method)
        parser = make_parser(module.__doc__)
        parser.prog = f"pretrain.py {method}"
        module.add_arguments(parser)
        parser.set_defaults(method=method)
        return parser
    methods = [f"{name:<14}{section.__doc__}" for name, section in METHODS.items()]
    parser = make_parser("\n".join([__doc__, "", *methods]))
    parser.add_argument("method", choices=METHODS)
    return parser


def run(arguments: argparse.Namespace) -> None:
    method_module(arguments.method).run(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    method = words[0] if words and words[0] in METHODS else None
    if method is None:
        build_parser().parse_args(words[:1] or ["--help"])
        return 2
    return run_script(run, build_parser(method), words[1:])


if __name__ == "__main__":
    raise SystemExit(main())
