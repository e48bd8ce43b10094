"""Rows of several arrays, taken by picture and variant."""

import numpy as np
import pytest
import torch

from fewlabels.data.pictures import load_mapped
from fewlabels.training import stored_rows as module
from fewlabels.training.stored_rows import StoredRows, stored_rows

CPU = torch.device("cpu")


@pytest.fixture
def arrays(tmp_path):
    """Two memory-mapped arrays: rows of the values 0, 1, 2 and 3, 4."""
    parts = []
    for name, values in (("first", [0, 1, 2]), ("second", [3, 4])):
        array = np.full((len(values), 2, 2, 3), np.array(values, np.uint8)[:, None, None, None])
        np.save(tmp_path / f"{name}.npy", array)
        parts.append(load_mapped(tmp_path / f"{name}.npy"))
    return parts


def test_rows_come_from_all_parts_in_the_order_asked_for(arrays):
    rows = stored_rows(arrays, [4, 0, 3, 2], CPU)
    assert len(rows) == 4
    assert rows.shape == (2, 2, 3)
    taken = rows.take(torch.tensor([0, 1, 2, 3, 0]))
    assert taken.shape == (5, 3, 2, 2)
    assert taken[:, 0, 0, 0].tolist() == [4, 0, 3, 2, 4]


def test_variants(arrays):
    parts = [torch.from_numpy(array) for array in arrays]
    rows = StoredRows(parts, torch.tensor([[0, 3], [1, -1]]), CPU)
    assert rows.take(torch.tensor([0, 1, 0]), torch.tensor([1, 0, 0]))[:, 0, 0, 0].tolist() == [
        *(3, 1, 0)
    ]
    assert rows.take(torch.tensor([1, 0]))[:, 0, 0, 0].tolist() == [1, 0]


def test_nothing_is_read_before_it_is_asked_for_and_nothing_is_written(arrays, tmp_path):
    before = (tmp_path / "first.npy").read_bytes()
    rows = stored_rows(arrays, [0, 1, 2], CPU)
    assert all(isinstance(array, np.memmap) for array in arrays)
    assert rows.parts[0].data_ptr() == arrays[0].ctypes.data
    rows.take(torch.tensor([2])).add_(1)
    assert (tmp_path / "first.npy").read_bytes() == before
    assert rows.take(torch.tensor([2]))[0, 0, 0, 0] == 2


def test_features_stay_two_dimensional():
    rows = stored_rows([np.arange(6, dtype=np.float32).reshape(3, 2)], [2, 0], CPU)
    assert rows.take(torch.tensor([0, 1])).tolist() == [[4, 5], [0, 1]]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_a_resident_copy_gives_what_the_arrays_gave(arrays, monkeypatch, chunk):
    """The copy that a GPU gets, made on the CPU: only rows that are held, each once per place."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    parts = [torch.from_numpy(array) for array in arrays]
    # Row 4 is asked for twice, row 2 never.
    numbers = torch.tensor([[4, 0], [1, -1], [3, 4]])
    rows = StoredRows(parts, numbers, CPU)
    pictures, variants = torch.tensor([2, 0, 1, 2, 0]), torch.tensor([1, 1, 0, 0, 0])
    before = rows.take(pictures, variants)
    assert before[:, 0, 0, 0].tolist() == [4, 0, 1, 3, 4]
    rows.make_resident()
    assert [tuple(part.shape) for part in rows.parts] == [(5, 2, 2, 3)]
    assert rows.shape == (2, 2, 3)
    assert len(rows) == 3
    # Not a view of the files.
    for part in parts:
        assert rows.parts[0].data_ptr() != part.data_ptr()
    after = rows.take(pictures, variants)
    assert after.dtype == before.dtype
    assert torch.equal(after, before)
    assert torch.equal(
        rows.take(torch.tensor([1, 0])), StoredRows(parts, numbers, CPU).take(torch.tensor([1, 0]))
    )
    # What is not held stays so.
    assert (rows.rows < 0).tolist() == [[False, False], [False, True], [False, False]]


def test_a_resident_copy_of_features():
    values = torch.arange(8.0).reshape(4, 2)
    rows = StoredRows([values[:3], values[3:]], torch.tensor([[3], [1]]), CPU)
    rows.make_resident()
    assert rows.take(torch.tensor([1, 0])).tolist() == [[2, 3], [6, 7]]


@pytest.mark.parametrize(("free", "resident"), [(60, True), (59, False)])
def test_what_does_not_fit_is_not_made_resident(arrays, monkeypatch, free, resident):
    """Two rows of 12 bytes may take 0.4 of the free memory: 60 bytes are needed."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    made = []
    monkeypatch.setattr(StoredRows, "make_resident", lambda rows: made.append(rows))
    rows = stored_rows(arrays, [4, 0], torch.device("cuda"))
    assert made == [rows] * resident


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_what_fits_lies_there_from_the_start(arrays):
    rows = stored_rows(arrays, [4, 0], torch.device("cuda"))
    assert [part.device.type for part in rows.parts] == ["cuda"]
    assert rows.take(torch.tensor([0, 1]))[:, 0, 0, 0].tolist() == [4, 0]
