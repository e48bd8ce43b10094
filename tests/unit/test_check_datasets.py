"""Judging problems: what stops says so in one line, what warns lets the workflow go on."""

import pytest
from builders import call, failure, half_mask, index, save, write_labelled

from fewlabels.core.files import read_csv

SPLITS = {"train": "train", "test": "val"}
KINDS = [
    *("undecodable_image", "unknown_class_folder", "mask_without_image"),
    *("mask_of_another_size", "undecodable_mask"),
]
NAME = "95-8-27-0_0_0.png"


def undecodable_image(raw):
    (raw / "train/data/Basophil" / NAME).write_bytes(b"broken")
    return f"train/data/Basophil/{NAME}", "replace or remove"


def unknown_class_folder(raw):
    (raw / "val/data/Blast").mkdir()
    return "val/data/Blast", ".aliases"


def mask_without_image(raw):
    save(half_mask(), raw / "train/mask/Basophil/nobody.png")
    return "train/mask/Basophil/nobody.png", "add the image or remove the mask"


def mask_of_another_size(raw):
    save(half_mask((16, 16)), raw / "train/mask/Basophil" / NAME)
    return f"train/mask/Basophil/{NAME}", "same size"


def undecodable_mask(raw):
    (raw / "train/mask/Basophil" / NAME).write_bytes(b"broken")
    return f"train/mask/Basophil/{NAME}", "replace or remove"


def empty_class(raw):
    for path in (raw / "val/data/Basophil").iterdir():
        path.unlink()
    return "val/data/Basophil", "put the images of Basophil there"


def unusable_class(raw):
    for path in raw.glob("*/data/Basophil/*"):
        path.write_bytes(b"broken")
    return "train/data/Basophil", "no usable image left"


@pytest.fixture
def check(tmp_path):
    """Makes a data set with damages; gives the options of check_datasets."""
    raw = write_labelled(tmp_path / "raw", {"train": 2, "val": 1}, {"train": 1})

    def options(*damages, policy="stop", **policies):
        said = [damage(raw) for damage in damages]
        assert index(raw, tmp_path, SPLITS) == 0
        return said, {
            "datasets": ["wbc"],
            "problems": [tmp_path / "problems.csv"],
            "policy": {**dict.fromkeys(KINDS, policy), **policies},
            "report": tmp_path / "report.csv",
            "output": tmp_path / "output.csv",
        }

    return options


DAMAGES = [
    *(undecodable_image, unknown_class_folder, mask_without_image),
    *(mask_of_another_size, undecodable_mask),
]


def test_sound_data_pass_with_an_empty_table(check, tmp_path):
    _, options = check()
    assert call("check_datasets", **options) == 0
    assert read_csv(tmp_path / "output.csv") == []
    assert (tmp_path / "output.csv").read_text() == "dataset,kind,path,detail,consequence\n"


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_kind_stops_with_one_line(check, tmp_path, capsys, damage):
    [(path, remedy)], options = check(damage)
    line = failure(capsys, "check_datasets", **options)
    assert f"wbc: {damage.__name__.replace('_', ' ')}: {path}" in line
    assert remedy in line
    assert "more" not in line
    assert not (tmp_path / "output.csv").exists()
    [row] = read_csv(tmp_path / "report.csv")
    assert (row["dataset"], row["kind"]) == ("wbc", damage.__name__)
    assert (row["path"], row["consequence"]) == (path, "stop")


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_kind_passes_under_warn(check, tmp_path, capsys, damage):
    [(path, _)], options = check(damage, **{damage.__name__: "warn"})
    assert call("check_datasets", **options) == 0
    [row] = read_csv(tmp_path / "output.csv")
    assert (row["kind"], row["path"], row["consequence"]) == (damage.__name__, path, "warn")
    log = capsys.readouterr().err
    assert f"warning: wbc: {damage.__name__}: {path}" in log


@pytest.mark.parametrize("damage", [empty_class, unusable_class])
def test_an_empty_class_always_stops(check, tmp_path, capsys, damage):
    [(path, remedy)], options = check(damage, policy="warn")
    line = failure(capsys, "check_datasets", **options)
    assert f"wbc: empty class: {path}" in line
    assert remedy in line
    assert not (tmp_path / "output.csv").exists()


def test_several_problems_are_counted_and_written(check, tmp_path, capsys):
    said, options = check(
        *(undecodable_image, unknown_class_folder, mask_without_image), mask_without_image="warn"
    )
    line = failure(capsys, "check_datasets", **options)
    assert f"(1 more in {tmp_path / 'report.csv'})" in line
    rows = read_csv(tmp_path / "report.csv")
    assert {row["path"] for row in rows} == {path for path, _ in said}
    assert {row["kind"]: row["consequence"] for row in rows} == {
        "undecodable_image": "stop",
        "unknown_class_folder": "stop",
        "mask_without_image": "warn",
    }


def test_without_a_report_the_line_names_none(check, capsys):
    _, options = check(undecodable_image, unknown_class_folder)
    del options["report"]
    assert "(1 more)" in failure(capsys, "check_datasets", **options)


def test_tables_are_matched_to_their_data_sets(check, tmp_path, capsys):
    _, options = check(unknown_class_folder)
    (tmp_path / "none.csv").write_text("kind,path,detail\n")
    options |= {
        "datasets": ["cam16", "wbc"],
        "problems": [tmp_path / "none.csv", tmp_path / "problems.csv"],
    }
    assert "error: wbc: " in failure(capsys, "check_datasets", **options)
