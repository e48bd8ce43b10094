"""What trainings took, from records and benchmark files."""

import json

import pytest
from builders import call, failure, write_sheet

from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import Run


def write(path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def options(tmp_path):
    for replicate, record in (
        ("1", {"seconds": 12.5, "device": "cpu"}),
        ("2", {"seconds": 11, "device": "H", "images_per_second": 900, "peak_memory_mb": 70}),
        ("3", {"seconds": 11, "device": "H", "peak_memory_mb": 60, "peak_gpu_mb": 5}),
    ):
        write(tmp_path / f"records/replicate{replicate}/one_cells_1.json", json.dumps(record))
    write(tmp_path / "records/resnet_cam16.json", '{"seconds": 3}')
    header = "s\th:m:s\tmax_rss\n"
    write(
        tmp_path / "b/train_classifier/replicate1/one_cells_1.tsv",
        header + "20.5\t0:00:20\t951.62\n",
    )
    write(tmp_path / "b/pretrain/resnet_cam16.tsv", header + "9\t0:00:09\t-\n")
    return {
        **{"results": tmp_path, "benchmarks": tmp_path / "b"},
        "runs": write_sheet(tmp_path / "runs.csv", ["one"], ["1"], [1, 2, 3]),
        **{"pretrained": ["resnet_cam16"], "costs": tmp_path / "costs.csv"},
    }


def test_what_is_known_is_collected_and_the_rest_is_empty(options):
    assert call("collect_costs", **options) == 0
    rows = read_csv(options["costs"])
    assert [list(row.values()) for row in rows] == [
        ["one", "1", "1", "12.5", "", "cpu", "", "", "20.5", "951.62"],
        ["one", "1", "2", "11", "900", "H", "70", "", "", ""],
        ["one", "1", "3", "11", "", "H", "60", "5", "", ""],
        ["resnet_cam16", "", "", "3", "", "", "", "", "9", "-"],
    ]


def test_crossed_runs_cost_too(options, tmp_path):
    write(tmp_path / "records/replicate1x2/one_cells_1.json", '{"seconds": 4}')
    crossed = Run("one", "cells", "1", 1, 2, tabled=False, crossed=True)
    write_sheet(options["runs"], ["one"], ["1"], [1, 2, 3], more=[crossed])
    assert call("collect_costs", **options) == 0
    rows = read_csv(options["costs"])
    assert [row["replicate"] for row in rows] == ["1", "2", "3", "1x2", ""]
    assert rows[3]["seconds"] == "4"


def test_networks_of_masks_cost_too(options, tmp_path):
    path = tmp_path / "records/predicted_masks/replicate2/cells_10.json"
    write(path, '{"seconds": 7.5, "device": "cpu", "fraction": "10", "replicate": "2"}')
    below = "b/predict_masks/replicate2/cells_10.tsv"
    write(tmp_path / below, "s\th:m:s\tmax_rss\n8.5\t0:00:08\t99.5\n")
    assert call("collect_costs", **options, mask_records=[path]) == 0
    last = read_csv(options["costs"])[-1]
    expected = ["predicted_masks", "10", "2", "7.5", "", "cpu", "", "", "8.5", "99.5"]
    assert list(last.values()) == expected


@pytest.mark.parametrize("content", [None, "half a rec"])
def test_a_missing_or_broken_record_is_one_line(options, capsys, tmp_path, content):
    path = tmp_path / "records/replicate2/one_cells_1.json"
    path.unlink() if content is None else path.write_text(content)
    assert "replicate2/one_cells_1.json" in failure(capsys, "collect_costs", **options)


def test_one_run_and_no_pretrained_model(options):
    write_sheet(options["runs"], ["one"], ["1"], [2])
    assert call("collect_costs", **options | {"pretrained": []}) == 0
    assert [row["seconds"] for row in read_csv(options["costs"])] == ["11"]
