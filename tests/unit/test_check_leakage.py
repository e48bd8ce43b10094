"""What the audit found, judged by the config: an error is the verdict's line, and the table is written all the same."""

import pytest
from builders import call

from fewlabels.audit.leakage import COLUMNS, COMPARED_COLUMNS, KINDS
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.verdict import read_verdict

WARN = dict.fromkeys(KINDS, "warn")


def finding(kind, first_split="train", second_split="test", **values):
    row = {
        "kind": kind,
        "first_dataset": "wbc",
        "first_split": first_split,
        "second_dataset": "wbc",
        "second_split": second_split,
    }
    if kind in ("slide", "field"):
        return row | {"group": "s1", "first_images": 3, "second_images": 2} | values
    return row | {"first_id": "train/a/1.jpg", "second_id": "val/a/2.jpg", "distance": 0} | values


@pytest.fixture
def check(tmp_path):
    """Judges findings; gives the verdict's line, or None. Each pair of sets has 40 images in its second."""

    def run(rows, share=0.05, **policy):
        pairs = {(row["first_dataset"], row["first_split"], row["second_split"]) for row in rows}
        compared = [
            {
                **{"first_dataset": dataset, "first_split": first, "first_images": 100},
                **{"second_dataset": "wbc", "second_split": second, "second_images": 40},
                "test": "true" if second == "test" else "false",
                **{
                    kind: sum(
                        row["kind"] == kind
                        and (row["first_dataset"], row["first_split"], row["second_split"])
                        == (dataset, first, second)
                        for row in rows
                    )
                    for kind in KINDS
                },
            }
            for dataset, first, second in sorted(pairs)
        ]
        write_csv(tmp_path / "pairs.csv", COLUMNS, rows)
        write_csv(tmp_path / "compared.csv", COMPARED_COLUMNS, compared)
        files = {name: tmp_path / f"{name}.csv" for name in ("pairs", "compared")}
        files |= {"output": tmp_path / "check.csv", "verdict": tmp_path / "verdict.txt"}
        settings = {"policy": WARN | policy, "near_duplicate_share": share}
        assert call("check_leakage", **files, **settings) == 0
        return read_verdict(tmp_path / "verdict.txt")

    return run


def near_duplicates(numbers, first_dataset="wbc", first_split="train"):
    return [
        finding("near_duplicates", first_split)
        | {"first_dataset": first_dataset, "second_id": f"val/a/{number}.jpg"}
        for number in numbers
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bytes", "wbc test: val/a/2.jpg is the same file as wbc train: train/a/1.jpg: remove one"),
        ("pixels", "val/a/2.jpg is the same pixels as wbc train: train/a/1.jpg"),
        ("near_duplicates", "val/a/2.jpg is a near duplicate of wbc train: train/a/1.jpg"),
        ("slide", "same slide in wbc test and wbc train: s1: keep its images in one"),
        ("field", "same microscope field in wbc test and wbc train: s1"),
    ],
)
def test_every_kind_stops_with_one_line_or_passes(check, tmp_path, capsys, kind, words):
    line = check([finding(kind)], **{kind: "error"})
    assert words in line
    assert f"or set leakage.{kind} to warn; see {tmp_path}/pairs.csv" in line
    for policy, logged in (("error", False), ("warn", True), ("ignore", False)):
        capsys.readouterr()
        assert (check([finding(kind)], **{kind: policy}) is None) == (policy != "error")
        [row] = read_csv(tmp_path / "check.csv")
        assert (row["kind"], row["count"], row["consequence"]) == (kind, "1", policy)
        assert (row["images"], row["test"]) == ("40", "true")
        assert (
            f"warning: {KINDS[kind]}: 1 in wbc train and wbc test" in capsys.readouterr().err
        ) == logged


def test_several_errors_are_counted(check):
    line = check([finding("slide"), finding("bytes"), finding("bytes")], bytes="error")
    assert "(1 more)" in line
    assert line.startswith("leakage: wbc test: val/a/2.jpg")


@pytest.mark.parametrize("split", ["train", "test"])
def test_copies_within_one_split_never_stop(check, tmp_path, split):
    assert check([finding("bytes", split, split)], bytes="error") is None
    assert [row["consequence"] for row in read_csv(tmp_path / "check.csv")] == ["warn"]
    within = near_duplicates(range(30), first_split="test")
    assert check(within, share=0) is None


def test_nothing_found_is_an_empty_table(check, tmp_path):
    assert check([], bytes="error") is None
    assert read_csv(tmp_path / "check.csv") == []


def test_near_duplicates_stop_above_their_share_of_the_test_images(check, tmp_path):
    # 2 of 40 are 0.05, no more.
    assert check(near_duplicates(range(2))) is None
    line = check(near_duplicates(range(3)))
    assert line.startswith("leakage: 3 of 40 test images of wbc have near duplicates among images")
    assert "wbc test: val/a/0.jpg is a near duplicate of wbc train: train/a/1.jpg" in line
    assert "raise leakage.near_duplicate_share (now 0.05)" in line
    assert [row["consequence"] for row in read_csv(tmp_path / "check.csv")] == ["error"]
    assert check(near_duplicates(range(3)), share=0.08) is None
    assert check(near_duplicates(range(3)), near_duplicates="ignore") is None


def test_a_test_image_with_near_duplicates_in_two_sets_counts_once(check):
    both = near_duplicates([0, 1]) + near_duplicates([0, 1], first_dataset="cam16")
    assert check(both) is None
    apart = near_duplicates([0, 1]) + near_duplicates([2, 3], first_dataset="cam16")
    assert "4 of 40 test images" in check(apart)


def test_copies_of_test_images_are_told_on_the_terminal(check, capsys):
    within = finding("bytes", "test", "test")
    assert check([*near_duplicates(range(2)), within, finding("bytes", "train", "train")]) is None
    first, second = capsys.readouterr().out.splitlines()
    assert "warning: 2 of 40 test images of `wbc` have a near duplicate in `wbc` train" in first
    assert "warning: 1 of 40 test images of `wbc` is a copy of others among them" in second
    check([finding("slide")])
    assert capsys.readouterr().out == ""


def test_near_duplicates_among_others_than_test_images_do_not_count(check):
    rows = [row | {"second_split": "validation"} for row in near_duplicates(range(30))]
    assert check(rows) is None
