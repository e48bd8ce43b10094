"""Tables, the index and the patterns of folders with anything in them: read, or answered with one line."""

import re
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.content_hashes import dataset_hash
from fewlabels.data.datasets import folders_read, scan_dataset
from fewlabels.data.found_images import parse_group, plain_name
from fewlabels.data.layouts import FolderPattern, Layout, check_patterns

IMAGES = ("a.png", "b.png", "c d.png")
TABLE = (
    "path;label;mask;split\na.png;Basophil;a.png;train\nb.png;Monocyte;;test\nc d.png;Basophil;;\n"
)
LAYOUT = Layout(table="table.csv", classes=["Basophil", "Monocyte"])
PIECES = st.sampled_from(
    [*(*b"\"';,\t\n\r\\/.".decode(), "\0", "\ufeff", "\xa0", "\u2028", "\r\n\r\n", "..", "/etc/passwd"),
    *("x" * 300, "x" * 140_000, '"' * 3, "path", "label", "a.png", "é", "e\u0301", "~", "$(id)")]
)  # fmt: skip
CHANGES = st.lists(st.tuples(st.integers(0, 110), st.integers(0, 9), PIECES), max_size=4)
ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16", "latin-1")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    for name in IMAGES:
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def check_table(root: Path) -> None:
    """A table is read or refused alike by all that read it; what it names lies there."""
    table = str(root / "table.csv")
    try:
        scan = scan_dataset(root, LAYOUT)
    except UserError as error:
        assert table in str(error) and str(error).isprintable()
    else:
        assert all((root / image.path).is_file() for image in scan.images)
        assert {image.label for image in scan.images} <= set(LAYOUT.classes)
    for read in (
        lambda: folders_read(root, LAYOUT),
        lambda: dataset_hash(root, LAYOUT),
    ):
        try:
            read()
        except UserError as error:
            assert table in str(error)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(CHANGES, st.sampled_from(ENCODINGS))
def test_any_change_of_a_table_is_read_or_one_line(root, changes, encoding):
    text = TABLE
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    (root / "table.csv").write_bytes(text.encode(encoding, "replace"))
    check_table(root)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_any_bytes_as_a_table_are_read_or_one_line(root, content):
    (root / "table.csv").write_bytes(b"path,label\n" + content)
    check_table(root)


def test_a_path_that_is_too_long_for_a_file_is_told_by_its_row(root):
    (root / "table.csv").write_text(f"path,label\na.png,Basophil\n{'x' * 5000}.png,Basophil\n")
    with pytest.raises(UserError, match=r"table\.csv: row 3: .* does not exist: mend the path"):
        scan_dataset(root, LAYOUT)


def test_a_table_whose_name_is_too_long_does_not_exist(root):
    with pytest.raises(UserError, match="does not exist: set the data set's table"):
        scan_dataset(root, Layout(table=f"{'x' * 300}.csv"))


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("index") / "index.csv"
    rows = [{"id": f"train/{n}", "label": "a, b", "width": n} for n in range(3)]
    write_csv(path, ["id", "label", "width"], rows)
    return path


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 70), st.integers(0, 20), st.binary(max_size=12))
def test_a_damaged_index_is_read_or_one_line(index, place, length, piece):
    content = b'id,label,width\ntrain/0,"a, b",0\ntrain/1,"a, b",1\ntrain/2,"a, b",2\n'
    index.write_bytes(content[:place] + piece + content[place + length :])
    try:
        rows = read_csv(index)
    except UserError as error:
        assert str(error).startswith(f"{index} is damaged") and "delete it" in str(error)
    else:
        assert all(isinstance(cell, str) for row in rows for cell in row.values())


@pytest.mark.parametrize(
    "content", [b"id,label\na\n", b"id,label\na,b,c\n", b"id\n\xff\n", b"id\n" + b"x" * 140_000]
)
def test_what_the_workflow_never_writes_is_damaged(index, content):
    index.write_bytes(content)
    with pytest.raises(UserError, match=r"index\.csv is damaged \(.*\): delete it, and run again"):
        read_csv(index)


PARTS = st.lists(
    st.sampled_from(
        [
            *(
                "{split}",
                "{class}",
                "{slide}",
                "{",
                "}",
                "/",
                "//",
                "**",
                "*",
                "..",
                ".",
                "\\",
                "a",
                "é",
            ),
            *("images", "_mask", "{stem}", "{name}", " ", "-", "{}", "{class}"),
        ]
    ),
    max_size=5,
).map("".join)
NAMES = st.text(
    st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=6
).filter(lambda name: name not in (".", ".."))
GROUPS = st.none() | st.lists(
    st.sampled_from(
        [
            *(
                "(?P<slide>",
                "(?P<field>",
                "(?P<other>",
                ")",
                "(",
                "[",
                "]",
                "\\d+",
                ".*",
                "_",
                "{9}",
            ),
            *(
                "{99999999999}",
                "(?i)",
                "(?<=a*)",
                "|",
                "$",
                "\\",
                "(" * 2000,
                "\\N{x}",
                "(?P=slide)",
            ),
        ]
    ),
    max_size=5,
).map("".join)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(PARTS, st.none() | PARTS, PARTS, GROUPS, st.lists(NAMES, max_size=3))
def test_any_patterns_are_accepted_or_refused_by_key(images, masks, mask_name, groups, classes):
    try:
        layout = Layout(
            images=images, masks=masks, mask_name=mask_name, group_pattern=groups, classes=classes
        )
        check_patterns("datasets.cells", layout)
    except ValidationError:
        return
    except UserError as error:
        assert re.search(r"key 'datasets\.cells(\.\w+)*'", str(error))
        assert str(error).isprintable()
    else:
        slide, field = parse_group("slide_1-field_2", groups)
        assert not field or field.startswith(f"{slide}/")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(PARTS, st.lists(NAMES, min_size=1, max_size=3, unique=True), NAMES)
def test_an_accepted_pattern_finds_the_folder_of_each_class_again(pattern, classes, split):
    layout = Layout(
        images=pattern,
        classes=classes if "{class}" in pattern else [],
        splits={"train": split} if "{split}" in pattern else {},
    )
    try:
        check_patterns("datasets.cells", layout)
    except UserError:
        reject()
    folders = FolderPattern.of(layout.images, split)
    for name in layout.classes or [""]:
        match = folders.match(folders.folder(name))
        assert match is not None and plain_name(match[0]) == plain_name(name) and not match[1]


@pytest.mark.parametrize("pattern", ["(?P<slide>a{99999999999})", "(" * 20_000])
def test_a_pattern_that_can_not_be_compiled_is_told_by_its_key(pattern):
    with pytest.raises(UserError, match=r"key 'datasets\.cells\.group_pattern' is no regular"):
        check_patterns("datasets.cells", Layout(group_pattern=pattern))
