"""The shown test images, each beside a heat map of what its run saw."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from builders import AUTOENCODER, CLASSES, SIDE, call, failure, write_sheet
from PIL import Image

from fewlabels.core.files import write_csv
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.checkpoints import classifier_state, describe_encoders, save_checkpoint
from fewlabels.networks.classifier import Classifier
from fewlabels.statistics.shown_errors import COLUMNS, LABEL_COLUMNS


def pixels(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.removeprefix("data:image/webp;base64,"))
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def error_row(image: str, reason: str = "mistake", **changes: object) -> dict:
    own = {"arm": "one", "fraction": "10"} if reason == "mistake" else {}
    return {
        **{"reason": reason, "test_set": "test", "rank": 1, "id": image, **own},
        **{"label": CLASSES[1], "predicted": CLASSES[0], "probability": 0.9},
        **{"label_probability": 0.05, "wrong": 2, "runs": 3},
        **{"explained_arm": "one", "explained_fraction": "10", "explained_replicate": "2"},
        **changes,
    }


@pytest.fixture
def options(wbc_data, tmp_path):
    """A checkpoint of one run, and no errors yet."""
    write_sheet(tmp_path / "runs.csv", ["one"], ["10"], [1, 2])
    write_checkpoint(tmp_path)
    write_csv(
        tmp_path / "labels.csv",
        LABEL_COLUMNS,
        [{"test_set": "test", "doubtful": int(n < 2)} for n in range(5)],
    )
    return {
        "results": tmp_path,
        "runs": tmp_path / "runs.csv",
        "errors": tmp_path / "errors.csv",
        "label_errors": tmp_path / "labels.csv",
        **wbc_data.packed,
        **{"device": "cpu", "threads": 1, "page_data": tmp_path / "errors.json"},
    }


def write_checkpoint(folder, **changes: object) -> None:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(**AUTOENCODER)
    encoder.open_blocks([])
    model = Classifier({"small": encoder}, len(CLASSES))
    metadata = {
        **{"classes": CLASSES, "image_size": SIDE, "mask_use": "off"},
        **{"encoders": describe_encoders(model), **changes},
    }
    save_checkpoint(folder / "models/replicate2/one_cells_10.pt", classifier_state(model), metadata)


def explain(options, *rows, **more):
    write_csv(options["errors"], COLUMNS, rows)
    assert call("explain_errors", **options, **more) == 0
    return json.loads(options["page_data"].read_text())


def test_each_image_stands_once_and_each_error_has_its_heat_map(options, wbc_data):
    first, second, *_ = [row["id"] for row in wbc_data.rows("test")]
    data = explain(options, error_row(first), error_row(second), error_row(first, "hard", wrong=3))
    assert [cell["arm"] for cell in data["mistakes"]] == ["one"]
    shown = data["mistakes"][0]["images"]
    assert [shot["id"] for shot in shown] == [first, second]
    assert shown[0]["probability"] == 0.9
    assert shown[0]["run"] == ["one", "10", "2"]
    assert [shot["wrong"] for shot in data["hard"]] == [3]
    assert data["doubtful_label"] == []
    assert data["counts"] == {"test": {"images": 5, "doubtful": 2}}
    assert sorted(data["pictures"]["test"]) == sorted([first, second])
    original = wbc_data.pictures([first])[0]
    assert abs(pixels(data["pictures"]["test"][first]) - original).mean() < 20
    assert pixels(shown[0]["heat_map"]).shape == (SIDE, SIDE, 3)
    assert shown[0]["heat_map"] == data["hard"][0]["heat_map"] != shown[1]["heat_map"]


def test_the_other_answer_gives_the_opposite_colours(options, wbc_data):
    image = wbc_data.rows("test")[0]["id"]
    swapped = {"label": CLASSES[0], "predicted": CLASSES[1]}
    data = explain(options, error_row(image), error_row(image, rank=2, **swapped))
    one, other = (pixels(shot["heat_map"]) for shot in data["mistakes"][0]["images"])
    # Red minus blue: orange is above 0, blue below.
    warm, cold = one[..., 0] - one[..., 2], other[..., 0] - other[..., 2]
    assert abs(warm).max() > 100
    assert np.corrcoef(warm.ravel(), cold.ravel())[0, 1] < -0.7


def test_no_run_gives_the_answer(options, wbc_data):
    nobody = {f"explained_{part}": "" for part in ("arm", "fraction", "replicate")}
    data = explain(options, error_row(wbc_data.rows("test")[0]["id"], "hard", **nobody))
    assert data["hard"][0]["heat_map"] is None
    assert data["hard"][0]["run"] == ["", "", ""]


def test_nothing_was_wrong(options):
    data = explain(options)
    assert data["mistakes"] == data["hard"] == data["doubtful_label"] == []


@pytest.mark.parametrize(("test_masks", "masked"), [("arm", True), ("off", False)])
def test_the_heat_map_is_of_what_the_run_saw(options, wbc_data, tmp_path, test_masks, masked):
    """Masked copies of test images, where runs were tested on these: black at their background."""
    write_checkpoint(tmp_path, mask_use="replace")
    image = next(row["id"] for row in wbc_data.rows("test") if row["mask"])
    more = {**wbc_data.masked, "test_masks": test_masks}
    data = explain(options, error_row(image), **more)
    shown = pixels(data["mistakes"][0]["images"][0]["heat_map"])
    copy, whole = (wbc_data.pictures([image], masked=use)[0] for use in (True, False))
    background = (copy.sum(2) == 0) & (whole.sum(2) > 60)
    # Black under a heat map is 72 of grey.
    black = abs(shown[background] - 72).mean() < 25
    assert black == masked


def test_a_run_that_sees_images_through_predicted_masks(options, wbc_data, tmp_path):
    write_checkpoint(tmp_path, predicted_masks={"use": "replace", "crop_margin": 0})
    image = wbc_data.rows("test")[0]["id"]
    mask = np.zeros((1, SIDE, SIDE), bool)
    mask[:, : SIDE // 2] = True
    np.save(tmp_path / "predicted.npy", np.packbits(mask, axis=-1))
    box = {"top": 0, "left": 0, "bottom": SIDE // 2, "right": SIDE}
    row = {"id": image, "kind": "predicted mask", "row": 0, "foreground": 0.5, **box}
    write_csv(tmp_path / "predicted.csv", list(row), [row])
    more = {"predicted_masks": ["one", "10", "2", tmp_path / "predicted.npy"]}
    rows = [error_row(image), error_row("there.png", test_set="Elsewhere")]
    np.save(tmp_path / "there.npy", np.full((1, SIDE, SIDE, 3), 99, np.uint8))
    write_csv(
        tmp_path / "there.csv",
        ["id", "kind", "row"],
        [{"id": "there.png", "kind": "plain", "row": 0}],
    )
    more |= {"external": ["Elsewhere"], "external_images": [tmp_path / "there.npy"]}
    own, other = explain(options, *rows, **more)["mistakes"]
    shown = pixels(own["images"][0]["heat_map"])
    assert abs(shown[-6:] - 72).mean() < 25 < abs(shown[:6] - 72).mean()
    # The masks of the external set are not at hand.
    assert other["images"][0]["heat_map"] is None


def test_images_of_another_size_are_one_line(options, wbc_data, tmp_path, capsys):
    write_checkpoint(tmp_path, image_size=2 * SIDE)
    write_csv(options["errors"], COLUMNS, [error_row(wbc_data.rows("test")[0]["id"])])
    line = failure(capsys, "explain_errors", **options)
    assert f"takes images of {2 * SIDE} pixels" in line
    assert "images.size" in line
