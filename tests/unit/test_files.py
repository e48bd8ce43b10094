"""Files are written whole or not at all, and read as they were written."""

import hashlib

import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.files import (
    atomic_path,
    format_number,
    read_csv,
    sha256_of_file,
    write_csv,
    write_json,
    write_text,
)


def test_atomic_path_moves_the_file_there(tmp_path):
    target = tmp_path / "deep" / "table.csv"
    with atomic_path(target) as temporary:
        # Beside the target, hidden, and with its suffix.
        assert temporary.parent == target.parent
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".csv"
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("old", [None, "old"])
def test_an_error_leaves_no_partial_file_and_keeps_the_old_one(tmp_path, old):
    target = tmp_path / "table.csv"
    if old:
        target.write_text(old)
    with pytest.raises(RuntimeError, match="broken"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("broken")
    assert [path.name for path in tmp_path.iterdir()] == (["table.csv"] if old else [])
    if old:
        assert target.read_text() == old


def test_a_block_that_writes_nothing_keeps_the_old_file(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_in_the_rows_keeps_the_old_table(tmp_path):
    target = tmp_path / "table.csv"
    write_csv(target, ["a"], [{"a": 1}])

    def rows():
        yield {"a": 2}
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write_csv(target, ["a"], rows())
    assert target.read_bytes() == b"a\n1\n"
    assert list(tmp_path.iterdir()) == [target]


def test_text_has_unix_line_ends_and_is_utf8(tmp_path):
    write_text(tmp_path / "text.md", "ä ± b\nnext\n")
    assert (tmp_path / "text.md").read_bytes() == "ä ± b\nnext\n".encode()


def test_json_is_sorted_and_ends_with_a_line_end(tmp_path):
    write_json(tmp_path / "record.json", {"b": 1, "a": [2]})
    assert (tmp_path / "record.json").read_bytes() == b'{\n  "a": [\n    2\n  ],\n  "b": 1\n}\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.3333333"),
        (100.0, "100"),
        (97.9, "97.9"),
        (0.0, "0"),
        (1234567.8, "1234568"),
        (1e-9, "1e-09"),
        (2 / 3 * 100, "66.66667"),
    ],
)
def test_format_number_keeps_seven_digits(value, text):
    assert format_number(value) == text


def test_csv_columns_floats_and_empty_cells(tmp_path):
    path = tmp_path / "table.csv"
    write_csv(
        path,
        ["id", "value", "n"],
        [{"id": "a, b", "value": 1 / 3, "n": None}, {"id": "c", "value": 2}],
    )
    assert path.read_bytes() == b'id,value,n\n"a, b",0.3333333,\nc,2,\n'
    assert read_csv(path) == [
        {"id": "a, b", "value": "0.3333333", "n": ""},
        {"id": "c", "value": "2", "n": ""},
    ]


def test_csv_refuses_an_unknown_key(tmp_path):
    path = tmp_path / "table.csv"
    with pytest.raises(ValueError, match="surprise"):
        write_csv(path, ["id"], [{"id": "a", "surprise": 1}])
    assert list(tmp_path.iterdir()) == []


def test_csv_without_rows_has_a_header(tmp_path):
    write_csv(tmp_path / "table.csv", ["a", "b"], [])
    assert (tmp_path / "table.csv").read_bytes() == b"a,b\n"
    assert read_csv(tmp_path / "table.csv") == []


def test_a_column_that_a_csv_lacks_is_named(tmp_path):
    (tmp_path / "index.csv").write_text("id,label\na,b\n")
    [row] = read_csv(tmp_path / "index.csv")
    assert row == {"id": "a", "label": "b"} and row.get("split", "none") == "none"
    with pytest.raises(UserError, match=r"index\.csv has no column 'split': delete it, and run"):
        row["split"]


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.csv does not exist"):
        read_csv(tmp_path / "nowhere.csv")


def test_sha256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    # The test vector of FIPS 180-2 begins so.
    assert sha256_of_file(path).startswith("ba7816bf8f01cfea")
    assert sha256_of_file(path) == hashlib.sha256(b"abc").hexdigest()
