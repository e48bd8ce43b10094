"""The audit from raw folders on: planted copies are found under their kind, and nothing else."""

import shutil

import pytest
from builders import CLASSES, call, colours_in, failure, index, pack, save
from PIL import Image

from fewlabels.core.files import read_csv, write_csv
from fewlabels.synthetic.blood import draw_cell

SPLITS = {"train": "train", "test": "val"}
PATTERN = r"^(?P<slide>[0-9-]+)_(?P<field>[0-9]+)_[0-9]+$"


def cell(number: int) -> Image.Image:
    return Image.fromarray(draw_cell(0, 0, number % 5, number, number % 3, 96)[0])


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Four training and two test cells of each class, on slides of both splits; no copies."""
    folder = tmp_path_factory.mktemp("raw")
    for place, (split, count) in enumerate((("train", 4), ("val", 2))):
        for kind, label in enumerate(CLASSES):
            for number in range(count):
                # Slides 1-0 and 1-1 in train, 1-1 and 1-2 in val; fields differ.
                name = f"1-{place + number % 2}_{10 * place + number}_{kind}.png"
                drawn = cell(100 * place + 10 * kind + number)
                save(drawn, folder / split / "data" / label / name)
    return folder


@pytest.fixture
def audit(raw, tmp_path):
    """Copies the cells, plants what is given (path -> image or file to copy), audits; gives the findings."""

    def run(planted=None, size=64, **options):
        folder = tmp_path / "raw"
        shutil.copytree(raw, folder)
        for path, source in (planted or {}).items():
            if isinstance(source, str):
                shutil.copy(folder / source, folder / path)
            else:
                source(Image.open(folder / TRAIN)).save(folder / path, quality=60)
        assert index(folder, tmp_path, SPLITS, group_pattern=PATTERN) == 0
        assert pack(folder, tmp_path, size=size) == 0
        files = {
            "indexes": [tmp_path / "index.csv"],
            "images": [tmp_path / "images.npy"],
            "pairs": tmp_path / "pairs.csv",
            "compared": tmp_path / "compared.csv",
            "report": tmp_path / "leakage.md",
            "thumbnails": tmp_path / "thumbnails.png",
        }
        settings = {"target": "cells", "datasets": ["cells"], "distance": 6, "correlation": 0.96}
        assert call("audit_leakage", **{**files, **settings, **options}) == 0
        return read_csv(tmp_path / "pairs.csv")

    return run


TRAIN = "train/data/Neutrophil/1-0_2_0.png"
COPY = "val/data/Neutrophil/2-9_9_9"


def copies(rows):
    return [(r["kind"], r["first_id"], r["second_id"]) for r in rows if r["first_id"]]


def test_without_copies_only_the_shared_slide_is_listed(audit, tmp_path):
    rows = audit()
    assert copies(rows) == []
    [slide] = rows
    assert (slide["kind"], slide["group"]) == ("slide", "1-1")
    # Two of the four training and one of the two test images of three classes.
    assert (slide["first_images"], slide["second_images"]) == ("6", "3")
    report = (tmp_path / "leakage.md").read_text()
    assert "| cells test in cells train | 6 | 0 | 0 | 0 | 3 (50 %) on 1 | 0 (0 %) on 0 |" in report
    assert "| cells train, within | 12 | 0 | 0 | 0 | – | – |" in report
    assert "| cells test, within | 6 | 0 | 0 | 0 | – | – |" in report
    assert "**" not in report
    compared = {
        (row["first_split"], row["second_split"]): row
        for row in read_csv(tmp_path / "compared.csv")
    }
    assert compared.keys() == {("train", "test"), ("train", "train"), ("test", "test")}
    across = compared["train", "test"]
    assert (across["first_images"], across["second_images"], across["test"]) == ("12", "6", "true")
    assert (across["near_duplicates"], across["slide"]) == ("0", "1")
    assert compared["train", "train"]["test"] == "false"


@pytest.mark.parametrize(
    ("kind", "ending", "source"),
    [
        ("bytes", "png", TRAIN),
        ("near_duplicates", "jpg", lambda image: image),
        ("near_duplicates", "jpg", lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
        ("near_duplicates", "jpg", lambda image: image.transpose(Image.Transpose.ROTATE_90)),
        ("near_duplicates", "jpg", lambda image: image.resize((88, 88))),
        ("pixels", "bmp", lambda image: image),
    ],
    ids=["same file", "JPEG", "flipped", "turned", "resized", "another format"],
)
def test_a_planted_copy_is_found_and_shown(audit, tmp_path, kind, ending, source):
    rows = audit({f"{COPY}.{ending}": source})
    expected = (kind, "train/Neutrophil/1-0_2_0.png", f"val/Neutrophil/2-9_9_9.{ending}")
    assert copies(rows) == [expected]
    assert colours_in(tmp_path / "thumbnails.png") > 1000


def test_a_copy_within_the_training_images_is_listed_as_such(audit):
    rows = audit({"train/data/Neutrophil/2-9_9_9.png": TRAIN})
    [row] = [row for row in rows if row["first_id"]]
    assert (row["first_split"], row["second_split"]) == ("train", "train")
    assert (row["kind"], row["second_label"]) == ("bytes", "Neutrophil")


def test_copies_among_the_test_images_are_told_on_top_of_the_report(audit, tmp_path):
    rows = audit(
        {
            f"{COPY}.png": "val/data/Neutrophil/1-1_10_0.png",
            "val/data/Neutrophil/2-8_8_8.png": TRAIN,
        }
    )
    found = [row for row in rows if row["first_id"]]
    assert [(row["first_split"], row["second_split"], row["kind"]) for row in found] == [
        ("train", "test", "bytes"),
        ("test", "test", "bytes"),
    ]
    lines = (tmp_path / "leakage.md").read_text().splitlines()
    assert lines[2].startswith("- **1 of 8 test images of `cells` has the same file in `cells` tr")
    assert lines[3].startswith("- **1 of 8 test images of `cells` is a copy of others among them")


def test_mirrored_and_resized_test_images_are_all_found(audit, raw, tmp_path):
    """Every test image is a training image, mirrored and made smaller; also where little is left after packing."""
    tests = [path.relative_to(raw).as_posix() for path in sorted((raw / "val").rglob("*.png"))]

    def mirrored(source):
        image = Image.open(source).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return lambda _: image.resize((86, 86), Image.Resampling.BICUBIC)

    sources = map(mirrored, sorted((raw / "train").rglob("*.png")))
    rows = audit(dict(zip(tests, sources, strict=False)), size=32)
    found = [row for row in rows if (row["first_split"], row["second_split"]) == ("train", "test")]
    assert sum(row["kind"] == "near_duplicates" for row in found) == 6
    assert (
        "6 of 6 test images of `cells` have a near duplicate in `cells` train"
        in (tmp_path / "leakage.md").read_text()
    )


def test_external_images_and_the_grouped_split_are_compared(audit, tmp_path):
    """The same files as an external test set: its training images are in the target's, and its grouped test."""
    table = tmp_path / "external.csv"
    columns = ["id", "split", "label", "slide", "field", "file_sha256", "pixel_sha256"]

    def tables():
        rows = [{key: row[key] for key in columns} for row in read_csv(tmp_path / "index.csv")]
        write_csv(tmp_path / "grouped.csv", columns, rows[::-1])
        write_csv(table, columns, [row | {"split": "test"} for row in rows])

    audit()
    shutil.rmtree(tmp_path / "raw")
    tables()
    files = {"indexes": [tmp_path / "index.csv", table]}
    files["images"] = [tmp_path / "images.npy"] * 2
    rows = audit(
        **files,
        datasets=["cells", "Other"],
        external=["Other"],
        grouped_index=tmp_path / "grouped.csv",
    )
    against_train = [
        r for r in rows if (r["second_dataset"], r["first_dataset"]) == ("Other", "cells")
    ]
    assert sum(r["kind"] == "bytes" for r in against_train) == 12
    # External images may come from the target's own slides.
    assert {r["group"] for r in against_train if r["kind"] == "slide"} == {"1-0", "1-1"}
    assert {r["group"] for r in rows if r["second_dataset"] == "cells_grouped"} == {"1-1"}


def test_slides_that_name_the_class_are_refused(audit, tmp_path, capsys):
    audit()
    rows = read_csv(tmp_path / "index.csv")
    for row in rows:
        row["slide"] = row["label"][:2]
    write_csv(tmp_path / "index.csv", list(rows[0]), rows)
    options = {"target": "cells", "datasets": ["cells"], "distance": 6, "correlation": 0.96}
    options |= {
        name: [tmp_path / file]
        for name, file in (("indexes", "index.csv"), ("images", "images.npy"))
    }
    outputs = {
        name: tmp_path / f"new_{name}" for name in ("pairs", "compared", "report", "thumbnails")
    }
    line = failure(capsys, "audit_leakage", **options, **outputs)
    assert "datasets.cells.group_pattern" in line
    assert not (tmp_path / "new_pairs").exists()
