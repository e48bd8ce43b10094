"""New images and trained classifiers: scripts/predict.py from files to its table."""

import csv
import os
import re

import numpy as np
import pytest
import torch
from builders import CLASSES, COLOURS, ON_CPU, SIDE, TRAINING, call, failure, picture, save
from image_sets import CPU, images_of
from PIL import Image
from small_classifiers import small_classifier, small_mask_network

from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.images import decode_square
from fewlabels.statistics.calibration import fit_temperature, scale
from fewlabels.training.loop import predict
from fewlabels.training.masked_pixels import MaskView, held_in_memory
from fewlabels.training.segmentation import predict_masks
from fewlabels.training.stored_rows import stored_rows

HOSTILE = ["<img src=x onerror=alert(1)>.png", 'a,"b;.png', "line\nend.png", "=1+1.png", "-- é.png"]


@pytest.fixture
def options(tmp_path):
    """A classifier and a folder with two images of each class, in subfolders; fifteen pixels are cut from one."""
    for place, colour in enumerate(COLOURS.values()):
        for number in range(2):
            size = (SIDE - 15 * number, SIDE)
            save(picture(colour, number, size), tmp_path / "new" / f"{place}" / f"{number}.png")
    small_classifier(tmp_path / "model.pt")
    return {
        "model": tmp_path / "model.pt",
        "images": tmp_path / "new",
        "out": tmp_path / "out/p.csv",
        **ON_CPU,
    }


def rows_of(options) -> list[dict[str, str]]:
    return read_csv(options["out"])


def left_out(options) -> dict[str, str]:
    rows = read_csv(options["out"].with_name("p_left_out.csv"))
    return {row["path"]: row["reason"] for row in rows}


def values(rows, classes=CLASSES) -> np.ndarray:
    return np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows])


def packed(options, rows) -> np.ndarray:
    """The images of rows as the workflow packs them."""
    squares = [decode_square(options["images"] / row["path"], SIDE, "stretch", 50) for row in rows]
    return np.stack([np.asarray(square) for square in squares])


def expected(options, model, rows) -> np.ndarray:
    return predict(model, images_of(packed(options, rows)), CPU).softmax(1).numpy()


def test_predictions_are_the_models_on_the_images_as_they_are_packed(options):
    model = small_classifier(options["model"])
    assert call("predict", **options) == 0
    rows = rows_of(options)
    columns = ["path", "predicted", *(f"p_{name}" for name in CLASSES)]
    assert list(rows[0]) == [*columns, "entropy", "abstain", "calibrated", "note"]
    assert [row["path"] for row in rows] == [f"{k}/{n}.png" for k in range(3) for n in range(2)]
    wanted = expected(options, model, rows)
    np.testing.assert_allclose(values(rows), wanted, rtol=2e-6)
    assert [row["predicted"] for row in rows] == [CLASSES[k] for k in wanted.argmax(1)]
    assert len({row["predicted"] for row in rows}) > 1
    entropies = [float(row["entropy"]) for row in rows]
    np.testing.assert_allclose(entropies, -(wanted * np.log(wanted)).sum(1), rtol=1e-4)
    assert {(row["abstain"], row["calibrated"], row["note"]) for row in rows} == {("0", "0", "")}
    assert left_out(options) == {}


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_the_size_of_batches_and_the_decoders_change_nothing(options, batch_size):
    assert call("predict", **options) == 0
    whole = options["out"].read_bytes()
    assert call("predict", **options, batch_size=batch_size, decoders=3) == 0
    found = values(rows_of(options))
    options["out"].write_bytes(whole)
    np.testing.assert_allclose(found, values(rows_of(options)), rtol=1e-5)


