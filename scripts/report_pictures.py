"""Collect the pictures of data and pretraining that the report shows, small, in one JSON.

Clusters: their images as points (PCA of the features), and those nearest to the mean of each. Autoencoders: the picture
of held-out images beside their reconstructions. Copies that the leakage audit found, side by side. Images before and
after their masks were applied.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fewlabels.audit.judgement import copies_to_look_at
from fewlabels.audit.leakage import grouped_name
from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_json
from fewlabels.data.pictures import Pictures, open_pictures, table_of
from fewlabels.reporting.cluster_examples import sample_clusters, spread_over
from fewlabels.reporting.figures import plt
from fewlabels.reporting.thumbnails import data_uri

#: Images of a clustering in its scatter, of each cluster as examples, copies, and masks of a data set; at most.
POINTS, EXAMPLES, COPIES, MASKS = 2000, 8, 24, 12
#: Longer side of the sheet of reconstructions, in pixels.
SHEET_SIDE = 1200

Data = dict[str, Any]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--datasets", nargs="+", required=True, help="names of all sets of images")
    parser.add_argument("--images", nargs="+", required=True, help=".npy of pack_images, in order")
    parser.add_argument("--target", required=True, help="the data set that is classified")
    parser.add_argument("--pairs", required=True, help="CSV of audit_leakage")
    parser.add_argument("--masked-datasets", nargs="*", default=[], help="data sets with masks")
    parser.add_argument("--masked", nargs="*", default=[], help=".npy of apply_masks, in order")
    parser.add_argument(
        "--clusters",
        action="append",
        nargs=4,
        default=[],
        metavar=("NAME", "DATASET", "LABELS", "FEATURES"),
        help="a pretraining of method cluster, its data set, its CSV, and the CSV of the features",
    )
    parser.add_argument(
        "--reconstructions",
        action="append",
        nargs=2,
        default=[],
        metavar=("NAME", "PNG"),
        help="a pretraining of method autoencoder and its picture",
    )
    parser.add_argument("--page-data", required=True, help="JSON to write")
    return parser


def thumbnail(source: Pictures, name: str, kind: str = "plain") -> str:
    return data_uri(source.rows([(name, kind)])[0])


def clusters(name: str, dataset: str, labels: str, features: str, source: Pictures) -> Data:
    """One clustering: its points, and typical images of each cluster."""
    sample = sample_clusters(labels, features, POINTS)
    return {
        "name": name,
        "dataset": dataset,
        "points": sample.points().round(3).tolist(),
        "of_cluster": sample.clusters.tolist(),
        "sizes": sample.sizes,
        "examples": [
            [
                {"id": image, "picture": thumbnail(source, image)}
                for image in sample.typical(cluster, EXAMPLES)
            ]
            for cluster in range(len(sample.sizes))
        ],
    }


def reconstructions(name: str, path: str) -> Data:
    """The picture of one autoencoder, as it was drawn."""
    pixels = (plt.imread(path)[..., :3] * 255).round().astype(np.uint8)
    return {"name": name, "picture": data_uri(pixels, SHEET_SIDE)}


def copies(rows: Iterable[Mapping[str, str]], packed: Mapping[str, Pictures]) -> list[Data]:
    """Pairs that the audit found; ``packed``: data set -> its images."""
    return [
        {
            "kind": row["kind"],
            "view": row["view"],
            **{
                side: {
                    **{key: row[f"{side}_{key}"] for key in ("dataset", "split", "id", "label")},
                    "picture": thumbnail(packed[row[f"{side}_dataset"]], row[f"{side}_id"]),
                }
                for side in ("first", "second")
            },
        }
        for row in copies_to_look_at(rows, COPIES)
    ]


def masks(dataset: str, path: str, source: Pictures) -> Data:
    """Some images of a data set before and after, spread over all masks that were applied."""
    masked = open_pictures([path])
    applied = [row for row in read_csv(table_of(path)) if row["row"]]
    return {
        "dataset": dataset,
        "applied": len(applied),
        "images": [
            {
                "id": row["id"],
                "label": row["label"],
                "foreground": float(row["foreground"]),
                "before": thumbnail(source, row["id"]),
                "after": thumbnail(masked, row["id"], "masked"),
            }
            for row in (applied[place] for place in spread_over(len(applied), MASKS))
        ],
    }


def run(arguments: argparse.Namespace) -> None:
    packed = {
        name: open_pictures([path])
        for name, path in zip(arguments.datasets, arguments.images, strict=True)
    }
    packed[grouped_name(arguments.target)] = packed[arguments.target]
    write_json(
        arguments.page_data,
        {
            "clusters": [
                clusters(name, dataset, labels, features, packed[dataset])
                for name, dataset, labels, features in arguments.clusters
            ],
            "reconstructions": [
                reconstructions(name, path) for name, path in arguments.reconstructions
            ],
            "copies": copies(read_csv(arguments.pairs), packed),
            "masks": [
                masks(name, path, packed[name])
                for name, path in zip(arguments.masked_datasets, arguments.masked, strict=True)
            ],
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
