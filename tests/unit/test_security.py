"""What SECURITY.md promises: nothing in a file is executed, and packages are pinned by hash."""

import ast
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fewlabels.core.errors import UserError
from fewlabels.data.pictures import load_mapped
from fewlabels.networks.checkpoints import load_checkpoint
from fewlabels.networks.library import build_model
from fewlabels.networks.weights import fit_state

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = [*(REPOSITORY / "scripts").rglob("*.py"), *(REPOSITORY / "examples").glob("*.py")]


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


def test_the_hostile_object_works(tmp_path):
    pickle.loads(pickle.dumps(Hostile(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("way", ["torch", "pickle", "state dict"])
def test_a_hostile_checkpoint_does_nothing(tmp_path, way):
    path, trace = tmp_path / "weights.pt", tmp_path / "trace"
    if way == "torch":
        torch.save(Hostile(trace), path)
    elif way == "state dict":
        torch.save({"state_dict": {"fc.weight": torch.ones(2)}, "metadata": Hostile(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Hostile(trace)))
    with pytest.raises(UserError, match="is no readable checkpoint") as told:
        load_checkpoint(path)
    assert not trace.exists()
    assert "delete" not in str(told.value)  # they may be the user's own weights


def test_a_hostile_array_does_nothing(tmp_path):
    path, trace = tmp_path / "cells.npy", tmp_path / "trace"
    np.save(path, np.array([Hostile(trace)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        load_mapped(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.tensor([1.0] * 999 + [float("nan")]), "fc.bias holds values that are no numbers"),
        (torch.tensor([1.0] * 999 + [float("inf")]), "fc.bias holds values that are no numbers"),
        (None, "fc.bias is a NoneType"),
        ("0.5", "fc.bias is a str"),
    ],
)
def test_weights_that_are_no_numbers_are_named(value, words):
    state = dict(build_model("torchvision/resnet18", 32).state_dict()) | {"fc.bias": value}
    with pytest.raises(UserError, match=words):
        fit_state("torchvision/resnet18", 32, state, "mine.pt")


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Every call by a name, such as ``torch.load``."""
    return [(ast.unparse(n.func), n) for n in ast.walk(tree) if isinstance(n, ast.Call)]


def constant(call: ast.Call, keyword: str) -> object:
    values = [k.value for k in call.keywords if k.arg == keyword]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def unsafe_calls(source: str) -> list[str]:
    """Calls that run what a file or a name holds."""
    found = []
    for name, call in calls(ast.parse(source)):
        last = name.rpartition(".")[2]
        unsafe = (
            name in ("eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load", "pickle.load")
            or name in ("pickle.loads", "pd.read_pickle", "joblib.load", "subprocess.getoutput")
            or (name == "torch.load" and constant(call, "weights_only") is not True)
            or (last == "load" and constant(call, "allow_pickle") is True)
            or constant(call, "shell") is True
        )
        if unsafe:
            found.append(f"{call.lineno}: {name}")
    return found


def test_no_script_runs_what_a_file_holds():
    assert len(SOURCES) > 100
    assert {str(p): f for p in SOURCES if (f := unsafe_calls(p.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "np.load(p, allow_pickle=True)",
        "subprocess.run(c, shell=True)",
        "pickle.load(f)",
        "eval(x)",
        "yaml.load(f)",
    ],
)
def test_unsafe_calls_are_found(source):
    assert len(unsafe_calls(source)) == 1


@pytest.mark.parametrize("lock", ["requirements.lock", "torch.lock", "tools.lock"])
def test_every_package_is_pinned_by_hash(lock):
    text = (REPOSITORY / "envs" / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 20
    for block in blocks:
        assert re.match(r"[a-z0-9.-]+==[^ ]+ \\\n +--hash=sha256:[0-9a-f]{64}", block), block[:80]


def test_what_security_md_names_is_there():
    page = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/.]+|envs/[\w/.]+)`", page)
    assert len(named) > 5
    assert [name for name in named if not (REPOSITORY / name).exists()] == []
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`make ([a-z-]+)`", page)
    assert targets
    assert [name for name in targets if f"\n{name}:" not in makefile] == []
