"""Arrays of pictures and the tables beside them, read as one."""

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.data.pictures import COLUMNS, open_pictures, table_of, table_rows


def write(folder, name, values, ids, kind="plain", dtype=np.uint8):
    """Pictures of 2 x 2 pixels, each filled with its value."""
    pictures = np.array(values, dtype)[:, None, None, None] * np.ones((1, 2, 2, 3), dtype)
    np.save(folder / f"{name}.npy", pictures)
    write_csv(folder / f"{name}.csv", COLUMNS, table_rows(ids, kind))
    return folder / f"{name}.npy"


@pytest.fixture
def two(tmp_path):
    """Images a, b, c filled with 0, 1, 2; masked copies of c and a filled with 102 and 100."""
    plain = write(tmp_path, "images", [0, 1, 2], "abc")
    return [plain, write(tmp_path, "masked", [102, 100], "ca", "masked")]


def values(pictures, *keys) -> list[int]:
    found = pictures.rows(keys)
    assert found.shape == (len(keys), 2, 2, 3)
    assert found.dtype == np.uint8
    return found[:, 0, 0, 0].tolist()


def test_one_array(two):
    pictures = open_pictures(two[:1])
    assert pictures.size == 2
    assert len(pictures) == 3
    assert values(pictures, ("c", "plain"), ("a", "plain"), ("c", "plain")) == [2, 0, 2]
    assert values(pictures) == []
    assert ("a", "plain") in pictures
    assert ("a", "masked") not in pictures
    assert "a" not in pictures


def test_several_arrays_are_laid_end_to_end(two):
    pictures = open_pictures(two)
    assert [len(array) for array in pictures.arrays] == [3, 2]
    assert pictures.row_of == {
        **{("a", "plain"): 0, ("b", "plain"): 1, ("c", "plain"): 2},
        **{("c", "masked"): 3, ("a", "masked"): 4},
    }
    keys = [("a", "masked"), ("b", "plain"), ("c", "masked"), ("a", "plain")]
    assert values(pictures, *keys) == [100, 1, 102, 0]
    end_to_end = np.concatenate(pictures.arrays)
    np.testing.assert_array_equal(
        pictures.rows(keys), end_to_end[[pictures.row_of[key] for key in keys]]
    )


def test_what_is_read_is_a_copy_and_the_file_stays(two):
    pictures = open_pictures(two[:1])
    pictures.rows([("a", "plain")])[:] = 9
    pictures.arrays[0][1] = 9
    assert values(open_pictures(two[:1]), ("a", "plain"), ("b", "plain")) == [0, 1]


def test_an_array_without_pictures_between_others(tmp_path, two):
    empty = write(tmp_path, "empty", [], "", "mask")
    assert values(open_pictures([two[0], empty, two[1]]), ("c", "masked")) == [102]
    assert open_pictures([empty]).rows([]).shape == (0, 2, 2, 3)


def test_rows_without_a_number_are_no_pictures_and_any_order_goes(two):
    rows = [
        {"id": "a", "kind": "masked", "row": 1, "state": "applied"},
        {"id": "b", "kind": "masked", "state": "kept"},
        {"id": "c", "kind": "masked", "row": 0, "state": "applied"},
    ]
    write_csv(table_of(two[1]), [*COLUMNS, "state"], rows)
    pictures = open_pictures(two[1:])
    assert ("b", "masked") not in pictures
    assert values(pictures, ("a", "masked"), ("c", "masked")) == [100, 102]


@pytest.mark.parametrize("ids", ["ab", "abcd"])
def test_a_table_of_another_length_is_refused(two, ids):
    write_csv(table_of(two[0]), COLUMNS, table_rows(ids, "plain"))
    with pytest.raises(UserError, match=rf"images\.npy has 3 rows, .*images\.csv lists {len(ids)}"):
        open_pictures(two)


def test_two_pictures_in_one_row_are_refused(two):
    rows = [{"id": name, "kind": "plain", "row": n} for name, n in (("a", 0), ("b", 0), ("c", 2))]
    write_csv(table_of(two[0]), COLUMNS, rows)
    with pytest.raises(UserError, match=r"images\.npy has 3 rows"):
        open_pictures(two)


def test_a_picture_listed_twice_is_refused(tmp_path, two):
    again = write(tmp_path, "again", [7], "b")
    with pytest.raises(UserError, match=r"again\.csv: the plain picture of b is listed twice"):
        open_pictures([two[0], again])


def test_arrays_that_do_not_fit_are_refused(tmp_path, two):
    other = write(tmp_path, "other", [7], "x", dtype=np.float32)
    with pytest.raises(
        UserError, match=r"other\.npy has pictures of float32 .*images\.npy of uint8"
    ):
        open_pictures([two[0], other])


@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_a_missing_file_is_named(tmp_path, two, ending):
    (tmp_path / f"images.{ending}").unlink()
    with pytest.raises(UserError, match=rf"images\.{ending} does not exist"):
        open_pictures(two)
