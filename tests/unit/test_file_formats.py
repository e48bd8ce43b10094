"""Picture formats told by their first bytes and by endings."""

import io

import pytest
from PIL import Image

from fewlabels.data.file_formats import (
    FOREIGN_SUFFIXES,
    HEAD,
    IMAGE_FORMATS,
    IMAGE_SUFFIXES,
    is_foreign,
    sniff,
    sniff_file,
)


@pytest.mark.parametrize("name", IMAGE_FORMATS)
@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"big_tiff": True}, {"lossless": True}])
def test_every_format_is_told_by_its_content(tmp_path, name, options):
    path = tmp_path / "picture"
    Image.new("RGB", (3, 2)).save(path, name, **options)
    assert sniff_file(path) == name
    assert sniff(path.read_bytes()[:HEAD]) == name


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bitmaps_of_every_mode(mode):
    held = io.BytesIO()
    Image.new(mode, (3, 2)).save(held, "BMP")
    assert sniff(held.getvalue()) == "BMP"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"B",
        b"BM",
        b"BMI of all patients, as a text",
        b"P6 3 2 255",
        b"\xff\xd8",
        b"RIFF1234WAVEfmt ",
        b"II",
    ],
)
def test_what_is_none_of_them(content):
    assert sniff(content) is None


def test_endings_are_of_one_kind():
    assert not IMAGE_SUFFIXES & FOREIGN_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in FOREIGN_SUFFIXES)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("a.SVS", True),
        ("a.nii.gz", True),
        ("a.ome.zarr", True),
        ("a.csv.gz", False),
        ("svs", False),
        ("a.tif", False),
    ],
)
def test_foreign_endings(name, foreign):
    assert is_foreign(name) is foreign
