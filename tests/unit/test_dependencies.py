"""What a rule depends on is what its script really loads."""

import json
import os
import subprocess
import sys

import pytest
from builders import REPOSITORY, SCRIPTS

from fewlabels.workflow.dependencies import modules_of

FOLDER = REPOSITORY / "scripts"
#: Script -> modules that it imports within a function, when it comes to them.
LATE = {
    "doctor": [
        f"fewlabels.workflow.{name}"
        for name in ("disk_needs", "experiment", "given_config", "input_checks", "raw_data")
    ],
    "train_classifier": ["fewlabels.training.light_classifiers"],
}
PROGRAM = """
import importlib, json, sys
loaded, late = {}, json.loads(sys.argv[1])
for script in sys.argv[2:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "fewlabels"]:
        del sys.modules[name]
    importlib.import_module(script)
    for name in late.get(script, []):
        importlib.import_module(name)
    loaded[script] = sorted(
        module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "fewlabels"
    )
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Script -> files of the library that Python loads for it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(LATE), *SCRIPTS],
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("script", SCRIPTS)
def test_modules_are_those_that_python_loads(loaded, script):
    found = modules_of(FOLDER / f"{script}.py", FOLDER / "fewlabels")
    assert [str(path) for path in found] == loaded[script]


def write(folder, **sources: str) -> None:
    (folder / "library").mkdir()
    (folder / "library/__init__.py").touch()
    for name, source in sources.items():
        path = folder / ("script.py" if name == "script" else f"library/{name}.py")
        path.write_text(source)


def names(folder) -> list[str]:
    return [path.stem for path in modules_of(folder / "script.py", folder / "library")]


@pytest.mark.parametrize(
    "statement",
    [
        "import library.a",
        "from library import a",
        "from library.a import thing",
        "import os, library.a as other",
        "def late():\n    from library.a import thing",
    ],
)
def test_every_form_of_import(tmp_path, statement):
    write(tmp_path, script=statement, a="import os", b="import os")
    assert names(tmp_path) == ["__init__", "a"]


def test_imports_are_followed_in_circles_too(tmp_path):
    write(
        tmp_path,
        script="import library.a",
        a="import library.b",
        b="from library import c",
        c="import library.a",
    )
    assert names(tmp_path) == ["__init__", "a", "b", "c"]


def test_modules_that_are_loaded_by_name_are_told(tmp_path):
    write(tmp_path, script="import library.a", a="", b="import library.c", c="", d="")
    folder = tmp_path / "library"
    found = modules_of(tmp_path / "script.py", folder, folder / "b.py")
    assert [path.stem for path in found] == ["__init__", "a", "b", "c"]


def test_a_script_without_the_library_has_no_modules(tmp_path):
    write(tmp_path, script="import os\nfrom wbcs import a", a="")
    assert names(tmp_path) == []


def test_independence_of_scripts():
    """Drawing subsets must not be rerun by an edit of the networks."""
    modules = modules_of(FOLDER / "draw_subsets.py", FOLDER / "fewlabels")
    assert "subsets" in {path.stem for path in modules}
    assert {path.parent.name for path in modules} <= {"fewlabels", "core", "data"}


@pytest.mark.parametrize(
    "script",
    [name for name in SCRIPTS if name.startswith(("train_", "cache_", "pretrain", "apply_"))],
)
def test_nothing_decodes_an_image_file_after_packing(loaded, script):
    """Files are opened by fewlabels.data.image_files alone; tests say that each is opened once by who does so."""
    assert "image_files.py" not in [os.path.basename(path) for path in loaded[script]]


def test_image_files_are_opened_in_one_module():
    opening = [
        path.name
        for path in sorted(FOLDER.rglob("*.py"))
        if "Image.open(" in path.read_text(encoding="utf-8")
    ]
    assert opening == ["image_files.py"]