def write_odd(folder) -> None:
    """One picture in many modes and formats."""
    drawn = picture(COLOURS["Basophil"], 3, (40, 36))
    grey = np.asarray(drawn.convert("L"))
    save(drawn.convert("CMYK"), folder / "cmyk.jpg")
    save(drawn.convert("P"), folder / "palette.png")
    save(drawn.convert("RGBA"), folder / "alpha.png")
    save(drawn.convert("LA"), folder / "grey_alpha.png")
    save(drawn.convert("1"), folder / "bits.bmp")
    save(drawn.convert("L"), folder / "grey.jp2")
    save(drawn, folder / "colours.webp")
    save(drawn.resize((400, 360)), folder / "large.jpg")
    save(Image.fromarray(grey.astype(np.uint16) * 257), folder / "deep.png")
    save(Image.fromarray(grey.astype(np.float32) / 255), folder / "shares.tif")
    with Image.new("P", (9, 9)) as transparent:
        transparent.save(folder / "transparent.gif", transparency=0)


def test_any_mode_and_size_is_decoded_as_it_is_packed(options, tmp_path):
    model = small_classifier(options["model"])
    options["images"] = tmp_path / "odd"
    write_odd(tmp_path / "odd")
    assert call("predict", **options) == 0
    rows = rows_of(options)
    assert len(rows) == len(os.listdir(tmp_path / "odd")) == 11
    np.testing.assert_allclose(values(rows), expected(options, model, rows), rtol=2e-6)
    notes = {row["path"]: row["note"] for row in rows if row["note"]}
    assert notes == {"transparent.gif": "nearly white: grey values 255 to 255"}


def test_bad_files_are_listed_and_counted_and_the_others_predicted(options, capsys):
    folder = options["images"]
    whole = (folder / "0/0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:-40])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no picture")
    (folder / "slide.svs").write_bytes(b"II*\0")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / ".hidden.png").write_bytes(whole)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    save(picture((1, 2, 3), 1, (80, 40)), folder / "large.png")
    assert call("predict", **options, max_megapixels=0.003) == 0
    found = left_out(options)
    for path, reason in {
        "cut.png": "the file is damaged",
        "empty.jpg": "the file is empty",
        "text.jpg": "its content is none of JPEG",
        "notes.txt": "is no picture",
        "slide.svs": "of a format that is not read",
        "nowhere.png": "is a link to gone.png, which does not exist",
        ".hidden.png": "is hidden",
        "loop": "is a link to a folder above it",
        "pipe.png": "is a pipe",
        "large.png": "megapixels",
    }.items():
        assert reason in found.pop(path), path
    assert found == {}
    assert len(rows_of(options)) == 6
    text = capsys.readouterr().err
    assert "Without a prediction: 8 files, and 2 that are no pictures" in text
    assert "10 files have no prediction" in text and "p_left_out.csv says why" in text


def test_hostile_names_stay_what_they_are(options, tmp_path):
    for number, name in enumerate(HOSTILE):
        save(picture((90, 90, 90), number), options["images"] / name)
    undecodable = os.fsencode(options["images"]) + b"/\xff.png"
    with open(undecodable, "wb") as handle:
        handle.write((options["images"] / "0/0.png").read_bytes())
    page = tmp_path / "page.html"
    assert call("predict", **options, page=page) == 0
    with options["out"].open(newline="") as handle:
        paths = [row["path"] for row in csv.DictReader(handle)]
    assert set(HOSTILE) < set(paths)
    assert left_out(options) == {"\\xff.png": "has a name that is no UTF-8: rename it"}
    text = page.read_text()
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in text
    assert "a,&#34;b;.png" in text


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_without_pictures_is_one_line(options, tmp_path, capsys, content):
    options["images"] = tmp_path / "none"
    options["images"].mkdir()
    if content:
        (options["images"] / content).touch()
    line = failure(capsys, "predict", **options)
    assert f"--images: {options['images']} holds no picture" in line
    assert not options["out"].exists()


def test_a_folder_that_is_not_there_is_one_line(options, capsys):
    options["images"] = options["images"] / "gone"
    assert "does not exist" in failure(capsys, "predict", **options)


