"""What is looked at before the first job: where the workflow writes, and tables that the user gives."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.data.image_tables import read_table
from fewlabels.data.layouts import Layout
from fewlabels.data.true_types import read_true_types
from fewlabels.data.walk import walk
from fewlabels.pretraining.settings import Cluster
from fewlabels.workflow.experiment import Experiment, dataset_of
from fewlabels.workflow.raw_data import RawData


def check_inputs(raw: RawData, experiment: Experiment, written: Mapping[str, str]) -> list[str]:
    """Check the folders and tables of the user's.

    Args:
        written: key of the config -> folder that the workflow writes to.

    Returns:
        warnings, one line each.

    Raises:
        UserError: the first thing that a run would stop at.
    """
    config = raw.config
    own = [
        name for name in [*experiment.datasets, *sorted(config.external)] if not raw.is_drawn(name)
    ]
    read = {
        f"{raw.section_of(name)}.folder": raw.folder_of(name)
        for name in own
        if not raw.layout_of(name).table
    }
    read |= {
        f"subsets.given.{fraction}": raw.given_folder_of(fraction)
        for fraction in given_fractions(raw, experiment)
    }
    check_places(written, read)
    warnings = []
    for name in dict.fromkeys(experiment.planned.declared_as.values()):
        if not isinstance(config.pretraining[name], Cluster):
            continue
        dataset = dataset_of(config, name)
        table = config.datasets[dataset].true_types
        if dataset in own and table and os.path.isdir(raw.folder_of(dataset)):
            key = f"datasets.{dataset}.true_types"
            folder, layout = raw.folder_of(dataset), raw.layout_of(dataset)
            unknown = check_true_types(key, table, folder, layout)
            if unknown:
                warnings.append(
                    f"{table} ({key}) has {len(unknown)} ids that are no image's, such as '{unknown[0]}'"
                )
    return warnings


def given_fractions(raw: RawData, experiment: Experiment) -> list[str]:
    """The fractions whose subsets are given in folders."""
    if raw.config.subsets.source != "given":
        return []
    run = {one.fraction for one in experiment.runs if one.tabled}
    return [fraction for fraction in raw.config.subsets.given if fraction in run]


def check_places(written: Mapping[str, str], read: Mapping[str, str]) -> None:
    """Refuse to write into folders of images, and to read images from where the workflow writes; links are followed.

    Args:
        written: key of the config -> folder that the workflow writes to.
        read: key of the config -> folder of images.

    Raises:
        UserError: names both keys.
    """
    for to_key, to in written.items():
        for from_key, source in read.items():
            target, images = (os.path.realpath(path) for path in (to, source))
            if _lies_in(target, images):
                raise UserError(
                    f"config: key '{to_key}' is '{to}', which lies in the folder of images of '{from_key}' ({source}): "
                    "choose a folder outside, or its files would count as images"
                )
            # Images may lie in `resources`: what is written there has folders of its own.
            if to_key != "pathvars.resources" and _lies_in(images, target):
                raise UserError(
                    f"config: key '{from_key}' leads to {source}, which lies in '{to_key}' ({to}), where the workflow "
                    "writes: move the images out"
                )


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def check_true_types(key: str, path: str, root: str, layout: Layout) -> list[str]:
    """Read a table of true types, and find the images that it names.

    Args:
        root: the data set's folder, or what the paths in its table start from.

    Returns:
        The names in the table that are no image's.

    Raises:
        UserError: the table is missing or can't be used; names the key.
    """
    try:
        return read_true_types(path).unknown(files_of(root, layout))
    except UserError as error:
        raise UserError(f"config: key '{key}': {error}") from None


def files_of(root: str, layout: Layout) -> Iterator[str]:
    """Paths of all files that may be images of a data set."""
    if layout.table is not None:
        table = Path(root, layout.table)
        yield from (row.path for row in read_table(table, required=["path"]))
    else:
        yield from (entry.path for entry in walk(root) if entry.what == "image")
