"""What became of the raw files: counted in a table, and told in a few lines."""

import pytest
from builders import call, failure

from fewlabels.audit.judgement import COLUMNS as LEAKAGE_COLUMNS
from fewlabels.core.files import read_csv, write_csv, write_json

INDEX = [("a", "train", "Basophil"), ("b", "train", "Mono"), ("c", "test", "Basophil")]
MASKS = {
    **{"seen": "two values", "chosen": "auto", "source": "grey"},
    "foreground": [[1, 1], [128, 255]],
}
COPIES = {
    **{"kind": "near_duplicates", "first_dataset": "wbc", "first_split": "train"},
    **{"second_dataset": "wbc", "second_split": "test", "count": 1, "images": 1, "test": "true"},
    "consequence": "warn",
}


@pytest.fixture
def report(tmp_path):
    """Writes what the steps before give of `wbc`, reports, gives the rows of the table and the text."""

    def run(
        index=INDEX, problems=(), left_out=(), reading=None, masks=None, leakage=(), target="wbc"
    ):
        tables = {
            "indexes": (["id", "split", "label"], index),
            "problems": (["kind", "path", "detail", "files"], problems),
            "left_out": (["path", "reason"], left_out),
            "masked_tables": (["id", "state", "foreground"], masks or []),
        }
        for name, (columns, rows) in tables.items():
            cells = [dict(zip(columns, row, strict=True)) for row in rows]
            write_csv(tmp_path / f"{name}.csv", columns, cells)
        write_json(tmp_path / "reading.json", reading or {"masks": None, "intensities": None})
        write_csv(tmp_path / "leakage.csv", LEAKAGE_COLUMNS, leakage)
        options = {name: [tmp_path / f"{name}.csv"] for name in tables}
        options |= {"datasets": ["wbc"], "masked": ["wbc"], "target": target}
        if masks is None:
            del options["masked"], options["masked_tables"]
        options |= {"readings": [tmp_path / "reading.json"], "leakage": tmp_path / "leakage.csv"}
        outputs = {"table": tmp_path / "data.csv", "report": tmp_path / "data.md"}
        assert call("report_data", **options, **outputs) == 0
        return read_csv(tmp_path / "data.csv"), (tmp_path / "data.md").read_text(encoding="utf-8")

    return run


def numbers(rows, item):
    return {row["split"] or row["detail"]: row["files"] for row in rows if row["item"] == item}


def test_a_clean_set_is_a_line_of_the_table_and_no_more(report):
    rows, text = report(index=[*INDEX, ("d", "test", "Mono")])
    assert numbers(rows, "images") == {"train": "2", "test": "2"}
    assert len(rows) == 2
    assert text.splitlines()[2:] == [
        "| images used | train | validation | test | files left out | masks | applied | empty | full |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `wbc` | 2 | – | 2 | – | – | – | – | – |",
    ]


def test_files_left_out_are_counted_by_reason(report):
    left_out = [("x.gif", "ignored_image"), ("y.gif", "ignored_image"), ("n.txt", "no_picture")]
    problems = [
        ("ignored_image", "x.gif", "lies elsewhere", 2),
        ("blank_image", "a", "nearly black", 1),
        ("blank_image", "b", "nearly white", 1),
    ]
    rows, text = report(left_out=left_out, problems=problems)
    assert numbers(rows, "left_out") == {"ignored_image": "2", "no_picture": "1"}
    assert numbers(rows, "problem") == {"ignored_image": "2", "blank_image": "2"}
    assert "| `wbc` | 2 | – | 1 | 3 |" in text
    assert "- `wbc`: left out: 2 ignored image, 1 no picture." in text
    assert "- `wbc`: blank image: a nearly black (1 more).\n" in text
    assert "lies elsewhere" not in text


def test_masks_by_what_was_applied(report):
    masks = [("a", "applied", 0.4), ("b", "kept", 0), ("c", "applied", 1), ("d", "applied", 0.999)]
    rows, text = report(masks=masks)
    states = {"used": "4", "applied": "3", "kept": "1", "empty": "1", "full": "1"}
    assert numbers(rows, "mask") == states
    assert "| `wbc` | 2 | – | 1 | – | 4 | 3 | 1 | 1 |" in text
    _, without = report(masks=[])
    assert "| `wbc` | 2 | – | 1 | – | – | – | – | – |" in without