def test_where_no_picture_can_be_read_a_line_leads_to_the_reasons(options, tmp_path, capsys):
    options["images"] = tmp_path / "broken"
    options["images"].mkdir()
    (options["images"] / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    page = tmp_path / "page.html"
    line = failure(capsys, "predict", **options, page=page)
    assert not page.exists()
    assert "can be read" in line and "p_left_out.csv says why" in line
    assert list(left_out(options)) == ["a.png"]
    assert rows_of(options) == []


def table(options, rows, name="table.csv"):
    """A table beside the folder of images."""
    path = options["images"].parent / name
    write_csv(path, list(rows[0]), rows)
    return path


def labelled_table(options, labels="NNBBEE"):
    by_letter = {name[0]: name for name in CLASSES}
    paths = [f"new/{k}/{n}.png" for k in range(3) for n in range(2)]
    rows = [
        {"path": path, "label": by_letter.get(letter, letter)}
        for path, letter in zip(paths, labels, strict=True)
    ]
    return table(options, rows)


def test_a_table_names_images_and_their_labels(options, capsys):
    found = labelled_table(options, "NNBBEX")
    with found.open("a") as handle:
        handle.write("new/gone.png,Basophil\n")
    assert call("predict", **options | {"images": found}) == 0
    rows = rows_of(options)
    assert list(rows[0])[:3] == ["path", "label", "predicted"]
    assert [row["label"][0] for row in rows] == list("NNBBEX")
    right = sum(row["label"] == row["predicted"] for row in rows)
    text = capsys.readouterr().err
    assert f"Accuracy: {100 * right / 5:.1f} % of 5 images with a label" in text
    assert "Labels of no class: X" in text
    assert "No such file" in left_out(options)["new/gone.png"]


def test_a_table_without_labels(options):
    found = table(options, [{"path": "new/2/1.png"}, {"path": "new/0/0.png"}])
    assert call("predict", **options | {"images": found}) == 0
    assert [row["path"] for row in rows_of(options)] == ["new/2/1.png", "new/0/0.png"]
    assert "label" not in rows_of(options)[0]


def test_a_picture_in_place_of_a_folder_is_one_line(options, capsys):
    options["images"] = options["images"] / "0/0.png"
    assert "is a picture: give the folder" in failure(capsys, "predict", **options)


def test_several_checkpoints_give_the_mean_of_their_probabilities(options, tmp_path):
    models = [small_classifier(tmp_path / f"{seed}.pt", seed) for seed in (1, 2, 3)]
    options["model"] = [tmp_path / f"{seed}.pt" for seed in (1, 2, 3)]
    assert call("predict", **options) == 0
    rows = rows_of(options)
    each = [expected(options, model, rows) for model in models]
    np.testing.assert_allclose(values(rows), np.mean(each, 0), rtol=2e-6)
    assert np.abs(each[0] - each[1]).max() > 0.01


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("classes", {"classes": CLASSES[::-1]}),
        ("resize", {"resize": "crop"}),
    ],
)
def test_checkpoints_that_differ_are_one_line(options, tmp_path, capsys, what, changes):
    small_classifier(tmp_path / "other.pt", **changes)
    options["model"] = [options["model"], tmp_path / "other.pt"]
    line = failure(capsys, "predict", **options)
    assert f"differ in {what}" in line and "other.pt" in line
    assert not options["out"].exists()


def test_views_are_those_of_the_training(options):
    model = small_classifier(options["model"], training=TRAINING | {"test_views": "all"})
    assert call("predict", **options) == 0
    rows = rows_of(options)
    pixels = packed(options, rows)
    turned = [np.rot90(pose, k, (1, 2)) for pose in (pixels, pixels[:, :, ::-1]) for k in range(4)]
    each = [predict(model, images_of(view.copy()), CPU).softmax(1).numpy() for view in turned]
    np.testing.assert_allclose(values(rows), np.mean(each, 0), atol=1e-5)


