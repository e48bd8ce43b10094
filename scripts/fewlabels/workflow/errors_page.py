"""docs/errors.md: every line with which a step ends for a user's mistake, from the sources that raise it.

Run as a module it writes the page to its argument:
  python -m fewlabels.workflow.errors_page docs/errors.md
"""

import argparse
import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_text
from fewlabels.workflow.commands_page import cell

SCRIPTS = Path(__file__).resolve().parents[2]
#: What stands for a name, a number or a path.
OPEN = "…"
#: Heading -> where its messages are raised: the first that fits, below scripts/.
PLACES = {
    "The config": (
        *("fewlabels/workflow/config", "fewlabels/workflow/experiment", "fewlabels/workflow/names"),
        *("fewlabels/workflow/frozen", "fewlabels/workflow/pretraining", "fewlabels/data/layouts"),
        *("fewlabels/workflow/start_checks", "fewlabels/core/fractions", "fewlabels/core/settings"),
        "fewlabels/core/config_paths",
    ),
    "Images, tables and masks": (
        *("fewlabels/data", "fewlabels/audit", "index_images", "pack_images", "apply_masks"),
        *("draw_subsets", "split_by_group", "predict_masks", "publish_images", "report_data"),
    ),
    "Networks and weights": ("fewlabels/networks", "fetch_weights", "check_networks"),
    "Training and pretraining": (
        *("fewlabels/training", "fewlabels/pretraining", "train_", "cache_", "replay_"),
        "check_determinism",
    ),
    "Trained models": ("fewlabels/deployment", "predict", "export_model"),
    "Containers and machines": (
        *("fewlabels/workflow/containers", "build_container", "fewlabels/core/gpus", "doctor"),
        *("fewlabels/workflow/dependencies", "fewlabels/workflow/plan"),
    ),
    "Tables and results": ("",),
}
INTRODUCTION = """\
# Every error line

Made by `make configuration` from the sources; edit those, not this page. [Troubleshooting](troubleshooting.md) tells of
what is met most often.

A mistake that you can mend ends a step with one line, `error: …`, in the terminal and in the step's log below
`results/logs/`. It names the file or the key, and behind the last colon what to do. Here `…` stands for names, numbers
and paths. What is wrong with images is told by kind: [Raw images](raw_images.md) lists the kinds.
"""


@dataclass(frozen=True)
class Message:
    """One message: what it says, and what it tells to do, each with … for what is filled in."""

    says: str
    remedy: str


def text_of(node: ast.expr) -> str:
    """What an expression comes to, with … for all that is not written out.

    >>> text_of(ast.parse("f'{path} is empty: ' + did_you_mean(a, b)", mode="eval").body)
    '… is empty: did you mean …?'
    """
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value) if isinstance(node.value, ast.Call) else OPEN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "did_you_mean":
        return f"did you mean {OPEN}?"
    return OPEN


def message_of(text: str) -> Message | None:
    """A message's two parts; None where it only hands on that of another place."""
    flat = re.sub(rf"{OPEN}(?: ?{OPEN})+", OPEN, " ".join(text.split()))
    # Behind the last colon, but for that of a setting or of a list.
    parted = re.fullmatch(rf"(.*): (?!ema\b|{OPEN}$)(.*)", flat)
    says, remedy = parted.groups() if parted else (flat, "")
    if not re.search("[a-z]", says):
        says, remedy = flat, ""
    # `config: …`, `--fraction …`: what is said is told where it is found out.
    if remedy == OPEN or not re.search(
        "[a-z]{3}", re.sub(r"--[a-z-]+|config:|key '\S*'", "", flat)
    ):
        return None
    return Message(says, remedy)


def messages_in(source: str) -> Iterator[Message]:
    """The messages that a Python source raises for users, in its order."""
    calls = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args
    )
    kinds = ("UserError", "DivergedError")
    raised = (call for call in calls if getattr(call.func, "id", "") in kinds)
    for call in sorted(raised, key=lambda call: call.lineno):
        if message := message_of(text_of(call.args[0])):
            yield message


def heading_of(path: str) -> str:
    """The heading below which the messages of a source stand; its path is from scripts/ on."""
    return next(title for title, starts in PLACES.items() if path.startswith(starts))


def page() -> str:
    """The page's text."""
    found: dict[str, dict[Message, None]] = {title: {} for title in PLACES}
    for path in sorted(SCRIPTS.rglob("*.py")):
        title = heading_of(path.relative_to(SCRIPTS).as_posix())
        found[title].update(dict.fromkeys(messages_in(path.read_text(encoding="utf-8"))))
    lines = [INTRODUCTION]
    for title, messages in found.items():
        lines += [f"## {title}", "", "| it says | what to do |", "| --- | --- |"]
        told = sorted(messages, key=lambda message: message.says.lstrip(f"{OPEN} '\"").lower())
        lines += [f"| {cell(one.says)} | {cell(one.remedy) or '–'} |" for one in told]
        lines += [""]
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
