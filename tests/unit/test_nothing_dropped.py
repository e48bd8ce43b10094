"""The rule of docs/raw_images.md, on folders with mixed faults: files found = files used + files listed."""

import io
import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from builders import picture, save
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fewlabels.data.datasets import scan_dataset
from fewlabels.data.indexing import index_dataset, lost_classes
from fewlabels.data.layouts import Layout
from fewlabels.data.problem_kinds import KINDS, LISTED

LAYOUT = Layout(
    images="{split}/data/{class}",
    masks="{split}/mask/{class}",
    classes=["a", "b"],
    aliases={"As": "a"},
    splits={"train": "train", "test": "val"},
)
FOLDERS = [
    *("train/data/a", "train/data/As", "train/data/b", "val/data/a", "val/data/b"),
    *("train/mask/a", "train/mask/b", "train/data/a/patient", "train/data/B", "val/mask/a"),
    *("train", "extra/data/a", "", ".cache", "train/data/a/__MACOSX"),
]
NAMES = [
    *("1.png", "2.png", "1.jpg", "1_mask.png", "2.JPEG", "3.tif", "4.webp", "5.gif", "notes.txt"),
    *("caf\u00e9.png", "cafe\u0301.png", ".DS_Store", "._1.png", "slide.svs", "6", "Thumbs.db"),
]
CONTENTS = ["red", "blue", "blank", "mask", "labels", "cut", "text", "nothing", "deep", "pages"]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@cache
def content_of(what: str) -> bytes:
    """The bytes of a file."""
    values = np.zeros((16, 16), np.uint8)
    values[4:9] = 1
    red, blue = picture((200, 30, 30), 1, (16, 16)), picture((30, 30, 200), 2, (16, 16))
    made = {
        "red": lambda: encoded(red, "PNG"),
        "blue": lambda: encoded(blue, "JPEG", quality=90),
        "blank": lambda: encoded(Image.new("RGB", (16, 16)), "PNG"),
        "mask": lambda: encoded(Image.fromarray(values * 255), "PNG"),
        "labels": lambda: encoded(Image.fromarray(values + np.eye(16, dtype=np.uint8) * 2), "PNG"),
        "cut": lambda: encoded(blue, "JPEG")[:200],
        "deep": lambda: encoded(Image.fromarray(values.astype(np.uint16) * 4000), "TIFF"),
        "pages": lambda: encoded(red, "TIFF", save_all=True, append_images=[blue]),
        "text": lambda: b"no picture at all",
        "nothing": lambda: b"",
    }
    return made[what]()


def all_files(root: Path) -> set[str]:
    return {
        Path(parent, name).relative_to(root).as_posix()
        for parent, _, names in os.walk(root)
        for name in names
    }


files = st.dictionaries(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)),
    st.sampled_from(CONTENTS),
    max_size=12,
)
links = st.lists(st.sampled_from(["train/data/a/gone.png", "val/data/b/gone.txt"]), unique=True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(files=files, links=links)
def test_every_file_is_used_once_or_listed_with_its_reason(files, links):
    with TemporaryDirectory() as name:
        root = Path(name)
        save(picture((30, 200, 30), 3, (16, 16)), root / "train/data/a/always.png")
        for (folder, file), what in files.items():
            path = root / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content_of(what))
        for link in links:
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to("/nowhere/at/all")
        scan = scan_dataset(root, LAYOUT)
        found = index_dataset(root, LAYOUT, scan, 50, 1, "datasets.x", lambda items, *_: items)
        images = [row["path"] for row in found.rows]
        masks = [row["mask"] for row in found.rows if row["mask"]]
        assert len(set(images + masks)) == len(images + masks), "a file is used twice"
        assert not set(images + masks) & set(found.left_out), "a file is used and left out"
        assert set(images + masks) | set(found.left_out) == all_files(root)
        assert set(found.left_out.values()) <= set(KINDS) | set(LISTED)
        # Whatever was left out for a fault is told.
        told = {problem.kind for problem in found.problems}
        assert set(found.left_out.values()) & set(KINDS) <= told
        lost = lost_classes(scan.images, found.rows, LAYOUT)
        assert all("\n" not in problem.detail for problem in [*found.problems, *lost])