@pytest.mark.parametrize("use", ["replace", "crop", "channel"])
@pytest.mark.parametrize("given", [True, False])
def test_images_are_seen_through_masks_that_the_models_network_predicts(
    options, tmp_path, use, given
):
    seen = {"use": use, "crop_margin": 0.1, "network": "masks/unet.pt"}
    model = small_classifier(options["model"], channel=use == "channel", predicted_masks=seen)
    (tmp_path / "masks").mkdir()
    path = tmp_path / "masks/unet.pt"
    network, settings = small_mask_network(path)
    if given:
        options["mask_network"] = path.rename(tmp_path / "elsewhere.pt")
    assert call("predict", **options) == 0
    rows = rows_of(options)
    pixels = packed(options, rows)
    names = [row["path"] for row in rows]
    masks = held_in_memory(names, predict_masks(network, pixels, settings.size, CPU))
    view = MaskView(masks, use, 0.1).of(stored_rows([pixels], range(6), CPU.device), names)
    images = images_of(pixels)
    object.__setattr__(images, "pixels", view)
    np.testing.assert_allclose(
        values(rows), predict(model, images, CPU).softmax(1).numpy(), rtol=1e-5, atol=1e-9
    )


def test_a_missing_network_of_masks_is_one_line(options, capsys):
    seen = {"use": "crop", "crop_margin": 0.1, "network": "masks/unet.pt"}
    small_classifier(options["model"], predicted_masks=seen)
    line = failure(capsys, "predict", **options)
    assert "masks/unet.pt does not exist: give --mask-network" in line


def test_a_network_of_masks_that_nobody_asked_for_is_one_line(options, tmp_path, capsys):
    small_mask_network(tmp_path / "unet.pt")
    line = failure(capsys, "predict", **options, mask_network=tmp_path / "unet.pt")
    assert "takes no network of masks" in line


def test_masks_of_test_images_are_missed_aloud(options, capsys):
    small_classifier(options["model"], mask_use="replace", test_masks="arm")
    assert call("predict", **options) == 0
    assert "experiment.test_masks: arm" in capsys.readouterr().err


def test_a_checkpoint_that_is_none_is_one_line(options, capsys):
    options["model"].write_text("nothing")
    assert "is no readable checkpoint" in failure(capsys, "predict", **options)


def test_a_diverged_run_is_one_line(options, capsys):
    small_classifier(options["model"], state="diverged")
    assert "diverged, and predicts nothing" in failure(capsys, "predict", **options)


