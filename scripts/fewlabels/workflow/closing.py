"""What is said behind the last job: what was made and what to open first, or what failed and how to go on."""

import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from fewlabels.workflow.caches import human_size
from fewlabels.workflow.disk_needs import size_of
from fewlabels.workflow.progress import Step, duration, last_text

#: What a reader opens, in this order.
OPENED = {
    "report.html": "the report; open it in a browser, no network needed",
    "summary.md": "the table and its notes, as text",
    "figures/label_efficiency.png": "the primary metric against the number of labels",
    "comparisons.csv": "every comparison with its interval and verdict",
    "data.md": "what became of your raw images",
    "leakage/leakage.md": "what train and test images share",
}
#: Folders are named with their size from this on.
LARGE = 10e6
#: So many failed steps are told one by one.
TOLD = 5


def success_lines(
    results: Path, resources: Path, made: Collection[Path], steps: int, seconds: float
) -> list[str]:
    """What a run made.

    Args:
        made: the files that the run was there for, whether they were made now or before.
        steps: that ran now.
    """
    opened = [name for name in OPENED if results / name in made and (results / name).exists()]
    done = f"{steps} step{'' if steps == 1 else 's'}"
    lines = ["", f"Done: {done} in {duration(seconds)}. Results are in {results}/."]
    width = max((len(str(results / name)) for name in opened), default=0)
    for place, name in enumerate(opened):
        begin = "Open first:" if place == 0 else ""
        lines.append(f"  {begin:<12}{results / name!s:<{width}}  {OPENED[name]}")
    return [*lines, disk_line(results, resources)]


def disk_line(results: Path, resources: Path) -> str:
    """What the folders take, and their largest parts."""
    told = []
    for folder in (results, resources):
        parts = {path.name: size_of(path) for path in folder.iterdir()} if folder.is_dir() else {}
        large = sorted(
            (name for name in parts if parts[name] >= LARGE), key=lambda name: -parts[name]
        )
        inside = ", ".join(f"{name} {human_size(parts[name])}" for name in large)
        total = human_size(sum(parts.values()))
        told.append(f"{folder} {total}" + (f" ({inside})" if inside else ""))
    return f"On the disk: {'; '.join(told)}. `make clean-cache DRY=1` tells what can go."


def failure_lines(
    failed: Sequence[Step],
    done: int,
    steps: int,
    command: Sequence[str],
    read: Callable[[str], str] = last_text,
) -> list[str]:
    """Which steps failed, the last line of each one's log, and how to go on.

    Args:
        command: the words that the run was started by.
    """
    lines = ["", f"Stopped: {done} of {steps} steps are done, and stay."]
    for step in failed[:TOLD]:
        said = [line.strip() for line in read(step.log).splitlines() if line.strip()]
        lines.append(f"  failed: {step.rule} {step.name}".rstrip())
        if said:
            lines.append(f"    {said[-1]}")
        if step.log:
            lines.append(f"    log: {step.log}")
    if len(failed) > TOLD:
        lines.append(f"  and {len(failed) - TOLD} more")
    begin = "Once that is mended, go on" if failed else "Go on"
    return [*lines, f"{begin} with: {shlex.join(command)}"]
