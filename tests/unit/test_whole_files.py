"""Every kind of writer, where the disk takes no more: one line, no half file, the old file stays."""

import contextlib
import errno
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from export_model import write_bytes
from fewlabels.core import files
from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UnwritableError
from fewlabels.core.files import atomic_path, remedy_of, write_csv, write_json, write_text
from fewlabels.data.mapped_arrays import new_array
from fewlabels.networks.checkpoints import save_checkpoint
from fewlabels.reporting.figures import save_figure
from fewlabels.training.unfinished import Unfinished

LARGE = 200_000
LIMIT = 4096
TENSOR = {"weight": torch.arange(LARGE, dtype=torch.float32)}


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files can't grow over a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal, so that writing gives an error instead.
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def draw(path):
    figure, axes = plt.subplots()
    axes.imshow(np.random.default_rng(0).random((60, 60)))
    save_figure(figure, path)


def fill(path):
    with atomic_path(path) as temporary:
        new_array(temporary, (LARGE,), np.uint8)[:] = 1


def keep(path):
    unfinished = Unfinished(path)
    unfinished.save(TENSOR)


WRITERS = {
    "table.csv": lambda path: write_csv(path, ["a"], ({"a": 1.5} for _ in range(LARGE))),
    "facts.json": lambda path: write_json(path, list(range(LARGE))),
    "report.html": lambda path: write_text(path, "x" * LARGE),
    "network.pt": lambda path: save_checkpoint(path, TENSOR, {}),
    "state.pt": keep,
    "figure.png": draw,
    "figure.svg": draw,
    "array.npy": fill,
    "network.onnx": lambda path: write_bytes(path, b"x" * LARGE),
    "network.safetensors": lambda path: write_bytes(path, b"x" * LARGE),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_cannot_be_written_whole_is_not_written(name, tmp_path):
    path = tmp_path / name
    with largest_file(LIMIT), pytest.raises(UnwritableError, match=r"ulimit -f") as told:
        WRITERS[name](path)
    assert str(told.value).startswith(f"{path} can't be written: ")
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []
    # Once there is room, it is written; later the old one stays.
    WRITERS[name](path)
    before = path.read_bytes()
    assert len(before) > LIMIT
    with largest_file(LIMIT), pytest.raises(UnwritableError):
        WRITERS[name](path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def error_of(number: int, name: str | None = None) -> OSError:
    return OSError(number, "text", name)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: make room"),
        (errno.EDQUOT, "your quota on this disk is used up: make room"),
        (errno.EROFS, "the disk is mounted read-only: mount it for writing, or change pathvars"),
    ],
)
def test_what_is_wrong_with_the_disk_is_told(number, words, tmp_path):
    with pytest.raises(UnwritableError) as told, atomic_path(tmp_path / "a.csv"):
        raise error_of(number)
    assert str(told.value) == f"{tmp_path / 'a.csv'} can't be written: {words}, then run again"


def test_spent_inodes_are_no_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "has_no_inodes", lambda path: path.parent == tmp_path)
    assert "inodes" in remedy_of(error_of(errno.ENOSPC), tmp_path / "a.csv")
    assert remedy_of(error_of(errno.ENOSPC), tmp_path / "below" / "a.csv").startswith("the disk is")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_only_the_folder_that_is_written_to_is_blamed(number, tmp_path):
    path = tmp_path / "new" / "a.csv"
    for name in (path, tmp_path / "new", tmp_path):
        assert remedy_of(error_of(number, str(name)), path).startswith("its folder may not be")
    for name in (None, "other.csv", str(tmp_path / "new" / "image.png")):
        assert remedy_of(error_of(number, name), path) == ""


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO, None])
def test_other_errors_stay_what_they_are(number, tmp_path):
    error = OSError("text") if number is None else error_of(number)
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "a.csv"):
        raise error
    assert raised.value is error


def test_a_file_where_a_folder_must_be_is_no_matter_of_room(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError), atomic_path(tmp_path / "file" / "deep" / "a.csv"):
        pytest.fail("the folder can't be made")


def test_a_full_disk_below_something_else_ends_in_one_line(capsys):
    """As the log's, to which progress is written."""

    def run(_):
        raise error_of(errno.ENOSPC)

    assert run_script(run, make_parser("x"), []) == 1
    assert capsys.readouterr().err == "error: the disk is full: make room, then run again\n"

    def other(_):
        raise error_of(errno.ENOENT)

    with pytest.raises(FileNotFoundError):
        run_script(other, make_parser("x"), [])


PLAIN_MAP = "import numpy as np, sys; np.lib.format.open_memmap(sys.argv[1], 'w+', np.uint8, (9,))"


def test_a_new_array_is_a_plain_file(tmp_path):
    new_array(tmp_path / "ours.npy", (9,), np.uint8)
    command = [sys.executable, "-c", PLAIN_MAP, str(tmp_path / "plain.npy")]
    subprocess.run(command, check=True)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "plain.npy").read_bytes()
    assert np.load(tmp_path / "ours.npy").tolist() == [0] * 9
