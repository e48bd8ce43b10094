"""Clusters as a page shows them."""

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.reporting.cluster_examples import sample_clusters


def write(folder, features, clusters, ids=None):
    names = ids or [f"{n:04}.png" for n in range(len(features))]
    columns = [f"f{n}" for n in range(len(features[0]))]
    rows = [
        {"id": name, **dict(zip(columns, map(float, values), strict=True))}
        for name, values in zip(names, features, strict=True)
    ]
    write_csv(folder / "features.csv", ["id", *columns], rows)
    labels = [{"id": f"{n:04}.png", "cluster": k} for n, k in enumerate(clusters)]
    write_csv(folder / "labels.csv", ["id", "cluster"], labels)
    return folder / "labels.csv", folder / "features.csv"


def test_points_examples_and_sizes(tmp_path):
    # Cluster 0 around 0, the second of its images nearest to the mean; cluster 1 around 10.
    features = [[-1, 0, 0], [0.1, 0, 0], [1, 0, 0], [10, 0, 1], [10, 0, -1]]
    sample = sample_clusters(*write(tmp_path, features, [0, 0, 0, 1, 1]), most=10)
    assert sample.sizes == [3, 2]
    assert sample.typical(0, 2) == ["0001.png", "0002.png"]
    assert sample.typical(1, 5) == ["0003.png", "0004.png"]
    points = sample.points()
    assert points.shape == (5, 2)
    distance = np.linalg.norm(points[3:] - points[1], axis=1)
    np.testing.assert_allclose(distance, np.hypot(9.9, 1), rtol=1e-5)


def test_of_many_images_some_are_drawn_each_with_its_own_cluster(tmp_path):
    clusters = [n % 3 for n in range(1200)]
    features = [[100 * k, n] for n, k in enumerate(clusters)]
    files = write(tmp_path, features, clusters)
    sample = sample_clusters(*files, most=90)
    assert len(set(sample.ids)) == 90
    assert sample.sizes == [400, 400, 400]
    assert (sample.features[:, 0] == 100 * sample.clusters).all()
    assert [int(name[:4]) for name in sample.ids] == sample.features[:, 1].tolist()
    assert sample.ids == sample_clusters(*files, most=90).ids
    # Of the three parts that the table is read in.
    assert {int(name[:4]) // 500 for name in sample.ids} == {0, 1, 2}


def test_features_of_a_single_number_have_points(tmp_path):
    sample = sample_clusters(*write(tmp_path, [[0], [1], [5]], [0, 0, 1]), most=9)
    assert sample.points()[:, 1].tolist() == [0, 0, 0]


def test_other_images_are_one_line(tmp_path):
    files = write(tmp_path, [[0], [1]], [0, 1], ids=["0000.png", "other.png"])
    with pytest.raises(UserError, match="list other images"):
        sample_clusters(*files, most=9)
