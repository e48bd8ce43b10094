"""True types: tables as people write them, and the images that they name."""

import pytest

from fewlabels.core.errors import UserError
from fewlabels.data.true_types import read_true_types


@pytest.fixture
def read(tmp_path):
    """Writes a table of types and reads it."""

    def read(content: str | bytes):
        path = tmp_path / "types.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_true_types(path)

    return read


@pytest.mark.parametrize(
    "content",
    [
        "id,type\na.jpg,kühl\n",
        b"\xef\xbb\xbfid,type\na.jpg,k\xc3\xbchl\n",
        b"id,type\na.jpg,k\xfchl\n",
        "ID;Type;more\r\n a.jpg ; kühl ;x\r\n\r\n",
        'type\tid\n"kühl"\ta.jpg\n',
        "id,type\r\nsub\\\\a.jpg,kühl\r\n".replace("\\\\", "\\"),
    ],
)
def test_spreadsheets_write_tables_in_many_ways(read, content):
    assert read(content).of_image("sub/a.jpg") == "kühl"


@pytest.mark.parametrize("name", ["a/b/cell.1.jpg", "a/b/cell.1", "b/cell.1.jpg", "cell.1"])
def test_an_image_is_named_by_its_path_or_file_name_with_or_without_ending(read, name):
    types = read(f"id,type\n{name},x\n")
    assert types.of_image("train/a/b/cell.1.jpg") == "x"
    assert types.of_image("train/a/b/cell.2.jpg") is None
    assert types.unknown(["train/a/b/cell.1.jpg"]) == []


def test_names_that_are_no_images_are_told(read):
    types = read("id,type\na,x\nb,y\nc,z\n")
    assert types.unknown(["train/b.jpg", "d.jpg"]) == ["a", "c"]
    with pytest.raises(UserError, match=r"types\.csv names none of the images .*first id: 'a'"):
        types.unknown(["d.jpg"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("image,type\na,x\n", r"types\.csv has no column 'id': known: image, type"),
        ("id,tpye\na,x\n", r"has no column 'type': did you mean 'tpye'\?"),
        ("id,type,ID\na,x,b\n", "has two columns 'id'"),
        ("id,type\n", "has no rows: list the images"),
        ("", "has no column 'id'"),
        ("id,type\na\n", "row 2 has no type: fill it in"),
        ("id,type\n,x\n", "row 2 has no id"),
        ("id,type\na,x,y\n", "row 2 has 3 cells, the header 2"),
        ("id,type\na,x\na,y\n", "row 3 gives 'a' the type 'y', an earlier one 'x'"),
        ("id,type\na,x\n".encode("utf-16"), "is no text in UTF-8 or Windows-1252"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_table(read, content, told):
    with pytest.raises(UserError, match=told) as caught:
        read(content)
    assert "types.csv" in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv does not exist: set true_types in the config"):
        read_true_types(tmp_path / "none.csv")
