"""PCA and K-means on blobs, and agreement worked out by hand."""

import math

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from fewlabels.pretraining import clustering
from fewlabels.pretraining.clustering import agreement, cluster


def blobs(*sizes: int, features: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal clouds far from each other, mixed; and the cloud of each point."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(scale=30, size=(len(sizes), features))
    cloud = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return centres[cloud] + generator.normal(size=(sum(sizes), features)), cloud


def test_two_blobs_are_found():
    features, cloud = blobs(12, 20)
    found = cluster(features, 5, 2, 0)
    # Cloud 1 is the larger one: cluster 0.
    assert found.labels.tolist() == (1 - cloud).tolist()
    assert found.components.shape == (32, 5)
    assert found.silhouette > 0.8
    assert 0.9 < found.explained_variance <= 1


def test_k_means_starts_ten_times_from_the_seed(monkeypatch):
    given = []
    monkeypatch.setattr(clustering, "KMeans", lambda **more: given.append(more) or KMeans(**more))
    features, _ = blobs(12, 20, 9)
    cluster(features, 5, 3, 7)
    assert given == [{"n_clusters": 3, "n_init": 10, "random_state": 7}]


def test_the_silhouette_is_that_of_the_components():
    features, _ = blobs(12, 20)
    # Much noise that two components leave out.
    features[:, 2:] += np.random.default_rng(1).normal(scale=20, size=features[:, 2:].shape)
    found = cluster(features, 2, 2, 0)
    own, all_of_it = (
        silhouette_samples(points, found.labels).mean() for points in (found.components, features)
    )
    assert own > all_of_it + 0.1
    assert found.silhouette == pytest.approx(own)


def test_clusters_are_numbered_by_falling_size():
    features, cloud = blobs(5, 20, 10)
    labels = cluster(features, 5, 3, 0).labels
    assert np.bincount(labels).tolist() == [20, 10, 5]
    assert [set(labels[cloud == number]) for number in range(3)] == [{2}, {0}, {1}]


def test_equal_clusters_are_numbered_by_their_first_image():
    for seed in range(4):
        features, _ = blobs(10, 10, seed=seed)
        labels = cluster(features, 5, 2, seed).labels
        assert np.bincount(labels).tolist() == [10, 10]
        assert labels[0] == 0


@pytest.mark.parametrize(
    ("images", "features", "asked", "got"), [(32, 20, 100, 20), (10, 20, 100, 9), (32, 20, 3, 3)]
)
def test_dimensions_are_limited_by_the_data(images, features, asked, got):
    points, _ = blobs(images // 2, images - images // 2, features=features)
    assert cluster(points, asked, 2, 0).components.shape == (images, got)


def test_components_keep_distances_and_variance():
    """As many components as the data have dimensions turn the points and lose nothing."""
    features, _ = blobs(12, 12, features=4)
    found = cluster(features, 100, 2, 0)
    assert found.explained_variance == pytest.approx(1)
    for one, other in ((0, 1), (3, 17), (5, 23)):
        assert math.dist(found.components[one], found.components[other]) == pytest.approx(
            math.dist(features[one], features[other])
        )


def test_the_same_seed_gives_the_same_result():
    features = np.random.default_rng(0).normal(size=(30, 8))
    one, same = cluster(features, 4, 3, 7), cluster(features, 4, 3, 7)
    assert one.labels.tolist() == same.labels.tolist()
    assert one.components.tobytes() == same.components.tobytes()


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} images are too few for 2 clusters"):
        cluster(np.zeros((count, 5)), 3, 2, 0)


def test_full_agreement_whatever_the_numbers():
    values = agreement(["x", "y", "x", "y"], [1, 0, 1, 0])
    assert values == pytest.approx(
        {"adjusted_rand_index": 1, "normalized_mutual_information": 1, "purity": 1}
    )


def test_agreement_by_hand():
    """
    Clusters {x, x, x, y} and {y, y}: 5 of 6 are of their cluster's majority.
    Pairs of one type and one cluster: 3 + 0 + 1 = 4; pairs: 6 by types, 7 by clusters, 15 in all:
    ARI = (4 - 6 x 7 / 15) / ((6 + 7) / 2 - 6 x 7 / 15).
    Entropies: types ln 2; clusters H(2/3, 1/3); mutual information from the table 3, 1, 0, 2.
    """
    values = agreement(list("xxxyyy"), [0, 0, 0, 0, 1, 1])
    expected = 6 * 7 / 15
    information = (
        3 / 6 * math.log(3 * 6 / (3 * 4))
        + 1 / 6 * math.log(1 * 6 / (3 * 4))
        + 2 / 6 * math.log(2 * 6 / (3 * 2))
    )
    clusters = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert values == pytest.approx(
        {
            "purity": 5 / 6,
            "adjusted_rand_index": (4 - expected) / ((6 + 7) / 2 - expected),
            "normalized_mutual_information": information / ((math.log(2) + clusters) / 2),
        }
    )


def test_agreement_of_one_cluster_is_0_beyond_chance():
    values = agreement(list("xxyy"), [0, 0, 0, 0])
    assert values["adjusted_rand_index"] == pytest.approx(0)
    assert values["normalized_mutual_information"] == pytest.approx(0)
    assert values["purity"] == pytest.approx(0.5)
