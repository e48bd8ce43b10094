"""Exported files: what stands in their metadata, and weights as safetensors.

Every value of the metadata is JSON, the same in both formats; what an image must be made into is told by ``classes``,
``size`` and ``resize`` alone.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from fewlabels.core.errors import UserError
from fewlabels.core.files import sha256_of_file
from fewlabels.deployment.onnx_graph import INPUT, OPSET, OUTPUT, TOLERANCE
from fewlabels.deployment.run_facts import RunFacts
from fewlabels.deployment.trained_model import TrainedModel
from fewlabels.networks.checkpoints import classifier_state, rebuild_classifier
from fewlabels.networks.classifier import Classifier

FORMAT = "few-labels classifier, 1"
#: Key of the checkpoint's own metadata, from which the network is built again.
CHECKPOINT = "checkpoint"
NOT_DECLARED = "not declared"
INTENDED_USE = "research on images like those that it was trained and tested on; no medical device, not for diagnosis"


def describe_model(
    model: TrainedModel, facts: RunFacts, licences: Mapping[str, str], licence: str
) -> dict[str, Any]:
    """What is to be known of an exported classifier, plain values by their keys.

    Args:
        licences: backbone -> licence of the weights that it started from; empty where none is declared.
        licence: of the exported model; empty where none is given.
    """
    training = facts.training
    run = facts.run
    return {
        "format": FORMAT,
        "name": model.name,
        "arm": run.arm if run else model.arm,
        "target": run.target if run else model.target,
        "fraction": run.fraction if run else model.fraction,
        "replicate": run.replicate if run else model.replicate,
        "classes": list(model.classes),
        "size": model.size,
        "resize": model.resize,
        "preprocessing": {
            "decoding": "8-bit RGB, upright by the EXIF orientation, transparency over white",
            "resampling": "bilinear, antialiased, as Pillow's",
            "normalisation": {
                name: colours.plain() for name, colours in model.normalisations.items()
            },
            "views": list(model.views),
            "masks": model.masks.use if model.masks else "off",
        },
        "onnx": {
            "input": f"{INPUT}: uint8 (batch, {model.size}, {model.size}, 3), RGB, 0 ... 255; all else is inside",
            "output": f"{OUTPUT}: float32 (batch, {len(model.classes)}), after softmax and temperature",
            "opset": OPSET,
            "tolerance": TOLERANCE,
        },
        "temperature": model.temperature,
        "calibration": model.calibration,
        "encoders": [
            {
                "encoder": choice["encoder"],
                "model": choice["architecture"]["model"],
                "trained": choice["trained"],
            }
            for choice in model.metadata["encoders"]
        ],
        "training_data": {
            "images": training.total if training else None,
            "per_class": training.counts if training else None,
            "with_masks": training.masks if training else None,
            "slides": training.slides if training else None,
            "mask_use": model.metadata.get("mask_use", "off"),
            "test_images_masked": model.masked_tests,
        },
        "results": [
            {
                key: row[key]
                for key in ("test_set", "metric", "value", "low", "high", "n", "interval")
            }
            for row in facts.results
            if row["value"]
        ],
        "licence": licence or NOT_DECLARED,
        "licences_of_starting_weights": {
            name: text or NOT_DECLARED for name, text in licences.items()
        },
        "intended_use": INTENDED_USE,
        "hashes": {
            "checkpoint_sha256": sha256_of_file(model.path),
            "training_images": training.fingerprint if training else "",
        },
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxscript")},
    }


def as_texts(described: Mapping[str, Any]) -> dict[str, str]:
    """Metadata of a file: each value as JSON."""
    return {
        key: json.dumps(value, ensure_ascii=False, sort_keys=True)
        for key, value in described.items()
    }


def from_texts(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The values that :func:`as_texts` wrote."""
    return {key: json.loads(value) for key, value in metadata.items()}


def weights_file(model: TrainedModel, described: Mapping[str, Any]) -> bytes:
    """The content of a safetensors file: tensors by their names in the checkpoint, and metadata."""
    state = {
        # Safetensors refuses tensors that share memory.
        name: value.detach().cpu().contiguous().clone()
        for name, value in classifier_state(model.network).items()
    }
    content = save(state, as_texts({**described, CHECKPOINT: dict(model.metadata)}))
    return _in_order(content)


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata in order: they are written in another one each time."""
    start = 8
    length = int.from_bytes(content[:start], "little")
    header = json.loads(content[start : start + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % start)
    return len(text).to_bytes(start, "little") + text + content[start + length :]


def load_weights_file(path: Path | str) -> tuple[Classifier, dict[str, Any]]:
    """A classifier, in eval mode, and its metadata, from an exported safetensors file alone.

    Raises:
        UserError: it is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = from_texts(file.metadata() or {})
        state = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(
            f"{path} is no exported safetensors file ({error}): export again"
        ) from error
    if CHECKPOINT not in metadata:
        raise UserError(f"{path} was not written by export_model: give one of its files")
    return rebuild_classifier(state, metadata[CHECKPOINT], path), metadata
