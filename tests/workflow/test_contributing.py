"""The way of pretraining that CONTRIBUTING.md adds as an example works as it stands there."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: First line of a block, which names its file -> the block.
BLOCKS = {
    name: textwrap.dedent(block)
    for block, name in re.findall(
        r"^ *```(?:python|yaml)\n( *# ([\w/.]+)\n.*?)^ *```$", TEXT, re.S | re.M
    )
}
SETTINGS = "scripts/fewlabels/pretraining/settings.py"
TEST = "tests/unit/test_pretrain_magnification.py"


@pytest.fixture
def extended(make_copy):
    """A copy of the repository with the example in it, done by the four steps of the text."""
    workflow = make_copy()
    shutil.copytree(REPOSITORY / "tests/unit", workflow.folder / "tests/unit", dirs_exist_ok=True)
    shutil.copy2(REPOSITORY / "tests/heeded_signals.py", workflow.folder / "tests")
    shutil.copy2(REPOSITORY / "pyproject.toml", workflow.folder)
    for name, block in BLOCKS.items():
        if name != SETTINGS:
            (workflow.folder / name).write_text(block)
    joined = re.search(r"`AnyPretraining`: `([^`]+)`", TEXT)[1]
    path = workflow.folder / SETTINGS
    text = path.read_text()
    assert text.count("AnyPretraining = ") == 1
    text = text.replace("AnyPretraining = ", f"{BLOCKS[SETTINGS]}\n\nAnyPretraining = ")
    old = joined.removesuffix(" | Magnification")
    assert old != joined
    assert text.count(old) == 1
    path.write_text(text.replace(old, joined))
    return workflow


def test_the_blocks_were_found():
    method = "scripts/fewlabels/pretraining/magnification.py"
    assert set(BLOCKS) == {SETTINGS, method, TEST, "magnification.yaml"}


def test_its_test_passes(extended):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", TEST, "-q"],
        cwd=extended.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "2 passed" in done.stdout


def test_its_rule_follows_from_the_class(extended):
    overlays = ("tests/tiny.yaml", "magnification.yaml")
    jobs = extended.planned("magnification.yaml")
    assert jobs["pretrain_prcc_scale"] == 1
    assert jobs["train_classifier"] == 4
    assert "pretrain_resnet_cam16" not in jobs
    command = extended.snakemake("-n", "-p", "--configfile", *overlays).stdout
    [line] = [line for line in command.splitlines() if "pretrain.py magnification" in line]
    assert "--factors 1 2 4" in line
    assert "--checkpoint=results/models/prcc_scale.pt" in line


def test_the_library_lists_the_method(extended):
    done = subprocess.run(
        [sys.executable, "scripts/pretrain.py", "--help"],
        cwd=extended.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "magnification A classifier that tells by how much" in " ".join(done.stdout.split())
