"""PCA, K-means, and how well clusters agree with true types."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix

from fewlabels.core.memory import require_memory_for_products


@dataclass(frozen=True)
class Clustering:
    """Result of :func:`cluster`.

    Attributes:
        labels: int (n,), the largest cluster is 0, the next 1, ...
        components: float (n, d), the principal components that were clustered.
        explained_variance: share of the features' variance that they hold.
        silhouette: mean silhouette in the space of the components, -1 ... 1.
    """

    labels: np.ndarray
    components: np.ndarray
    explained_variance: float
    silhouette: float


def cluster(features: np.ndarray, dimensions: int, clusters: int, seed: int) -> Clustering:
    """Reduce features, float (n, f), by PCA to ``dimensions`` (or as many as the data allow), then K-means.

    K-means starts 10 times (scikit-learn's k-means++); clusters are numbered by falling size, ties by
    their first image, so that the numbers do not depend on the starts.

    Raises:
        ValueError: fewer images than clusters + 1.
    """
    if len(features) <= clusters:
        raise ValueError(f"{len(features)} images are too few for {clusters} clusters")
    # Centred data of n rows span at most n - 1 dimensions.
    allowed = min(dimensions, len(features) - 1, features.shape[1])
    require_memory_for_products(features.nbytes)
    reduction = PCA(n_components=allowed, svd_solver="full", random_state=seed)
    components = reduction.fit_transform(features)
    found = KMeans(n_clusters=clusters, n_init=10, random_state=seed).fit_predict(components)
    names, first, sizes = np.unique(found, return_index=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda place: (-sizes[place], first[place]))
    labels = np.empty_like(found)
    for number, place in enumerate(order):
        labels[found == names[place]] = number
    return Clustering(
        labels,
        components,
        float(reduction.explained_variance_ratio_.sum()),
        float(silhouette_score(components, labels)),
    )


def agreement(types: list[str], labels: list[int]) -> dict[str, float]:
    """Adjusted Rand index, normalised mutual information, and purity (the share of images that lie in a
    cluster whose majority has their type), each at most 1."""
    table = contingency_matrix(types, labels)
    return {
        "adjusted_rand_index": float(adjusted_rand_score(types, labels)),
        "normalized_mutual_information": float(normalized_mutual_info_score(types, labels)),
        "purity": float(table.max(axis=0).sum() / table.sum()),
    }