def test_masks_that_were_indexed_and_not_applied(report):
    rows, text = report(reading={"masks": MASKS | {"used": 9, "empty": 2, "full": 0}})
    assert numbers(rows, "mask") == {"used": "9", "empty": "2", "full": "0"}
    assert "| `wbc` | 2 | – | 1 | – | 9 | – | 2 | 0 |" in text


def test_how_values_were_read(report):
    intensities = {"seen": "values 0 to 4000", "chosen": "config", "deep_files": 3}
    intensities |= {"integer_white": 4095.0, "float_white": 4095.0}
    rows, text = report(reading={"masks": MASKS, "intensities": intensities})
    assert numbers(rows, "reading of masks") == {"two values; foreground is 1, 128 to 255": ""}
    assert "- `wbc`: masks: two values; foreground is 1, 128 to 255.\n" in text
    assert "- `wbc`: intensities: values 0 to 4000; white is 4095, by the config.\n" in text
    _, mixed = report(reading={"intensities": intensities | {"float_white": 1.0}})
    assert "white is 4095, 1 of floating point numbers, by the config" in mixed
    _, plain = report(reading={"masks": None, "intensities": intensities | {"deep_files": 0}})
    assert "intensities" not in plain


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("opaque", "foreground is what is opaque, by the config."),
        ("transparent", "foreground is what is transparent, by the config."),
        ("index", "foreground is the palette's entry 1, 128 to 255, by the config."),
        ("grey", "foreground is 1, 128 to 255, by the config."),
    ],
)
def test_what_is_foreground(report, source, words):
    _, text = report(reading={"masks": MASKS | {"source": source, "chosen": "config"}})
    assert words in text


def test_copies_of_test_images_in_training_come_first(report):
    within = COPIES | {"first_split": "test", "kind": "bytes"}
    other = COPIES | {"second_split": "train", "test": "false"}
    rows, text = report(leakage=[other, within, COPIES, COPIES | {"kind": "slide"}])
    lines = text.splitlines()
    assert lines[2].startswith("- **1 of 1 test images of `wbc` has a near duplicate in `wbc` trai")
    assert lines[-2].startswith("- 1 of 1 test images of `wbc` is a copy of others among them")
    assert lines[-1].startswith("- 1 of 1 train images of `wbc` is a copy")
    assert numbers(rows, "copies") == {"train": "1", "test": "1"}
    assert [row["detail"] for row in rows if row["item"] == "copies"] == [
        "near_duplicates in wbc train",
        "bytes in wbc test",
        "near_duplicates in wbc train",
    ]


def test_a_class_of_the_target_without_test_images_is_named(report):
    problem = ("class_without_test_images", "Mono", "has none", 1)
    _, text = report(problems=[problem])
    assert "- `wbc`: no test images of `Mono`: means over classes are over the others." in text
    assert "has none" not in text
    _, text = report(target="another")
    assert "no test images" not in text
    _, text = report(index=[row for row in INDEX if row[1] == "train"])
    assert "no test images" not in text


def test_text_of_the_users_cannot_break_the_page(report):
    reading = {"masks": MASKS | {"seen": "a|<b>\nc"}}
    problem = ("blank_image", "<script>|", "is\nblack", 1)
    index = [*INDEX, ("d", "train", "x|y")]
    _, text = report(index=index, reading=reading, problems=[problem])
    assert "blank image: \\<script\\>\\| is black.\n" in text
    assert "`Mono`, `x\\|y`" in text
    assert "masks: a\\|\\<b\\> c; foreground" in text


def test_a_file_too_few_is_one_line(tmp_path, capsys):
    options = {"datasets": ["a", "b"], "indexes": ["x"], "problems": ["x"], "left_out": ["x"]}
    outputs = {"leakage": "x", "table": "x", "report": "x"}
    line = failure(capsys, "report_data", target="a", readings=["x"], **options, **outputs)
    assert "--indexes, --problems, --left-out and --readings must name one file for each" in line
    options = {"datasets": ["a"], "indexes": ["x"], "problems": ["x"], "left_out": ["x"]}
    line = failure(
        *(capsys, "report_data"), target="a", readings=["x"], masked=["a"], **options, **outputs
    )
    assert "--masked-tables must name one file" in line
