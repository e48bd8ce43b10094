"""Extract what a backbone computes at one layer, for every image of a data set.

Writes a CSV with one row per image: id, f0, f1, ...
"""

import argparse
import time

import torch
from tqdm import tqdm

from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.pictures import open_pictures
from fewlabels.networks.features import NodeFeatures
from fewlabels.training import run_files
from fewlabels.training.runtime import add_compute_arguments, start

BATCH = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images; its table is beside")
    parser.add_argument("--start", required=True, help="a backbone's file, of fetch_weights")
    parser.add_argument("--node", required=True, help="the layer, such as classifier.4")
    parser.add_argument("--features", required=True, help="CSV to write")
    parser.add_argument("--record", required=True, help="JSON to write: time, device, versions")
    add_compute_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    source = open_pictures([arguments.images])
    ids = [row["id"] for row in read_csv(arguments.index)]
    images = run_files.pixels_of([(name, "plain") for name in ids], source, runtime)
    model = NodeFeatures.load(arguments.start, arguments.node, source.size)
    runtime.place(model)
    batches = []
    with torch.inference_mode():
        for rows in tqdm(torch.arange(len(images)).split(BATCH), desc="features", mininterval=5):
            inputs = model.normalise(images.take(rows).float() / 255)
            with runtime.meter.batch("features", len(rows)), runtime.autocast(model):
                batches.append(model(inputs).float().cpu())
    features = torch.cat(batches).numpy()
    columns = [f"f{place}" for place in range(features.shape[1])]
    write_csv(
        arguments.features,
        ["id", *columns],
        (
            {"id": name, **dict(zip(columns, row.tolist(), strict=True))}
            for name, row in zip(ids, features, strict=True)
        ),
    )
    run_files.write_record(arguments.record, runtime, started)
