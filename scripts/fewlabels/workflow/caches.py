"""What lies on the disk besides the results: what a finished run needs no more, and what is kept and why."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.workflow.containers import ARGUMENTS, DIGITS, IMAGES, image_file
from fewlabels.workflow.disk_needs import size_of
from fewlabels.workflow.leftovers import UNFINISHED, half_files
from fewlabels.workflow.locks import LOCKS, line_of, owners

#: So many of Snakemake's own logs are kept.
LOGS = 10


@dataclass(frozen=True)
class Cache:
    """Something that takes room.

    Attributes:
        paths: files and folders.
        remark: what it is there for, or what follows where it is gone.
        bytes: on the disk, as links to it do not count.
    """

    name: str
    paths: tuple[Path, ...]
    remark: str
    bytes: int


def _cache(name: str, paths: Iterator[Path] | list[Path], remark: str) -> Cache:
    found = tuple(sorted(paths))
    return Cache(name, found, remark, sum(size_of(path) for path in found))


def _children(folder: Path, wanted: Callable[[Path], bool] = lambda path: True) -> list[Path]:
    """What lies in a folder, or in the one that it links to; empty where it is missing."""
    return [path for path in folder.iterdir() if wanted(path)] if folder.is_dir() else []


def check_idle(folder: Path) -> None:
    """Check that no Snakemake works in a folder; locks of killed ones do not count.

    Raises:
        UserError: one does, or may.
    """
    if not _children(folder / LOCKS):
        return
    known = list(owners(folder))
    working = [owner for owner in known if owner.runs() is not False]
    if working:
        raise UserError(line_of(working[0]))
    if not known:
        raise UserError(
            "a run is going on here, or was killed: wait for its end, or run `snakemake --unlock` if there is none"
        )


def is_finished(results: Path) -> bool:
    """Whether the last run made its tables: a run moves them away as it begins."""
    return (results / "summary.md").is_file()


def _old_states(images: Path) -> Iterator[Path]:
    """States of data sets that no published array leads to, of sets that some lead to."""
    links = {path.resolve().parent.name for path in _children(images, Path.is_symlink)}
    linked_sets = {name.rpartition("_")[0] for name in links}
    for state in _children(images / "states", Path.is_dir):
        if state.name not in links and state.name.rpartition("_")[0] in linked_sets:
            yield state


def _old_images(repository: Path) -> list[Path]:
    """Container images of other states of the sources, with the files beside them, and what broken builds left."""
    current = {
        Path(image_file(repository, image, base)).name for image in IMAGES for base in ARGUMENTS
    }

    def is_old(path: Path) -> bool:
        if path.name.startswith(".build-"):
            return True
        image = re.match(rf"({'|'.join(IMAGES)})-[0-9a-f]{{{DIGITS}}}\.sif", path.name)
        return image is not None and image[0] not in current

    return _children(repository / "containers", is_old)


def freed_caches(repository: Path, working: Path, results: Path, resources: Path) -> list[Cache]:
    """What can go, without those that take no room.

    Args:
        working: folder that Snakemake works in.
    """
    found = [
        _cache(
            "half files",
            [*half_files(results), *half_files(resources)],
            "of steps that were killed",
        ),
        _cache("Snakemake's logs", _snakemake_logs(working), f"all but the last {LOGS}"),
        _cache("old container images", _old_images(repository), "of other package lists"),
    ]
    if is_finished(results):
        found += [
            _cache(
                "feature cache",
                _children(results / "feature_cache"),
                "the same call does nothing anew; if you add arms or replicates, trainings that read it run again",
            ),
            _cache("states of trainings", _children(results / UNFINISHED), "they are finished"),
            _cache("old packed images", _old_states(results / "images"), "of earlier raw files"),
        ]
    return [one for one in found if one.bytes]


def _snakemake_logs(working: Path) -> list[Path]:
    logs = sorted(_children(working / ".snakemake/log"), key=lambda path: path.name)
    return [*logs[:-LOGS], *_children(working / ".snakemake/shadow")]


def kept_caches(results: Path, resources: Path) -> list[Cache]:
    """What takes room and stays, the largest first."""
    found = [
        _cache("checkpoints", [results / "models"], "results"),
        _cache("packed images", [results / "images", results / "masked"], "all steps read them"),
        _cache("predicted masks", [results / "predicted_masks"], "trainings read them"),
        _cache(
            "weights", [resources / "weights", resources / "downloads"], "trainings start from them"
        ),
        _cache("drawn images", [resources / "synthetic"], "raw data"),
    ]
    if not is_finished(results):
        remark = "needed until the run is finished"
        found.append(_cache("feature cache", [results / "feature_cache"], remark))
    return sorted((one for one in found if one.bytes), key=lambda one: -one.bytes)


def remove(cache: Cache) -> None:
    """Delete its files and folders; what a link leads to stays."""
    for path in cache.paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def human_size(size: float) -> str:
    """Bytes in words.

    >>> human_size(2_640_000_000), human_size(31_000_000), human_size(0)
    ('2.6 GB', '31.0 MB', '0.0 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
