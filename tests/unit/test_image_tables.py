"""Data sets listed in a table, as people and their programs write it."""

import os

import pytest
from builders import scanned

from fewlabels.core.errors import UserError
from fewlabels.data.content_hashes import dataset_hash, folder_hash
from fewlabels.data.image_tables import TableRow, read_table
from fewlabels.data.layouts import Layout

LABELLED = Layout(table="sub/cells.csv", classes=["x", "y"], aliases={"Ys": "y"})
ROWS = [
    "path,label,split",
    "i/1.png,x,train",
    "i/2.png,y,train",
    "i/3.png,x,test",
    "i/4.png,y,test",
]


@pytest.fixture
def write(tmp_path):
    """Writes the table sub/cells.csv, and empty files i/1.png ... i/4.png beside it."""
    folder = tmp_path / "sub"
    for number in range(1, 5):
        (folder / "i").mkdir(parents=True, exist_ok=True)
        (folder / f"i/{number}.png").touch()

    def table(*lines: str, encoding: str = "utf-8", end: str = "\n"):
        (folder / "cells.csv").write_bytes((end.join(lines) + end).encode(encoding))
        return tmp_path

    return table


def scan(root, layout=LABELLED, external=False):
    images, problems = scanned(root, layout, external)
    return [(i.id, i.path, i.split, i.label) for i in images], problems


