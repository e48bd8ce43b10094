"""Hashes of what data sets contain: every edit of a picture shows, nothing else does, and nothing is read twice."""

import builtins
import json
import os
import time
from pathlib import Path

import pytest
from builders import picture, save

from fewlabels.core.errors import UserError
from fewlabels.data import content_hashes
from fewlabels.data.content_hashes import dataset_hash, folder_hash, require_unchanged
from fewlabels.data.layouts import Layout

FOLDERS = Layout(images=".")


@pytest.fixture
def raw(tmp_path) -> Path:
    """Two images of one size and format, a mask, and a picture without an ending."""
    root = tmp_path / "raw"
    for number in (1, 2):
        save(picture((9, 9, 9), number, (8, 8)), root / f"data/a{number}.bmp")
    save(picture((9, 9, 9), 3, (8, 8)).convert("L"), root / "mask/a1.png")
    save(picture((9, 9, 9), 4, (8, 8)), root / "data/odd.png").rename(root / "data/odd")
    return root


def flip_a_byte(path: Path) -> None:
    """Edit a file in place; size and modification time stay."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap(root: Path) -> None:
    first, second = root / "data/a1.bmp", root / "data/a2.bmp"
    first.rename(root / "kept")
    second.rename(first)
    (root / "kept").rename(second)


EDITS = {
    "an image": lambda root: flip_a_byte(root / "data/a2.bmp"),
    "a mask": lambda root: flip_a_byte(root / "mask/a1.png"),
    "without an ending": lambda root: flip_a_byte(root / "data/odd"),
    "swapped": swap,
    "renamed": lambda root: (root / "data/a1.bmp").rename(root / "data/a3.bmp"),
    "gone": lambda root: (root / "data/odd").unlink(),
    "a broken image": lambda root: (root / "data/a9.jpg").write_bytes(b"none"),
    "a slide": lambda root: (root / "data/a9.svs").write_bytes(b"none"),
    "a picture called otherwise": lambda root: (root / "a.txt").write_bytes(b"GIF89a" + bytes(9)),
    "a link to nothing": lambda root: (root / "data/a9.png").symlink_to("nowhere"),
    "a pipe": lambda root: os.mkfifo(root / "data/a9.png"),
    "a loop": lambda root: (root / "data/again").symlink_to(root),
    "no UTF-8": lambda root: Path(os.fsdecode(bytes(root) + b"/\xff.png")).write_bytes(b"none"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_every_edit_shows_with_a_cache_and_without(raw, tmp_path, edit):
    cache = tmp_path / "cache"
    before = folder_hash(raw, cache)
    assert before == folder_hash(raw, cache) == folder_hash(raw)
    edit(raw)
    after = folder_hash(raw, cache)
    assert after != before
    assert after == folder_hash(raw, cache) == folder_hash(raw)


OTHERS = {
    "touched": lambda root: os.utime(root / "data/a1.bmp"),
    "a text": lambda root: (root / "notes.txt").write_text("BMW, not a bitmap"),
    "hidden": lambda root: save(picture((1, 1, 1), 1, (8, 8)), root / ".trash/a.png"),
    "litter": lambda root: (root / "data/Thumbs.db").write_bytes(b"GIF89a" + bytes(9)),
    "an empty folder": lambda root: (root / "more").mkdir(),
    "copied": lambda root: (root / "data/a1.bmp").write_bytes((root / "data/a1.bmp").read_bytes()),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_what_changes_no_picture_does_not_show(raw, change):
    before = folder_hash(raw)
    change(raw)
    assert folder_hash(raw) == before


def test_the_hash_does_not_depend_on_where_the_folder_lies(raw, tmp_path):
    before = folder_hash(raw)
    raw.rename(tmp_path / "elsewhere")
    assert folder_hash(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("name", ["open", "scandir"])
def test_what_may_not_be_read_shows_and_stops_nothing(raw, monkeypatch, name):
    """A file, a folder. By a stand-in, as root may read everything."""
    before = folder_hash(raw)
    module = builtins if name == "open" else os
    read = getattr(module, name)

    def refuse(path, *arguments):
        if str(path).endswith(("a1.bmp", "/data")):
            raise PermissionError(path)
        return read(path, *arguments)

    monkeypatch.setattr(module, name, refuse)
    assert folder_hash(raw) == folder_hash(raw) != before


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Names of the files that are read."""
    found: list[str] = []
    read = content_hashes._content

    def watched(root, path, any_format):
        found.append(path)
        return read(root, path, any_format)

    monkeypatch.setattr(content_hashes, "_content", watched)
    return found


@pytest.fixture
def rested(monkeypatch):
    """Files count as written long ago."""
    now = time.time()
    monkeypatch.setattr(content_hashes.time, "time", lambda: now + 60)


def test_what_is_known_is_not_read_again(raw, tmp_path, reads, rested):
    folder_hash(raw, tmp_path / "cache")
    assert len(reads) == 4
    reads.clear()
    folder_hash(raw, tmp_path / "cache")
    assert reads == []
    flip_a_byte(raw / "data/a1.bmp")
    os.utime(raw / "data/a2.bmp")
    folder_hash(raw, tmp_path / "cache")
    assert sorted(reads) == ["data/a1.bmp", "data/a2.bmp"]


def test_a_file_that_was_only_just_written_is_read_again(raw, tmp_path, reads):
    """Its times may not show the next edit: clocks of file systems tick coarsely."""
    folder_hash(raw, tmp_path / "cache")
    reads.clear()
    folder_hash(raw, tmp_path / "cache")
    assert len(reads) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"[[1]]", b"\xff", b'{"a": 1}'])
def test_a_broken_cache_is_made_anew(raw, tmp_path, rested, content):
    before = folder_hash(raw, tmp_path / "cache")
    [file] = (tmp_path / "cache").iterdir()
    kept = file.read_bytes()
    file.write_bytes(content)
    assert folder_hash(raw, tmp_path / "cache") == before
    assert file.read_bytes() == kept
    assert len(json.loads(kept)) == 4


def test_a_cache_that_cannot_be_written_stops_nothing(raw, tmp_path, rested):
    (tmp_path / "cache").write_text("a file, no folder")
    assert folder_hash(raw, tmp_path / "cache") == folder_hash(raw)


def test_files_that_change_while_they_are_read_are_told(raw, tmp_path):
    found = dataset_hash(raw, FOLDERS)
    require_unchanged(raw, FOLDERS, found)
    flip_a_byte(raw / "data/a1.bmp")
    with pytest.raises(UserError, match=r"changed while the workflow read them: run it again"):
        require_unchanged(raw, FOLDERS, found, tmp_path / "cache")


def test_a_table_counts_with_its_bytes_and_the_files_that_it_names(raw, tmp_path):
    (raw / "list.csv").write_text("path,mask\ndata/a1.bmp,mask/a1.png\ndata/odd,\n")
    layout = Layout(table="list.csv")
    cache = tmp_path / "cache"
    hashes = [dataset_hash(raw, layout, cache)]
    flip_a_byte(raw / "data/a2.bmp")
    assert dataset_hash(raw, layout, cache) == hashes[0]
    for name in ("data/a1.bmp", "mask/a1.png", "data/odd"):
        flip_a_byte(raw / name)
        hashes.append(dataset_hash(raw, layout, cache))
    (raw / "mask/a1.png").unlink()
    hashes.append(dataset_hash(raw, layout, cache))
    with (raw / "list.csv").open("a") as handle:
        handle.write("\n")
    hashes.append(dataset_hash(raw, layout, cache))
    assert len(set(hashes)) == 6
