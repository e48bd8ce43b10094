"""The checked config of some files, for commands that run without Snakemake."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UserError
from fewlabels.workflow.config_files import read_config_file
from fewlabels.workflow.config_model import Config
from fewlabels.workflow.configuration import load_config, merged, with_text_keys


def read_config(base: Path, files: Sequence[str]) -> Config:
    """Check config.yaml with some files laid over it, one by one, as `snakemake --configfile` does.

    Raises:
        UserError: a file can't be read, or what they say is wrong.
    """
    overlay: dict[Any, Any] = {}
    try:
        for file in files:
            overlay = merged(overlay, with_text_keys(read_config_file(file)))
        whole = read_config_file(base)
    except UserError as error:
        raise UserError(f"config: {error}") from None
    return load_config(whole, overlay)


def written_folders(config: Config) -> dict[str, str]:
    """Key of the config -> folder that the workflow writes to."""
    folders = config.pathvars.plain()
    for name, folder in folders.items():
        for other in ("results", "resources"):
            folder = folder.replace(f"<{other}>", folders[other])
        folders[name] = folder
    return {f"pathvars.{name}": folder for name, folder in folders.items()}
