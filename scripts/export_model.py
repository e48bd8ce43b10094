"""Export a trained classifier: ONNX, safetensors, and a model card in Markdown.

The ONNX graph takes square images as Pillow gives them and holds all the rest: normalisation, predicted masks, the
views that probabilities are averaged over, softmax and temperature. It is checked against PyTorch by onnxruntime before
anything is written. Training images and results in the metadata and the card come from the results folder that the
checkpoint lies in. examples/classify_with_onnx.py uses the file without this workflow.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, write_text
from fewlabels.deployment import onnx_graph
from fewlabels.deployment.exported import as_texts, describe_model, weights_file
from fewlabels.deployment.model_card import model_card
from fewlabels.deployment.run_facts import facts_of, results_of
from fewlabels.deployment.trained_model import load


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help=".pt of train_classifier")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder to write into, or the .onnx file, beside which .safetensors and .md are written",
    )
    parser.add_argument(
        "--mask-network",
        type=Path,
        help=".pt of predict_masks, of a model that sees images through predicted masks; else looked for beside it",
    )
    parser.add_argument(
        "--results", type=Path, help="results folder of the model; else the one that it lies in"
    )
    parser.add_argument("--subset", type=Path, help="CSV of draw_subsets; else looked for there")
    parser.add_argument("--title", default="", help="of the model's arm, for the card")
    parser.add_argument("--licence", default="", help="of the exported model")
    parser.add_argument(
        "--licences",
        type=json.loads,
        default={},
        help='JSON: backbone that the model started from -> licence of its weights, or ""',
    )
    parser.add_argument(
        "--alpha", type=float, default=0.05, help="of the intervals of the results, for the card"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    return parser


def files_of(out: Path, name: str) -> dict[str, Path]:
    """What to write, by its ending.

    Raises:
        UserError: the folder is a file.
    """
    stem = out.with_suffix("") if out.suffix == ".onnx" else out / name
    if stem.parent.exists() and not stem.parent.is_dir():
        raise UserError(
            f"--out {stem.parent} is a file: give a folder, or a name that ends in .onnx"
        )
    return {
        ending: stem.with_name(f"{stem.name}.{ending}") for ending in ("onnx", "safetensors", "md")
    }


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def run(arguments: argparse.Namespace) -> None:
    # It tells of every tensor that it joins with an equal one.
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    torch.set_num_threads(arguments.threads)
    model = load(arguments.model, arguments.mask_network)
    files = files_of(arguments.out, model.name)
    results = arguments.results or results_of(arguments.model)
    facts = facts_of(arguments.model, results, arguments.subset)
    described = describe_model(model, facts, arguments.licences, arguments.licence)
    weights = weights_file(model, described)
    proto = onnx_graph.make_graph(model)
    onnx_graph.describe(proto, as_texts(described))
    graph = proto.SerializeToString()
    parity = onnx_graph.check_parity(model, graph)
    logging.info("probabilities differ by at most %.2g from PyTorch's", parity)
    write_bytes(files["safetensors"], weights)
    write_bytes(files["onnx"], graph)
    card = model_card(
        described,
        facts.accuracies,
        arguments.title,
        arguments.alpha,
        {
            "ONNX, for onnxruntime and other runtimes": files["onnx"].name,
            "safetensors, the weights under their library's names": files["safetensors"].name,
        },
        parity,
    )
    write_text(files["md"], card)
    for path in files.values():
        logging.info("wrote %s (%.1f MB)", path, path.stat().st_size / 1e6)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
