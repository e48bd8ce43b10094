"""The judged problems of all data sets in one table."""

from builders import call

from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.judgement import CHECKED_COLUMNS


def test_tables_follow_one_another(tmp_path):
    row = {"kind": "blank_image", "path": "a.png", "detail": "", "files": 1, "consequence": "warn"}
    for name, rows in (("wbc", [row, row]), ("cam16", []), ("prcc", [row])):
        found = [{"dataset": name, **given} for given in rows]
        write_csv(tmp_path / f"{name}.csv", CHECKED_COLUMNS, found)
    tables = [tmp_path / f"{name}.csv" for name in ("prcc", "cam16", "wbc")]
    assert call("check_datasets", tables=tables, output=tmp_path / "all.csv") == 0
    found = read_csv(tmp_path / "all.csv")
    assert [given["dataset"] for given in found] == ["prcc", "wbc", "wbc"]
    assert found[0] == {"dataset": "prcc", **row, "files": "1"}
