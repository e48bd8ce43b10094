"""A grouped split: the same rows, another split column, no slide on both sides."""

import numpy as np
import pytest
from builders import call, failure

from fewlabels.core.files import read_csv, write_csv

COLUMNS = ["id", "path", "split", "label", "slide", "pixel_sha256"]


def index_of(slides: int, images: int = 600) -> list[dict]:
    generator = np.random.default_rng(0)
    return [
        {
            "id": f"i{n}",
            "path": f"p{n}",
            "split": "test" if generator.random() < 0.25 else "train",
            "label": generator.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1]),
            "slide": f"s{generator.integers(slides)}" if slides else "",
            "pixel_sha256": f"x{n}",
        }
        for n in range(images)
    ]


@pytest.fixture
def split(tmp_path):
    def options(rows, seed=0):
        write_csv(tmp_path / "index.csv", COLUMNS, rows)
        return {
            "target": "cells",
            "index": tmp_path / "index.csv",
            "seed": seed,
            "grouped_index": tmp_path / "grouped.csv",
        }

    return options


def test_slides_are_whole_and_the_test_share_is_the_given_one(split, tmp_path):
    rows = index_of(30)
    rows[0]["split"] = "validation"
    assert call("split_by_group", **split(rows)) == 0
    grouped = read_csv(tmp_path / "grouped.csv")
    assert [{**row, "split": ""} for row in grouped] == [{**row, "split": ""} for row in rows]
    assert grouped[0]["split"] == "validation"
    sides = {s: [r for r in grouped if r["split"] == s] for s in ("train", "test")}
    slides = {s: {row["slide"] for row in sides[s]} for s in sides}
    assert not slides["train"] & slides["test"]
    given = sum(row["split"] == "test" for row in rows)
    assert len(sides["test"]) == pytest.approx(given, rel=0.15)
    assert {row["label"] for row in sides["test"]} == {"a", "b", "c"}


def test_the_seed_decides(split, tmp_path):
    tables = []
    for seed in (0, 0, 1):
        assert call("split_by_group", **split(index_of(30), seed)) == 0
        tables.append((tmp_path / "grouped.csv").read_bytes())
    assert tables[0] == tables[1] != tables[2]


def test_equal_pictures_without_a_slide_stay_together(split, tmp_path):
    rows = index_of(30)
    for row in rows[:300]:
        row |= {"slide": "", "pixel_sha256": f"x{int(row['id'][1:]) // 2}"}
    assert call("split_by_group", **split(rows)) == 0
    splits = [row["split"] for row in read_csv(tmp_path / "grouped.csv")]
    assert splits[:300:2] == splits[1:300:2]
    assert "test" in splits[:300]


@pytest.mark.parametrize(
    ("slides", "words"),
    [(0, "set datasets.cells.group_pattern, or take grouped out"), (2, "2 slides are too few")],
)
def test_what_cannot_be_split_is_one_line(split, tmp_path, capsys, slides, words):
    line = failure(capsys, "split_by_group", **split(index_of(slides)))
    assert words in line
    assert "experiment.splits" in line
    assert not (tmp_path / "grouped.csv").exists()
