"""Clusters of features, their quality, and their table of true types."""

import numpy as np
import pytest
from builders import call, colours_in, failure

from fewlabels.core.files import read_csv, write_csv

FEATURES = [f"f{n}" for n in range(6)]
TYPES = ["one"] * 5 + ["two"] * 8


@pytest.fixture
def options(tmp_path):
    """Thirteen images in two separated blobs of five and eight."""
    points = np.random.default_rng(0).normal(size=(13, 6))
    points[5:] += 40
    write_csv(
        tmp_path / "features.csv",
        ["id", *FEATURES],
        (
            {"id": f"{n:03}.jpg", **dict(zip(FEATURES, map(float, row), strict=True))}
            for n, row in enumerate(points)
        ),
    )
    write_csv(
        tmp_path / "types.csv",
        ["id", "type"],
        ({"id": f"{n:03}.jpg", "type": name} for n, name in enumerate(TYPES)),
    )
    return {
        "features": tmp_path / "features.csv",
        "pca_dimensions": 100,
        "clusters": 2,
        "seed": 0,
        "labels": tmp_path / "labels.csv",
        "quality": tmp_path / "quality.csv",
        "scatter": tmp_path / "scatter.png",
    }


def quality_of(options) -> dict[str, tuple[float, int]]:
    return {
        row["metric"]: (float(row["value"]), int(row["images"]))
        for row in read_csv(options["quality"])
    }


def test_labels_quality_and_scatter(options):
    assert call("pretrain", "cluster", **options) == 0
    # Ids keep their leading zeros; the larger blob is cluster 0.
    assert read_csv(options["labels"]) == [
        {"id": f"{n:03}.jpg", "cluster": "1" if n < 5 else "0"} for n in range(13)
    ]
    quality = quality_of(options)
    assert list(quality) == [
        *("pca_dimensions", "explained_variance", "size_of_cluster_0", "size_of_cluster_1"),
        "silhouette",
    ]
    assert quality["pca_dimensions"] == (6, 13)
    assert quality["explained_variance"] == (pytest.approx(1), 13)
    assert quality["size_of_cluster_0"] == (8, 13)
    assert quality["size_of_cluster_1"] == (5, 13)
    assert quality["silhouette"][0] > 0.9
    assert colours_in(options["scatter"]) > 10


def test_true_types_add_their_agreement(options, tmp_path):
    assert call("pretrain", "cluster", **options, true_types=tmp_path / "types.csv") == 0
    quality = quality_of(options)
    for name in ("purity", "adjusted_rand_index", "normalized_mutual_information"):
        assert quality[name] == (pytest.approx(1), 13)


def test_true_types_may_come_without_endings_and_for_some_images(options, tmp_path):
    write_csv(
        tmp_path / "some.csv",
        ["type", "id", "more"],
        [{"id": "000", "type": "x"}, {"id": "012", "type": "x"}, {"id": "unknown", "type": "y"}],
    )
    assert call("pretrain", "cluster", **options, true_types=tmp_path / "some.csv") == 0
    # One type in two clusters of one image each.
    assert quality_of(options)["purity"] == (pytest.approx(1), 2)
    assert quality_of(options)["adjusted_rand_index"] == (pytest.approx(0), 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,type\n000,x\n", "has no column 'id': known: name, type"),
        ("id,types\n000,x\n", "has no column 'type': did you mean 'types'?"),
        ("id,type\n", "has no rows"),
        ("", "has no column 'id'"),
    ],
)
def test_a_wrong_table_of_types_is_one_line(options, tmp_path, capsys, text, told):
    (tmp_path / "wrong.csv").write_text(text)
    line = failure(capsys, "pretrain", "cluster", **options, true_types=tmp_path / "wrong.csv")
    assert f"wrong.csv {told}" in line
    assert not options["labels"].exists()


def test_types_of_other_images_are_one_line(options, tmp_path, capsys):
    (tmp_path / "other.csv").write_text("id,type\nelse.jpg,x\n")
    line = failure(capsys, "pretrain", "cluster", **options, true_types=tmp_path / "other.csv")
    assert "other.csv names none of the images" in line


def test_more_clusters(options):
    assert call("pretrain", "cluster", **options | {"clusters": 4}) == 0
    sizes = [value for name, (value, _) in quality_of(options).items() if name.startswith("size")]
    assert len(sizes) == 4
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 13


def test_too_few_images_are_one_line(options, capsys):
    line = failure(capsys, "pretrain", "cluster", **options | {"clusters": 13})
    assert "features.csv: 13 images are too few for 13 clusters" in line


def test_features_that_are_no_numbers_are_one_line(options, capsys):
    text = options["features"].read_text().splitlines()
    text[1] = "000.jpg" + ",nan" * 6
    options["features"].write_text("\n".join(text) + "\n")
    assert "features.csv: " in failure(capsys, "pretrain", "cluster", **options)


def test_equal_seeds_give_equal_files(options):
    contents = []
    for _ in range(2):
        assert call("pretrain", "cluster", **options | {"clusters": 3}) == 0
        contents.append([options[name].read_bytes() for name in ("labels", "quality", "scatter")])
    assert contents[0] == contents[1]
