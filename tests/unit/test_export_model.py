"""Exported files of one run of a results folder: metadata, weights, card, and an example that uses them elsewhere."""

import os
import socket
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from builders import REPOSITORY, SIDE, TRAINING, call, failure, picture, save
from PIL import Image

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.core.run_sheet import Run, write_run_sheet
from fewlabels.deployment import onnx_graph
from fewlabels.deployment.exported import from_texts, load_weights_file
from fewlabels.deployment.trained_model import load
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.checkpoints import classifier_state, describe_encoders, save_checkpoint
from fewlabels.networks.classifier import Classifier

#: Names that would break out of a Markdown cell, a page or a tab-separated line.
HOSTILE = ["<img onerror=x>|", 'ü "quoted"', "`tick`"]
RUN = Run("arm1", "cells", "1", 3, 3)
METRICS = ["arm", "fraction", "replicate", "test_set", "selection", "metric", "value", "n"]
METRICS += ["low", "high", "interval", "state"]


def small_encoder():
    encoder = ConvolutionalEncoder([4, 8], 6, SIDE)
    encoder.open_blocks(["latent"])
    return encoder


def write_checkpoint(path, encoder=None, **metadata):
    torch.manual_seed(0)
    encoder = encoder or small_encoder()
    model = Classifier({"drawn": encoder}, len(HOSTILE)).eval()
    with torch.no_grad():
        model.head.weight.mul_(20)
    known = {
        "model": "arm1_cells_1",
        "classes": HOSTILE,
        "image_size": SIDE,
        "resize": "stretch",
        "encoders": describe_encoders(model),
        "mask_use": "append",
        "training": TRAINING | {"test_views": "one"},
        "state": "complete",
        "run": {"arm": "arm1", "target": "cells", "fraction": "1", "replicate": "3"},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, classifier_state(model), known | metadata)
    return path


