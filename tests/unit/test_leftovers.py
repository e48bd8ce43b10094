"""Half files of dead processes and states that nobody goes on with are removed, and nothing else is."""

import os
import subprocess
import sys

from fewlabels.core.failed_runs import Failure
from fewlabels.core.files import atomic_path, writer_of
from fewlabels.core.processes import host_name
from fewlabels.core.state_files import KEY_DIGITS, state_file, states_of, training_of
from fewlabels.workflow.leftovers import OLD, noted_states, remove_leftovers

KEY = "0123456789abcdef"


def test_half_files_go_once_nobody_writes_them(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    folder = tmp_path / "models/replicate1"
    with atomic_path(folder / "resnet_wbc_0.5.pt") as temporary:
        assert writer_of(temporary.name) == (os.getpid(), host_name())
        temporary.write_text("half")
        dead = folder / temporary.name.replace(f".{os.getpid()}@", f".{process.pid}@")
        elsewhere, old = (
            folder / temporary.name.replace(f"@{host_name()}", f"@{name}") for name in ("a", "b")
        )
        for path in (dead, elsewhere, old):
            path.write_text("half")
        os.utime(old, (old.stat().st_mtime - OLD - 60,) * 2)
        assert remove_leftovers(tmp_path, []) == 2
        assert temporary.exists() and elsewhere.exists()
        assert not dead.exists() and not old.exists()
    assert (folder / "resnet_wbc_0.5.pt").read_text() == "half"


def test_states_go_whose_training_is_no_longer_wanted(tmp_path):
    folder = tmp_path / "unfinished"
    kept = [state_file(folder / name, KEY) for name in ("replicate1/a_wbc_0.5", "resnet_cam16")]
    gone = [
        state_file(folder / name, KEY) for name in ("replicate1/a_wbc_0", "replicate2/a_wbc_0.5")
    ]
    model = tmp_path / "models/replicate2/a_wbc_0.5.pt"
    for path in (*kept, *gone, model):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("state")
    assert remove_leftovers(tmp_path, ["replicate1/a_wbc_0.5", "resnet_cam16"]) == 2
    assert all(path.exists() for path in [*kept, model])
    assert not any(path.exists() for path in gone)


def test_a_state_that_is_being_written_stays(tmp_path):
    path = state_file(tmp_path / "unfinished/replicate1/a_wbc_0.5", KEY)
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert remove_leftovers(tmp_path, []) == 0
    assert remove_leftovers(tmp_path, []) == 1


def test_states_of_a_training_are_those_of_its_name_alone(tmp_path):
    mine = tmp_path / "a_wbc_0"
    for name in ("a_wbc_0", "a_wbc_0.5", "xa_wbc_0"):
        state_file(tmp_path / name, KEY).write_text("state")
    (tmp_path / "a_wbc_0.pt").write_text("no state")
    assert len(KEY) == KEY_DIGITS
    assert states_of(mine) == [state_file(mine, KEY)]
    assert training_of(tmp_path / "a_wbc_0.pt") is None
    assert states_of(tmp_path / "nowhere/a") == []


def test_states_go_once_the_results_are_noted(tmp_path):
    masks = "predicted_masks/replicate1/wbc_10"
    names = ("replicate1/a_wbc_0.5", "replicate1/b_wbc_0.5", "cam16", "running", masks)
    paths = {name: state_file(tmp_path / "unfinished" / name, KEY) for name in names}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("state")
    (tmp_path / "unfinished/notes.pt").write_text("no state")
    # One that failed may be tried again.
    Failure("error: no", ("a", "b"), 1).write_record(tmp_path / f"records/{names[1]}.json")
    noted = [*(tmp_path / f"models/{name}.pt" for name in names[:3]), tmp_path / f"{masks}.pt"]
    found = noted_states(tmp_path, lambda checkpoint: checkpoint in noted)
    assert sorted(found) == sorted([paths[names[0]], paths["cam16"], paths[masks]])
    assert noted_states(tmp_path / "elsewhere", lambda _: True) == []
