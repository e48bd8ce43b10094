"""Cluster features: PCA, then K-means. The clusters are pseudo-labels that a classifier can be trained on.

Writes the labels (CSV: id, cluster; the largest cluster is 0), a scatter plot of the first two principal
components, and the quality (CSV: metric, value, images): images, dimensions, cluster sizes, explained variance,
silhouette, and, where a CSV of true types (id, type; id is the file name, with or without its ending) is given,
adjusted Rand index, normalised mutual information and purity over the images that it lists.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.pretraining.clustering import agreement, cluster
from fewlabels.reporting.figures import cluster_scatter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", required=True, help="CSV of method extract")
    parser.add_argument("--pca-dimensions", type=int, default=100)
    parser.add_argument("--clusters", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--true-types", default="", help="CSV: id, type")
    parser.add_argument("--labels", required=True, help="CSV to write")
    parser.add_argument("--quality", required=True, help="CSV to write")
    parser.add_argument("--scatter", required=True, help="PNG to write")


def read_types(path: str) -> dict[str, str]:
    """Read true types as a map from file name without its ending to type.

    Raises:
        UserError: a column is missing.
    """
    rows = read_csv(path)
    if not rows or not {"id", "type"} <= set(rows[0]):
        raise UserError(f"{path} must have the columns id and type: mend its header")
    return {Path(row["id"]).stem: row["type"] for row in rows}


def run(arguments: argparse.Namespace) -> None:
    table = pd.read_csv(arguments.features, dtype={"id": str})
    ids = table.pop("id").tolist()
    try:
        result = cluster(
            table.to_numpy(np.float64),
            arguments.pca_dimensions,
            arguments.clusters,
            arguments.seed,
        )
    except ValueError as error:
        raise UserError(f"{arguments.features}: {error}") from error
    sizes = np.bincount(result.labels)
    quality: list[tuple[str, float | int, int]] = [
        ("pca_dimensions", result.components.shape[1], len(ids)),
        ("explained_variance", result.explained_variance, len(ids)),
        *((f"size_of_cluster_{number}", int(size), len(ids)) for number, size in enumerate(sizes)),
        ("silhouette", result.silhouette, len(ids)),
    ]
    if arguments.true_types:
        types = read_types(arguments.true_types)
        known = [place for place, name in enumerate(ids) if Path(name).stem in types]
        if not known:
            raise UserError(
                f"{arguments.true_types} names none of the images: its ids must be file names"
            )
        values = agreement(
            [types[Path(ids[place]).stem] for place in known], result.labels[known].tolist()
        )
        quality += [(name, value, len(known)) for name, value in values.items()]
    for name, value, _ in quality:
        logging.info("%s: %.4g", name, value)
    cluster_scatter(
        arguments.scatter,
        result.components[:, :2],
        result.labels,
        f"K-means on {result.components.shape[1]} principal components",
    )
    columns = ("metric", "value", "images")
    write_csv(arguments.quality, columns, (dict(zip(columns, row, strict=True)) for row in quality))
    write_csv(
        arguments.labels,
        ["id", "cluster"],
        (
            {"id": name, "cluster": label}
            for name, label in zip(ids, result.labels.tolist(), strict=True)
        ),
    )