def test_a_missing_gpu_is_one_line(options, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    line = failure(capsys, "predict", **options | {"device": "cuda"})
    assert "torch sees no GPU" in line


def test_a_full_gpu_is_one_line(options, capsys, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr("fewlabels.deployment.ensemble.predict", full)
    line = failure(capsys, "predict", **options, batch_size=3)
    assert "no room for 3 images at a time: lower --batch-size" in line
    assert not options["out"].exists()
    assert not list(options["out"].parent.glob("*"))


# ---------------------------------------------------------------- calibration and abstention


def beside_validation(options, write=True) -> np.ndarray:
    """Validation predictions beside the checkpoint, all of them sure and a third of them wrong; their labels."""
    small_classifier(options["model"], validation="val.csv")
    rows = []
    for number in range(30):
        wrong = number % 3 == 0
        rows.append(
            {
                "id": number,
                "label": CLASSES[1 if wrong else 0],
                "predicted": CLASSES[0],
                **dict(zip((f"p_{name}" for name in CLASSES), (0.9, 0.06, 0.04), strict=True)),
            }
        )
    if write:
        write_csv(options["model"].with_name("val.csv"), list(rows[0]), rows)
    return np.array([CLASSES.index(row["label"]) for row in rows])


def test_the_models_own_temperature_comes_from_its_validation_images(options, capsys):
    labels = beside_validation(options)
    assert call("predict", **options, uncalibrated=True) == 0
    raw = values(rows_of(options))
    assert "not calibrated, as asked for" in capsys.readouterr().err
    assert call("predict", **options) == 0
    rows = rows_of(options)
    temperature, _ = fit_temperature(np.tile([0.9, 0.06, 0.04], (30, 1)), labels)
    assert temperature > 1.2
    told = f"temperature {temperature:.3g}, fitted to the validation images that chose the epoch"
    assert told in capsys.readouterr().err
    np.testing.assert_allclose(values(rows), scale(raw, temperature), rtol=1e-5)
    assert {row["calibrated"] for row in rows} == {"1"}


def test_where_one_model_has_no_temperature_none_is_scaled(options, tmp_path, capsys):
    beside_validation(options)
    small_classifier(tmp_path / "other.pt", seed=2)
    options["model"] = [options["model"], tmp_path / "other.pt"]
    assert call("predict", **options, uncalibrated=True) == 0
    raw = values(rows_of(options))
    assert call("predict", **options) == 0
    rows = rows_of(options)
    assert {row["calibrated"] for row in rows} == {"0"}
    assert "not calibrated" in capsys.readouterr().err
    np.testing.assert_array_equal(values(rows), raw)


def test_without_validation_predictions_beside_it_says_so(options, capsys):
    beside_validation(options, write=False)
    assert call("predict", **options) == 0
    assert (
        "not calibrated: the predictions on validation images are not beside"
        in capsys.readouterr().err
    )
    assert {row["calibrated"] for row in rows_of(options)} == {"0"}


def many(options, tmp_path, count=120):
    """A table of many images, a tenth of whose labels are not what the model gives; and its predictions."""
    paths = [f"many/{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        colour = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
        save(picture(colour, number, (8, 8)), tmp_path / path)
    found = table(options, [{"path": path} for path in paths])
    assert call("predict", **options | {"images": found}) == 0
    rows = sorted(rows_of(options), key=lambda row: float(row["entropy"]))
    labels = {}
    for place, row in enumerate(rows):
        others = [name for name in CLASSES if name != row["predicted"]]
        labels[row["path"]] = others[place % 2] if place >= 0.9 * count else row["predicted"]
    found = table(options, [{"path": path, "label": labels[path]} for path in paths])
    out = tmp_path / "labelled.csv"
    assert call("predict", **options | {"images": found, "out": out}, uncalibrated=True) == 0
    return found, out


def test_labelled_predictions_calibrate_and_tell_when_to_abstain(options, tmp_path, capsys):
    found, labelled = many(options, tmp_path)
    raw = values(read_csv(labelled))
    capsys.readouterr()
    asked = {"images": found, "calibration": labelled, "risk": 0.1}
    assert call("predict", **options | asked) == 0
    rows = rows_of(options)
    text = capsys.readouterr().err
    temperature = float(re.search(r"temperature ([\d.]+), fitted to 120", text)[1])
    np.testing.assert_allclose(values(rows), scale(raw, temperature), rtol=0.05, atol=1e-4)
    answered = [row for row in rows if row["abstain"] == "0"]
    assert 60 <= len(answered) < 120
    assert sum(row["label"] != row["predicted"] for row in answered) <= 0.1 * len(answered)
    least = min(max(values([row])[0]) for row in answered)
    assert all(max(values([row])[0]) <= least for row in rows if row["abstain"] == "1")
    assert f"{120 - len(answered)} of 120 images" in text


def test_calibrated_predictions_calibrate_nothing(options, tmp_path, capsys):
    beside_validation(options)
    options["images"] = labelled_table(options)
    assert call("predict", **options) == 0
    again = options["out"].rename(tmp_path / "again.csv")
    line = failure(capsys, "predict", **options, calibration=again)
    assert "was calibrated already" in line and "--uncalibrated" in line


def test_a_risk_without_labelled_predictions_is_one_line(options, capsys):
    assert "--risk needs --calibration" in failure(capsys, "predict", **options, risk=0.05)


def test_an_answer_may_need_a_probability(options):
    assert call("predict", **options, min_probability=0.7) == 0
    rows = rows_of(options)
    found = [(row["abstain"] == "1") == (max(values([row])[0]) < 0.7) for row in rows]
    assert all(found)
    assert {row["abstain"] for row in rows} == {"0", "1"}


@pytest.mark.parametrize(
    "words",
    [
        ["--risk", "5"],
        ["--min-probability", "0"],
        ["--batch-size", "0"],
        ["--white-level", "-1"],
        ["--risk", "0.1", "--min-probability", "0.5"],
        ["--calibration", "a.csv", "--uncalibrated"],
    ],
)
def test_values_that_make_no_sense_are_refused(options, words):
    with pytest.raises(SystemExit):
        call("predict", *words, **options)
