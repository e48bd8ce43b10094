"""Where the images of a config lie: rules, checks and estimates ask here."""

import os

from fewlabels.core.errors import UserError
from fewlabels.data.layouts import Layout
from fewlabels.workflow.config_model import Config
from fewlabels.workflow.configuration import external_layout


class RawData:
    """The folders and tables of the data sets.

    Args:
        resources: the folder that drawn images lie in.
    """

    def __init__(self, config: Config, resources: str) -> None:
        self.config = config
        self.root = f"{resources}/synthetic/images" if config.synthetic.draw else config.data_root

    def layout_of(self, dataset: str) -> Layout:
        """How its folder or table is laid out."""
        if dataset in self.config.external:
            return external_layout(self.config, self.config.external[dataset])
        return Layout(**self.config.datasets[dataset].layout())

    def folder_of(self, dataset: str) -> str:
        """Where its paths start from: its folder, or the data root of a table, if that lies below it."""
        layout = self.layout_of(dataset)
        if layout.table and os.path.isabs(layout.table):
            return os.path.dirname(layout.table)
        return os.path.join(self.root, layout.folder or "")

    def is_drawn(self, dataset: str) -> bool:
        """Whether it lies among the synthetic images."""
        inside = not os.path.isabs(self.layout_of(dataset).folder or "/")
        return self.config.synthetic.draw and inside

    def section_of(self, dataset: str) -> str:
        """Where the config declares it."""
        kind = "external" if dataset in self.config.external else "datasets"
        return f"{kind}.{dataset}"

    def given_folder_of(self, fraction: str) -> str:
        """The folder of a given subset, as a file system finds it."""
        return os.path.join(self.root, self.config.subsets.given[fraction])

    def check_folder(self, folder: str, key: str) -> str:
        """Give a folder of images that is there, or will be drawn.

        Raises:
            UserError: it is not there; names the key.
        """
        if not self.config.synthetic.draw and not os.path.isdir(folder):
            raise UserError(
                f"{folder} does not exist: set data_root and {key} in the config to your images, "
                "or try the workflow on synthetic ones with `make demo`"
            )
        return folder

    def check_dataset(self, dataset: str) -> str:
        """Give the folder of a data set that is there.

        Raises:
            UserError: it is not there; names the key.
        """
        key = "table" if self.layout_of(dataset).table else "folder"
        return self.check_folder(self.folder_of(dataset), f"{self.section_of(dataset)}.{key}")