EXPECTED = [
    ("i/1.png", "sub/i/1.png", "train", "x"),
    ("i/2.png", "sub/i/2.png", "train", "y"),
    ("i/3.png", "sub/i/3.png", "test", "x"),
    ("i/4.png", "sub/i/4.png", "test", "y"),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_however_they_were_saved(write, encoding, separator, end):
    lines = [line.replace(",", separator) + f"{separator}Präparat" for line in ROWS]
    root = write(*lines, encoding=encoding, end=end)
    assert scan(root) == (EXPECTED, [])


@pytest.mark.parametrize(
    "lines",
    [
        [" Path , LABEL,Split ", *ROWS[1:]],
        [ROWS[0], *(line.replace("/", "\\") for line in ROWS[1:])],
        [ROWS[0], *(f"./{line}" for line in ROWS[1:])],
        [ROWS[0], *(line.replace(",", " , ") for line in ROWS[1:])],
        [ROWS[0], *(line.replace("y", "Ys") for line in ROWS[1:])],
        ["", *ROWS[:3], "", ",,", *ROWS[3:]],
        ["split,note,label,path", *('{2},"a, b",{1},{0}'.format(*r.split(",")) for r in ROWS[1:])],
    ],
    ids=[
        "names of columns",
        "Windows",
        "dots",
        "spaces",
        "aliases",
        "empty lines",
        "other columns",
    ],
)
def test_tables_however_they_were_written(write, lines):
    assert scan(write(*lines)) == (EXPECTED, [])


def test_absolute_paths_stay_absolute(write, tmp_path):
    inside, outside = tmp_path / "sub/i/1.png", tmp_path / "elsewhere.png"
    outside.touch()
    write("path,label", f"{inside},x", f"{outside},y")
    root = tmp_path / "sub"
    images, _ = scan(root, Layout(table="cells.csv", classes=["x", "y"]))
    assert images == [
        (inside.as_posix(), "i/1.png", "train", "x"),
        (outside.as_posix(), outside.as_posix(), "train", "y"),
    ]


@pytest.mark.parametrize(
    ("path", "mask", "told"),
    [
        ("../../away.png", "", "../../away.png"),
        ("i/../../../away.png", "", "i/../../../away.png"),
        ("i/1.png", "../../away.png", "../../away.png"),
        ("{absolute}", "", "{absolute}"),
        ("../near.png", "", None),
        ("i/../i/1.png", "", None),
    ],
)
def test_paths_that_lead_out_of_the_data_are_told(tmp_path, path, mask, told):
    root = tmp_path / "data"
    (root / "sub/i").mkdir(parents=True)
    absolute = tmp_path / "away.png"
    for file in (root / "sub/i/1.png", root / "near.png", absolute):
        file.touch()
    path = path.format(absolute=absolute)
    (root / "sub/cells.csv").write_text(f"path,mask\n{path},{mask}\n")
    images, problems = scan(root, Layout(table="sub/cells.csv"))
    assert len(images) == 1
    if told is None:
        assert problems == []
        return
    (problem,) = problems
    assert (problem.kind, problem.path) == ("path_outside", "sub/cells.csv")
    told = told.format(absolute=absolute)
    assert problem.detail == (
        f"row 2: {told} leads out of the data's folder: set problems.path_outside to warn if that is meant"
    )


def test_the_order_is_that_of_the_rows(write):
    images, _ = scan(write(ROWS[0], *ROWS[:0:-1]))
    assert images == EXPECTED[::-1]


@pytest.mark.parametrize("lines", [["path,label"], ["path,label,split"]])
def test_without_splits_all_are_training_images_or_external_ones(write, lines):
    end = "," if "split" in lines[0] else ""
    root = write(*lines, f"i/1.png,x{end}", f"i/2.png,y{end}")
    assert [image[2] for image in scan(root)[0]] == ["train", "train"]
    assert [image[2] for image in scan(root, external=True)[0]] == ["test", "test"]


def test_splits_by_the_names_of_the_config_and_by_roles(write):
    layout = Layout(table="sub/cells.csv", classes=["x"], splits={"train": "fit", "test": "train"})
    root = write("path,label,split", "i/1.png,x,fit", "i/2.png,x,train", "i/3.png,x,validation")
    assert [image[2] for image in scan(root, layout)[0]] == ["train", "test", "validation"]


def test_numbers_as_labels(write):
    layout = Layout(table="sub/cells.csv", classes=[0, 1])
    assert [
        image[3] for image in scan(write("path,label", "i/1.png,0", "i/2.png,1"), layout)[0]
    ] == [*("0", "1")]


@pytest.mark.parametrize(
    "lines", [["path", "i/2.png", "i/1.png"], ["path,label", "i/2.png,", "i/1.png,a"]]
)
def test_without_classes_there_are_no_labels(write, lines):
    images, problems = scan(write(*lines), Layout(table="sub/cells.csv"))
    assert [(image[0], image[3]) for image in images] == [("i/2.png", ""), ("i/1.png", "")]
    assert problems == []


def test_masks_slides_and_fields(write, tmp_path):
    (tmp_path / "sub/m.png").touch()
    root = write(
        *("path,label,mask,slide,field", "i/1.png,x,m.png,s1,7", r"i/2.png,y,.\i\3.png,s1,"),
        "i/4.png,y,,,",
    )
    images, _ = scanned(root, LABELLED)
    assert [(i.mask, i.slide, i.field) for i in images] == [
        ("sub/m.png", "s1", "s1/7"),
        ("sub/i/3.png", "s1", ""),
        ("", "", ""),
    ]


def test_slides_by_pattern_where_the_table_has_no_such_columns(write):
    layout = LABELLED.model_copy(update={"group_pattern": r"^(?P<slide>\d)$"})
    images, _ = scanned(write(*ROWS), layout)
    assert [image.slide for image in images] == ["1", "2", "3", "4"]
    images, _ = scanned(write("path,label,slide", "i/1.png,x,s", "i/2.png,y,"), layout)
    assert [image.slide for image in images] == ["s", ""]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["label,split", "x,train"], "cells.csv has no column 'path'"),
        (["path,lable", "i/1.png,x"], "cells.csv has no column 'label': did you mean 'lable'"),
        ([], "cells.csv has no column 'path'"),
        (["path,label,Label", "i/1.png,x,x"], "has two columns 'label'"),
        (
            ["path,label", "i/1.png,x", "i/9.png,x"],
            r"cells.csv: row 3: .*sub/i/9\.png does not exist",
        ),
        (["path,label", "i,x"], r"row 2: .*sub/i does not exist"),
        (["path,label,mask", "i/1.png,x,i/8.png"], r"row 2: .*sub/i/8\.png does not exist"),
        (
            ["path,label", "i/1.png,x", "", r".\i\1.png,y"],
            "rows 2 and 4 name the same image i/1.png",
        ),
        (["path,label", "i/1.png,x", "i/../i/1.png,y"], "rows 2 and 3 name the same image"),
        (["path,label", "i/1.png,x", "i/2.png,"], "row 3 has no label"),
        (["path,label", "i/1.png,x", ",x"], "row 3 has no path"),
        (["path,label", "i/1.png,x,y"], "row 2 has 3 cells, the header 2"),
        (["path,label", '"i/1.png,x' + "z" * 140000], "is no CSV table"),
        (
            ["path,label,split", "i/1.png,x,train", "i/2.png,x,tset"],
            "row 3: split 'tset' is no role .*did you mean 'test'",
        ),
        (["path,label,split", "i/1.png,x,train", "i/2.png,x,"], "row 3: split '' is no role"),
        (["path,label", "i/1.png,z"], "no images that can be used: row 2: label 'z' is no class"),
        (["path,label"], "no images that can be used: it has no rows"),
    ],
)
def test_what_is_wrong_is_told_by_table_and_row(write, lines, words):
    with pytest.raises(UserError, match=words) as raised:
        scan(write(*lines))
    assert "sub/cells.csv" in str(raised.value)


