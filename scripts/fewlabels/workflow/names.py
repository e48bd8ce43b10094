"""Names that the user gives and the workflow uses otherwise: refused where files or rows of tables would collide."""

import re
from collections.abc import Iterable, Mapping

from fewlabels.core.errors import UserError
from fewlabels.core.run_sheet import OWN_TEST_SET
from fewlabels.pretraining.settings import Pretraining
from fewlabels.workflow.config_model import Config

#: Endings of the files beside a data set's images: what they hold.
IMAGE_FILES = {
    "_index": "the index",
    "_problems": "the problems",
    "_left_out": "the files left out",
    "_reading": "how files are read",
    "_masks": "the masks",
    "_grouped": "the grouped split",
}
#: A figure that is always drawn.
LABEL_EFFICIENCY = "figures/label_efficiency.png"
#: What tables call the target's own images.
OWN_IMAGES = (OWN_TEST_SET, "train", "validation")
#: Section -> names that it may not give, and what else is called so.
RESERVED = {
    "datasets": {"check_datasets": "a file of the workflow's"},
    "external": dict.fromkeys(OWN_IMAGES, "a split of the target"),
    "pretraining": {
        "slide_only": "a file of the workflow's",
        "majority": "a baseline of the tables",
    },
    "arms": {
        "slide_only": "a baseline of the tables",
        "majority": "a baseline of the tables",
    },
}


def check_names(config: Config) -> None:
    """Refuse names of data sets, arms and pretrainings that something else of the workflow has.

    Raises:
        UserError: names the key.
    """
    sections = dict.fromkeys(config.datasets, "datasets") | dict.fromkeys(
        config.external, "external"
    )
    for name, section in sections.items():
        for ending, what in IMAGE_FILES.items():
            other = name.removesuffix(ending)
            if other != name and other in sections:
                raise _taken(section, name, f"{what} of {other}", "have")
    for section, names in RESERVED.items():
        for name, what in names.items():
            if name in getattr(config, section):
                raise _taken(section, name, what, "has")


def _taken(section: str, name: str, what: str, has: str) -> UserError:
    return UserError(f"key '{section}.{name}': {what} {has} that name: choose another")


def check_planned_names(
    arms: Iterable[str], pretraining: Mapping[str, Pretraining], figures: Iterable[str]
) -> None:
    """Refuse arms, pretrainings and figures of one experiment that share a row of a table, or a file.

    Raises:
        UserError: names the key.
    """
    for name in arms:
        if name in pretraining:
            raise _taken("pretraining", name, "an arm", "has")
    key_of = {LABEL_EFFICIENCY: "the rule plot_label_efficiency"}
    written = [
        (f"pretraining.{name}", path.format(name=name))
        for name, entry in pretraining.items()
        for path in entry.files.values()
    ]
    written += [(f"table.figures.{name}", f"figures/{name}.png") for name in figures]
    for key, path in written:
        if path in key_of:
            raise UserError(
                f"key '{key}': its file {path} would be that of {key_of[path]}, too: choose another name"
            )
        key_of[path] = key


def check_input_paths(config: Config) -> None:
    """Refuse files whose names Snakemake would fill in, as it does with those of all inputs and container images.

    Raises:
        UserError: names the key.
    """
    paths = {f"backbones.{name}.weights": entry.file for name, entry in config.backbones.items()}
    paths |= {
        f"datasets.{name}.true_types": one.true_types for name, one in config.datasets.items()
    }
    images = {f"containers.{name}": path for name, path in config.containers.plain().items()}
    for key, path in images.items():
        if found := re.search(r"[\s'\"`$\\;|&]", path):
            raise UserError(
                f"key '{key}' is {path!r}: Snakemake takes no image with {found[0]!r} in its path: move it elsewhere"
            )
    for key, path in (paths | images).items():
        if path and (found := re.search(r"\{[^{}]*\}|<[^<>]*>", path)):
            raise UserError(
                f"key '{key}' is '{path}': Snakemake would fill in {found[0]}: name the file without it"
            )


def check_pathvars(pathvars: Mapping[str, str]) -> None:
    """Refuse folders to write to whose names Snakemake or a command line would take for something else.

    Raises:
        UserError: names the key.
    """
    for name, path in pathvars.items():
        key = f"pathvars.{name}"
        rest = re.sub("<results>|<resources>", "", path)
        if found := re.search(r"[{}<>*?\"'`$\\;|&\x00-\x1f]", rest):
            raise UserError(
                f"key '{key}' is {path!r}: Snakemake and shells read {found[0]!r} as something else: "
                "name the folder without it"
            )
        if path.startswith("-"):
            raise UserError(
                f"key '{key}' is '{path}': it reads as an option: name the folder without - at its start"
            )
