"""What is told of every file below a folder without decoding it."""

import os

import pytest

from fewlabels.data.walk import printable, walk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def found(root) -> dict[str, str]:
    """Path -> what, of files and of folders that are more than that."""
    return {entry.path: entry.what for entry in walk(root) if entry.what != "folder"}


@pytest.fixture
def put(tmp_path):
    def write(name: str, content: bytes = b"x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def test_every_file_is_told_by_its_name_or_its_first_bytes(put, tmp_path):
    for name in ("a.jpg", "b/c.JPEG", "b/d.webp", "b/e.jp2", "slide.SVS", "x.dcm", "notes.txt"):
        put(name)
    put("cell_7", PNG)
    put("cell_8.dat", PNG)
    put("text.dat", b"no picture")
    assert found(tmp_path) == {
        **dict.fromkeys(["a.jpg", "b/c.JPEG", "b/d.webp", "b/e.jp2"], "image"),
        **dict.fromkeys(["cell_7", "cell_8.dat"], "image"),
        **dict.fromkeys(["slide.SVS", "x.dcm"], "foreign"),
        **dict.fromkeys(["notes.txt", "text.dat"], "no_picture"),
    }
    assert [entry.path for entry in walk(tmp_path) if entry.what == "folder"] == ["b"]


def test_what_systems_leave_is_litter_and_so_is_all_in_hidden_folders(put, tmp_path):
    names = [".DS_Store", "._a.jpg", "Thumbs.db", ".git/x/y.jpg", "__MACOSX/a.jpg", "d/.h.png"]
    for name in names:
        put(name)
    assert found(tmp_path) == dict.fromkeys(names, "litter")


def test_links_are_followed_but_in_no_circle(put, tmp_path):
    put("data/a.png", PNG)
    (tmp_path / "data/round").symlink_to(tmp_path)
    (tmp_path / "data/self").symlink_to("self")
    (tmp_path / "again").symlink_to("data", target_is_directory=True)
    (tmp_path / "gone.png").symlink_to("/nowhere/at/all.png")
    assert found(tmp_path) == {
        "data/a.png": "image",
        "data/round": "link_loop",
        "data/self": "no_picture",
        "again/a.png": "image",
        "again/round": "link_loop",
        "again/self": "no_picture",
        "gone.png": "image",
    }


def test_pipes_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == {"pipe.png": "special_file", "pipe": "special_file"}


def test_names_that_are_not_utf_8(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(name, "wb") as handle:
        handle.write(PNG)
    (entry,) = walk(tmp_path)
    assert entry.what == "undecodable_name"
    assert printable(entry.path) == "caf\\xe9.png"


def test_a_folder_that_may_not_be_read(put, tmp_path, monkeypatch):
    """Root may read any folder, so the refusal is played."""
    put("closed/a.png")
    really = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return really(path)

    monkeypatch.setattr("fewlabels.data.walk.os.scandir", scandir)
    assert found(tmp_path) == {"closed": "unreadable_folder"}
