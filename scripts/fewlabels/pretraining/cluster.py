"""Cluster features: PCA, then K-means. The clusters are pseudo-labels that a classifier can be trained on.

Writes the labels (CSV: id, cluster; the largest cluster is 0), a scatter plot of the first two principal
components, and the quality (CSV: metric, value, images): images, dimensions, cluster sizes, explained variance,
silhouette, and, where a CSV of true types (id, type; id is the file name, with or without its ending) is given,
adjusted Rand index, normalised mutual information and purity over the images that it lists.
"""

import argparse
import logging

import numpy as np
import pandas as pd

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.data.true_types import read_true_types
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
        given = read_true_types(arguments.true_types)
        given.unknown(ids)
        types = [given.of_image(name) for name in ids]
        known = [place for place, kind in enumerate(types) if kind is not None]
        values = agreement(
            [kind for kind in types if kind is not None], result.labels[known].tolist()
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
