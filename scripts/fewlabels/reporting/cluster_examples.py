"""Clusters as a page shows them: a scatter of some images, and typical images of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.core.memory import require_memory_for_products

#: Rows of a table of features that are in memory at a time.
CHUNK = 500


@dataclass(frozen=True)
class ClusterSample:
    """Some images of a clustering.

    Attributes:
        ids: of the n images.
        clusters: int (n,).
        features: float32 (n, f).
        sizes: images of each cluster, of all that were clustered.
    """

    ids: list[str]
    clusters: np.ndarray
    features: np.ndarray
    sizes: list[int]

    def points(self) -> np.ndarray:
        """The first two principal components, float (n, 2)."""
        wide = min(2, *self.features.shape)
        require_memory_for_products(self.features.nbytes)
        found = PCA(n_components=wide, svd_solver="full").fit_transform(self.features)
        return np.pad(found, ((0, 0), (0, 2 - wide)))

    def typical(self, cluster: int, most: int) -> list[str]:
        """The images nearest to the mean features of their cluster, the nearest first."""
        members = np.flatnonzero(self.clusters == cluster)
        inside = self.features[members]
        distance = np.linalg.norm(inside - inside.mean(0), axis=1)
        return [self.ids[members[place]] for place in np.argsort(distance, kind="stable")[:most]]


def sample_clusters(labels: Path | str, features: Path | str, most: int) -> ClusterSample:
    """Read a clustering and the features that it is of; of more than ``most`` images so many, drawn with a fixed seed.

    Args:
        labels: CSV of method cluster (id, cluster).
        features: CSV of method extract (id, f0, ...), in the same order; read in parts.

    Raises:
        UserError: the two list other images.
    """
    rows = read_csv(labels)
    chosen = np.arange(len(rows))
    if len(rows) > most:
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
    kept, ids = [], []
    start = 0
    for part in pd.read_csv(features, dtype={"id": str}, chunksize=CHUNK):
        ids += part.pop("id").tolist()
        inside = chosen[(chosen >= start) & (chosen < start + len(part))] - start
        kept.append(part.to_numpy(np.float32)[inside])
        start += len(part)
    if ids != [row["id"] for row in rows]:
        raise UserError(f"{labels} and {features} list other images: delete both and run again")
    clusters = np.array([int(row["cluster"]) for row in rows])
    sizes = np.bincount(clusters).tolist()
    return ClusterSample(
        [ids[place] for place in chosen], clusters[chosen], np.concatenate(kept), sizes
    )


def spread_over(count: int, most: int) -> Sequence[int]:
    """At most so many places of ``count``, spread evenly over all.

    >>> list(spread_over(10, 4)), list(spread_over(3, 4)), list(spread_over(0, 4))
    ([0, 3, 6, 9], [0, 1, 2], [])
    """
    if count <= most:
        return range(count)
    return np.linspace(0, count - 1, most).astype(int).tolist()