def write_results(folder):
    """A results folder of two replicates, as far as an export looks into it."""
    other = Run("arm1", "cells", "1", 4, 4)
    write_run_sheet(folder / "runs.csv", [RUN, other])

    def row(replicate, metric, value, **more):
        found = dict.fromkeys(METRICS, "") | {"arm": "arm1", "fraction": "1", "n": 50}
        found |= {"replicate": replicate, "test_set": "test", "selection": "last"}
        return found | {"metric": metric, "value": value} | more

    rows = [
        row(3, "accuracy", 81.25, low=70.5, high=88.5, interval="wilson"),
        row(3, "accuracy", 99.75, selection="best_test"),
        row(3, f"recall_{HOSTILE[0]}", 12.5),
        row(3, "nll_scaled", ""),
        row(4, "accuracy", 61.25),
        row("mean", "accuracy", 71.25),
    ]
    write_csv(folder / "metrics/evaluate.csv", METRICS, rows)
    labels = {"arm": "arm1", "fraction": "1", "replicate": "3", "subset": "0123456789ab"}
    write_csv(folder / "labels.csv", list(labels), [labels])
    subset = [
        {"id": f"{n}", "label": HOSTILE[n % 2], "mask": n % 2, "part": part}
        for n, part in enumerate(["train"] * 5 + ["validation"])
    ]
    write_csv(folder / RUN.subset(), list(subset[0]), subset)
    index = [{"id": f"{n}", "slide": "ab"[n % 2]} for n in range(6)]
    write_csv(folder / "images/cells_index.csv", list(index[0]), index)
    return write_checkpoint(folder / RUN.path("models", "pt"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The checkpoint, and the folder with its three files."""
    folder = tmp_path_factory.mktemp("export")
    checkpoint = write_results(folder / "results")
    options = {"licences": {"drawn": "", "net": "MIT | <b>"}, "licence": "CC BY 4.0"}
    assert (
        call("export_model", model=checkpoint, out=folder / "out", title="a_b *c*", **options) == 0
    )
    return checkpoint, folder / "out"


def metadata_of(path) -> dict:
    found = onnx.load(path)
    return from_texts({entry.key: entry.value for entry in found.metadata_props})


def test_three_files_named_like_the_run(exported):
    assert sorted(path.name for path in exported[1].iterdir()) == [
        *("arm1_cells_1.md", "arm1_cells_1.onnx", "arm1_cells_1.safetensors")
    ]


def test_metadata_say_all_that_a_user_needs(exported):
    _, out = exported
    found = metadata_of(out / "arm1_cells_1.onnx")
    assert found["classes"] == HOSTILE
    assert (found["size"], found["resize"], found["temperature"]) == (SIDE, "stretch", None)
    assert (found["arm"], found["target"]) == ("arm1", "cells")
    assert (found["fraction"], found["replicate"]) == ("1", "3")
    assert found["encoders"] == [
        {"encoder": "drawn", "model": "autoencoder", "trained": ["latent"]}
    ]
    assert found["training_data"] == {
        **{"images": 5, "per_class": {HOSTILE[0]: 3, HOSTILE[1]: 2}, "with_masks": 2},
        **{"slides": 2, "mask_use": "append", "test_images_masked": False},
    }
    assert found["licence"] == "CC BY 4.0"
    assert found["licences_of_starting_weights"] == {"drawn": "not declared", "net": "MIT | <b>"}
    assert found["hashes"]["training_images"] == "0123456789ab"
    assert len(found["hashes"]["checkpoint_sha256"]) == 64
    assert found["onnx"]["opset"] == onnx_graph.OPSET
    assert [row["value"] for row in found["results"]] == ["81.25", "12.5"]
    assert found["preprocessing"]["normalisation"].keys() == {"drawn"}


def test_weights_come_back_with_the_same_metadata(exported):
    checkpoint, out = exported
    network, metadata = load_weights_file(out / "arm1_cells_1.safetensors")
    known = load(checkpoint)
    assert metadata.pop("checkpoint") == known.metadata
    assert metadata == metadata_of(out / "arm1_cells_1.onnx")
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(network(images), known.network(images))


def test_weights_are_written_alike_each_time(exported, tmp_path):
    checkpoint, out = exported
    options = {"licences": {"drawn": "", "net": "MIT | <b>"}, "licence": "CC BY 4.0"}
    name = tmp_path / "other.onnx"
    assert call("export_model", model=checkpoint, out=name, title="a_b *c*", **options) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("other.md", "other.onnx", "other.safetensors")
    ]
    for ending in ("onnx", "safetensors"):
        first = (out / f"arm1_cells_1.{ending}").read_bytes()
        assert (tmp_path / f"other.{ending}").read_bytes() == first


def test_another_safetensors_file_is_one_line(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="was not written by export_model"):
        load_weights_file(path)
    path.write_bytes(b"no header")
    with pytest.raises(UserError, match="is no exported safetensors file"):
        load_weights_file(path)


def test_the_card_has_data_results_and_licence_with_names_escaped(exported):
    text = (exported[1] / "arm1_cells_1.md").read_text()
    assert "a_b \\*c\\*" in text
    assert "| \\<img onerror=x\\>\\| | 3 |" in text
    assert "<img" not in text.replace("`<img onerror=x>\\|`", "").replace("\\<img", "")
    assert "| accuracy (%) | 81.2 [70.5, 88.5] |" in text
    assert "99.8" not in text
    assert "one of 2 replicates, whose accuracies are 61.2 to 81.2, on average 71.2" in text
    assert "5 labelled images, 2 of them with a mask of their own; from 2 slides" in text
    assert "rarest class from 0 labelled images" in text
    assert "Of this model: CC BY 4.0." in text
    assert "`net`, from which it started: MIT \\| \\<b\\>" in text
    assert "95 % intervals" in text
    assert "not calibrated" in text


def test_a_checkpoint_alone_says_what_is_not_known(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "alone.pt")
    assert call("export_model", model=checkpoint, out=tmp_path / "out") == 0
    text = (tmp_path / "out/arm1_cells_1.md").read_text()
    assert "Results are not known: the results folder was not beside the checkpoint." in text
    assert "learnt from are not known" in text
    assert "Of this model: not declared (`--licence`" in text


def test_a_graph_that_differs_is_not_written(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        onnx_graph, "predicted_by_onnx", lambda _, images: np.ones((len(images), 3))
    )
    line = failure(capsys, "export_model", model=exported[0], out=tmp_path / "out")
    assert "differ by" in line
    assert "PyTorch" in line
    assert not (tmp_path / "out").exists()


def test_nothing_asks_the_network(tmp_path, monkeypatch):
    """Networks are built from the checkpoint alone, those of a library too, which could download weights."""

    def refuse(*_, **__):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = Backbone("timm/test_resnet", SIDE)
    encoder.open_blocks([])
    checkpoint = write_checkpoint(tmp_path / "model.pt", encoder)
    assert call("export_model", model=checkpoint, out=tmp_path) == 0
    assert (tmp_path / "arm1_cells_1.onnx").is_file()


def test_what_cannot_be_written_to_is_one_line(exported, tmp_path, capsys):
    (tmp_path / "file").touch()
    line = failure(capsys, "export_model", model=exported[0], out=tmp_path / "file")
    assert "--out" in line
    assert "is a file" in line


# --- the example


def classify(out, *paths, cwd) -> subprocess.CompletedProcess:
    """Run the example where neither torch nor this workflow's library can be imported."""
    blocked = cwd / "blocked"
    blocked.mkdir(exist_ok=True)
    for name in ("torch", "torchvision", "timm", "fewlabels", "onnx", "safetensors"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is blocked')\n")
    script = REPOSITORY / "examples/classify_with_onnx.py"
    return subprocess.run(
        [sys.executable, script, out / "arm1_cells_1.onnx", *paths],
        env={**os.environ, "PYTHONPATH": str(blocked)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_classifies_images_without_torch(exported, tmp_path):
    checkpoint, out = exported
    colours = [(200, 30, 30), (30, 30, 200), (30, 200, 30)]
    plain = [picture(colour, n, (48, 40)) for n, colour in enumerate(colours)]
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    clear = plain[2].convert("RGBA")
    clear.putalpha(100)
    save(plain[0], tmp_path / "plain.png")
    plain[1].save(tmp_path / "turned.jpg", exif=exif, quality=95)
    clear.save(tmp_path / "clear.png")
    plain[0].convert("L").save(tmp_path / "grey.png")
    names = ["plain.png", "turned.jpg", "clear.png", "grey.png"]
    done = classify(out, *names, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    from fewlabels.data.images import decode_square

    model = load(checkpoint)
    pixels = np.stack([np.asarray(decode_square(tmp_path / n, SIDE, "stretch", 50)) for n in names])
    expected = onnx_graph.predicted_by_torch(model, pixels)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == names
    assert [line[1] for line in lines] == [HOSTILE[k] for k in expected.argmax(1)]
    np.testing.assert_allclose([float(line[2]) for line in lines], expected.max(1), atol=0.01)
    assert len({line[2] for line in lines}) > 1


def test_the_example_refuses_deep_images(exported, tmp_path):
    deep = np.full((SIDE, SIDE), 3000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    done = classify(exported[1], "deep.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "deep.png: more than 8 bits" in done.stderr


def test_the_example_makes_images_square_as_the_training_did(tmp_path):
    """By what the metadata say, not by what is usual."""
    checkpoint = write_checkpoint(tmp_path / "crop.pt", resize="crop")
    assert call("export_model", model=checkpoint, out=tmp_path) == 0
    wide = Image.new("RGB", (3 * SIDE, SIDE), (250, 0, 0))
    wide.paste((0, 0, 250), (SIDE, 0, 2 * SIDE, SIDE))
    save(wide, tmp_path / "wide.png")
    save(Image.new("RGB", (SIDE, SIDE), (0, 0, 250)), tmp_path / "centre.png")
    done = classify(tmp_path, "wide.png", "centre.png", cwd=tmp_path)
    wide_line, centre_line = done.stdout.splitlines()
    assert wide_line.split("\t")[1:] == centre_line.split("\t")[1:]


def test_the_example_is_short():
    text = (REPOSITORY / "examples/classify_with_onnx.py").read_text()
    statements = [line for line in text.splitlines() if line and not line.startswith('"""')]
    assert len(statements) <= 20
    imported = {line.split()[1] for line in statements if line.startswith(("import", "from"))}
    assert imported == {"json", "sys", "numpy", "onnxruntime", "PIL"}
