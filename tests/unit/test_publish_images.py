"""Publishing the files of a state: tables as copies, arrays as links that move with the results folder."""

import os

import numpy as np
from builders import call, failure

import publish_images


def test_tables_are_copied_and_arrays_linked(tmp_path):
    state = tmp_path / "results/images/states/wbc_1"
    state.mkdir(parents=True)
    (state / "index.csv").write_text("id\n1\n")
    np.save(state / "images.npy", np.arange(3))
    published = [tmp_path / "results/images" / name for name in ("wbc_index.csv", "wbc.npy")]
    files = [state / "index.csv", state / "images.npy"]
    for _ in range(2):
        assert call("publish_images", files=files, published=published) == 0
    (tmp_path / "results").rename(tmp_path / "moved")
    table, array = (tmp_path / "moved/images" / path.name for path in published)
    assert not table.is_symlink() and table.read_text() == "id\n1\n"
    assert array.is_symlink() and np.load(array).tolist() == [0, 1, 2]


def test_where_links_cannot_be_made_arrays_are_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("not permitted")

    monkeypatch.setattr(publish_images.Path, "symlink_to", refuse)
    np.save(tmp_path / "images.npy", np.arange(3))
    published = tmp_path / "out/wbc.npy"
    assert call("publish_images", files=[tmp_path / "images.npy"], published=[published]) == 0
    assert not published.is_symlink() and np.load(published).tolist() == [0, 1, 2]


def test_nothing_is_written_through_a_link_of_before(tmp_path):
    """Else a new state would overwrite the array of an earlier one."""
    for name in ("old.npy", "new.npy"):
        (tmp_path / name).write_text(name)
    os.symlink("old.npy", tmp_path / "wbc.npy")
    published = [tmp_path / "wbc.npy"]
    assert call("publish_images", files=[tmp_path / "new.npy"], published=published) == 0
    assert (tmp_path / "old.npy").read_text() == "old.npy"
    assert (tmp_path / "wbc.npy").read_text() == "new.npy"


def test_as_many_files_as_places(tmp_path, capsys):
    line = failure(capsys, "publish_images", files=["a", "b"], published=["c"])
    assert "as many files" in line