def test_unknown_labels_are_a_problem_each(write):
    lines = [ROWS[0], *(line.replace("y", "z") for line in ROWS[1:])]
    images, problems = scan(write(*lines))
    assert images == EXPECTED[::2]
    unknown, *empty = problems
    assert (unknown.kind, unknown.path) == ("unknown_class_folder", "sub/cells.csv")
    assert unknown.detail.startswith("row 3 (and 1 more rows): label 'z' is no class of the config")
    assert [(p.kind, p.path, p.detail[:29]) for p in empty] == [
        ("empty_class", "sub/cells.csv", "holds no train image of y: pu"),
        ("class_without_test_images", "sub/cells.csv", "holds no test image of y: put"),
    ]
    assert [problem.kind for problem in scan(write(*lines), external=True)[1]] == [unknown.kind]


@pytest.mark.parametrize("content", ["path,label\n".encode("utf-16"), b"path,label\n\xff\x81"])
def test_what_is_no_text_is_one_line(write, tmp_path, content):
    root = write(*ROWS)
    (tmp_path / "sub/cells.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"cells\.csv is no text in UTF-8 .*: save it as CSV"):
        scan(root)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match=r"sub/cells\.csv does not exist: set the data set's table"):
        scan(tmp_path)
    with pytest.raises(UserError, match=r"sub/cells\.csv does not exist"):
        dataset_hash(tmp_path, LABELLED)


def test_rows_are_numbered_as_in_a_spreadsheet(write, tmp_path):
    write("path;label", '"a\nb.png";x', "", "c.png;y")
    rows = read_table(tmp_path / "sub/cells.csv", ["path"])
    assert rows == [
        TableRow(2, "a\nb.png", "x", "", "", None, None),
        TableRow(4, "c.png", "y", "", "", None, None),
    ]


def test_the_hash_of_a_table_is_that_of_its_rows_and_files(write, tmp_path):
    table = ["path,label,mask", "i/1.png,x,i/2.png", "i/3.png,y,"]
    root = write(*table)
    before = dataset_hash(root, LABELLED)
    os.utime(tmp_path / "sub/i/1.png", (1, 1))
    (tmp_path / "sub/i/4.png").write_bytes(b"not in the table")
    assert dataset_hash(root, LABELLED) == before
    hashes = [before]
    for name in ("i/1.png", "i/2.png"):
        (tmp_path / "sub" / name).write_bytes(b"larger")
        hashes.append(dataset_hash(root, LABELLED))
    (tmp_path / "sub/i/3.png").unlink()
    hashes.append(dataset_hash(root, LABELLED))
    write(*table[:2], "i/3.png,x,")
    hashes.append(dataset_hash(root, LABELLED))
    assert len(set(hashes)) == 5


def test_without_a_table_the_hash_is_that_of_the_folder(write, tmp_path):
    root = write(*ROWS)
    folders = Layout(images="{class}", classes=["x"])
    assert dataset_hash(root, folders) == folder_hash(root)
    before = dataset_hash(root, folders)
    (tmp_path / "sub/i/1.png").write_bytes(b"larger")
    assert dataset_hash(root, folders) != before
