"""A model card in Markdown (Mitchell et al. 2019, FAT*, doi:10.1145/3287560.3287596), from an export's metadata."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from fewlabels.core.fractions import of_labels
from fewlabels.deployment.exported import NOT_DECLARED
from fewlabels.reporting.tables import (
    markdown_code,
    markdown_table,
    markdown_text,
    with_interval,
)

#: Metrics of the card, in its order: name, decimals.
SHOWN = {
    "accuracy": ("accuracy (%)", 1),
    "balanced_accuracy": ("balanced accuracy (%)", 1),
    "macro_f1": ("macro-F1 (%)", 1),
    "macro_auroc": ("macro-AUROC (%)", 1),
    "mcc": ("MCC (%)", 1),
    "nll": ("negative log likelihood (nats)", 3),
    "calibration_error": ("calibration error (%)", 1),
    "calibration_error_scaled": ("calibration error, with the temperature (%)", 1),
}
OF_CLASSES = {"precision": "precision (%)", "recall": "recall (%)", "f1": "F1 (%)"}
#: An encoder with more open blocks is told by their number.
FEW_BLOCKS = 4
NOT_KNOWN = "not known: the results folder was not beside the checkpoint"
#: How a classifier was tested that was trained on masks.
MASK_USES = {
    "off": "Trained on plain images.",
    "replace": "Where a training image has a mask, its background was black in training.",
    "append": "Of training images with a mask a copy with a black background was one more training image.",
}
SEEN = {
    "off": "",
    "replace": "Every image is seen with a black background, by a mask that the file itself predicts.",
    "channel": "Every image is seen with a mask as a fourth channel, which the file itself predicts.",
}


def model_card(
    described: Mapping[str, Any],
    accuracies: Sequence[float],
    title: str,
    alpha: float,
    files: Mapping[str, str],
    parity: float,
) -> str:
    """The card's text.

    Args:
        described: the export's metadata.
        accuracies: of all replicates of this arm and fraction, in per cent.
        title: of the arm; empty where it is not known.
        alpha: of the results' intervals.
        files: what is in a file -> its name.
        parity: the largest difference between probabilities by onnxruntime and by PyTorch.
    """
    sections = [
        _head(described, title),
        _use(described, files, parity),
        _data(described),
        _results(described, accuracies, alpha),
        _limitations(described),
        _licence(described),
        _origin(described),
    ]
    return "\n\n".join("\n\n".join(part for part in section if part) for section in sections) + "\n"


def _head(described: Mapping[str, Any], title: str) -> list[str]:
    classes = described["classes"]
    named = f": {markdown_text(title)}" if title else ""
    encoders = "; ".join(_encoder(encoder) for encoder in described["encoders"])
    run = ""
    if described["arm"]:
        run = (
            f"Arm {markdown_code(described['arm'])}{named}. Target {markdown_code(described['target'])}, with "
            f"{of_labels(described['fraction'])}, replicate {described['replicate']}."
        )
    return [
        f"# {markdown_text(described['name'])}",
        f"A classifier of microscopy images into {len(classes)} classes: "
        f"{', '.join(map(markdown_code, classes))}.",
        run,
        f"Network: {encoders}.",
        f"Intended use: {described['intended_use']}.",
    ]


def _encoder(encoder: Mapping[str, Any]) -> str:
    blocks = encoder["trained"]
    if not blocks:
        trained = "frozen"
    elif len(blocks) > FEW_BLOCKS:
        trained = f"{len(blocks)} blocks trained"
    else:
        trained = f"trained: {', '.join(map(markdown_code, blocks))}"
    return f"{markdown_code(encoder['encoder'])} ({markdown_code(encoder['model'])}, {trained})"


def _use(described: Mapping[str, Any], files: Mapping[str, str], parity: float) -> list[str]:
    how = {
        "stretch": "both sides stretched",
        "crop": "the centre square of it",
        "pad": "padded with black to a square",
    }[described["resize"]]
    size, graph = described["size"], described["onnx"]
    views = len(described["preprocessing"]["views"])
    lines = [f"- {what}: {markdown_code(name)}" for what, name in files.items()]
    averaged = f", the mean over {views} views (flips, right angles)" if views > 1 else ""
    return [
        "## Use",
        "\n".join(lines),
        f"Make an image 8-bit RGB, and {size} x {size} pixels by bilinear resizing, {how}. The ONNX graph "
        f"(opset {graph['opset']}) takes {markdown_code(graph['input'])} and gives "
        f"{markdown_code(graph['output'])}{averaged}. `examples/classify_with_onnx.py` does it in twenty lines, with "
        "onnxruntime, NumPy and Pillow alone. Both formats hold classes, size and all of the following as JSON in "
        "their metadata.",
        f"Checked when it was exported: probabilities by onnxruntime and by PyTorch differ by at most {parity:.1g} "
        f"(tolerance {graph['tolerance']:g}; both in float32, on the CPU).",
        SEEN[described["preprocessing"]["masks"]],
        f"Temperature {described['temperature']:.3g}, inside the graph: {described['calibration']}."
        if described["temperature"]
        else f"Probabilities are not calibrated: {described['calibration']}.",
    ]


def _data(described: Mapping[str, Any]) -> list[str]:
    data = described["training_data"]
    lines = [MASK_USES[data["mask_use"]]]
    if data["images"] is None:
        lines.append(f"The labelled images that it learnt from are {NOT_KNOWN}.")
    else:
        slides = f"from {data['slides']} slides" if data["slides"] else "slides unknown"
        lines.append(
            f"Learnt from {data['images']} labelled images, {data['with_masks']} of them with a mask of their own; "
            f"{slides}."
        )
    if data["test_images_masked"]:
        lines.append("Its test images were masked by masks of their own, where they had some.")
    table = ""
    if data["per_class"]:
        rows = [
            (markdown_text(name), str(data["per_class"].get(name, 0)))
            for name in described["classes"]
        ]
        table = markdown_table(("class", "labelled images"), rows)
    return ["## Training data", " ".join(lines), table]


def _results(described: Mapping[str, Any], accuracies: Sequence[float], alpha: float) -> list[str]:
    rows = described["results"]
    if not rows:
        return ["## Results", f"Results are {NOT_KNOWN}."]
    sets = list(dict.fromkeys(row["test_set"] for row in rows))
    found = {(row["test_set"], row["metric"]): row for row in rows}
    shown = [
        (name, *(with_interval(found.get((test, metric)), decimals) for test in sets))
        for metric, (name, decimals) in SHOWN.items()
        if any((test, metric) in found for test in sets)
    ]
    images = ", ".join(
        f"{markdown_code(test)}: {next(row['n'] for row in rows if row['test_set'] == test)} images"
        for test in sets
    )
    others = ""
    if len(accuracies) > 1:
        others = (
            f"It is one of {len(accuracies)} replicates, whose accuracies are {min(accuracies):.1f} to "
            f"{max(accuracies):.1f}, on average {statistics.mean(accuracies):.1f}: another draw of as many labels "
            "would have given another model."
        )
    classes = [
        (
            markdown_text(name),
            *(with_interval(found.get(("test", f"{metric}_{name}")), 1) for metric in OF_CLASSES),
        )
        for name in described["classes"]
    ]
    return [
        "## Results",
        f"On test images ({images}), with {100 * (1 - alpha):g} % intervals. They are about the images, not about "
        "another training. The workflow predicts in bfloat16 where the hardware has it: single probabilities, and "
        "seldom labels, differ from those of the exported file, which computes in float32.",
        markdown_table(("metric", *map(markdown_text, sets)), shown),
        markdown_table(("class, on test", *OF_CLASSES.values()), classes),
        others,
    ]


def _limitations(described: Mapping[str, Any]) -> list[str]:
    data = described["training_data"]
    lines = [
        "It gives one of its classes for any image, also for one of no class, or of another stain, microscope or "
        "organ. Test it on labelled images of your own before you rely on it.",
        "A probability is about images like the test images; elsewhere it may be far too sure.",
    ]
    if data["images"] is not None:
        smallest = min(data["per_class"].get(name, 0) for name in described["classes"])
        lines.append(
            f"It learnt its rarest class from {smallest} labelled image{'s' * (smallest != 1)}."
        )
        if not data["slides"]:
            lines.append(
                "Slides or patients of the images are unknown: results may be too good for new ones."
            )
    if not described["temperature"]:
        lines.append("No temperature could be fitted: it is probably too sure of what it says.")
    return ["## Limitations", "\n".join(f"- {line}" for line in lines)]


def _licence(described: Mapping[str, Any]) -> list[str]:
    licences = described["licences_of_starting_weights"]
    lines = [
        f"- Weights of {markdown_code(name)}, from which it started: {markdown_text(text)}"
        for name, text in licences.items()
    ]
    own = described["licence"]
    remedy = " (`--licence` of export_model states one)" if own == NOT_DECLARED else ""
    return [
        "## Licence",
        f"Of this model: {markdown_text(own)}{remedy}. What holds for the starting weights, and for the images it was "
        "trained on, holds for it too.",
        "\n".join(lines),
    ]


def _origin(described: Mapping[str, Any]) -> list[str]:
    hashes, versions = described["hashes"], described["versions"]
    lines = [f"- SHA-256 of the checkpoint: `{hashes['checkpoint_sha256']}`"]
    if hashes["training_images"]:
        lines.append(f"- set of training images: `{hashes['training_images']}` (labels.csv)")
    lines.append(
        "- exported with " + ", ".join(f"{name} {found}" for name, found in versions.items())
    )
    return ["## Origin", "\n".join(lines)]
