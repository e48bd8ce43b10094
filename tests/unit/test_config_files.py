"""Config files: what YAML swallows, and what is no YAML, is one line with file, key or line, and remedy."""

import subprocess
import sys

import pytest
import yaml
from builders import REPOSITORY
from snakemake.common import configfile
from snakemake.settings import types

from fewlabels.core.errors import UserError
from fewlabels.workflow.config_files import (
    PATHVARS,
    check_config_files,
    read_config_file,
    read_strictly,
    without_empty,
)
from fewlabels.workflow.config_model import Paths


@pytest.fixture
def write(tmp_path):
    """Writes a config file of some text or bytes, and gives its path."""

    def write(content: str | bytes, name: str = "mine.yaml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    ["", "# a remark\n", "null\n", "{}", "---\n", b"\xef\xbb\xbf", "\n\n"],
)
def test_an_empty_file_changes_nothing(write, content):
    assert read_config_file(write(content)) == {}


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("images: {size: 64}\n", {"images": {"size": 64}}),
        (b"\xef\xbb\xbfimages: {size: 64}\r\n", {"images": {"size": 64}}),
        ("arms: {resnet: {title: Zellen für}}", {"arms": {"resnet": {"title": "Zellen für"}}}),
        ('{"a": [1, {"b": null}],\n\t"c": 1e-3}', {"a": [1, {"b": None}], "c": 0.001}),
        ('{"a": 1,}', {"a": 1}),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}),
        ("a: &a {x: 1}\nb: *a\n", {"a": {"x": 1}, "b": {"x": 1}}),
        ("50: half\n0.5: few\n", {50: "half", 0.5: "few"}),
        ("a: [0, -1, 0.5, 10, '01', 'a:b']", {"a": [0, -1, 0.5, 10, "01", "a:b"]}),
    ],
)
def test_yaml_and_json_are_read(write, content, values):
    assert read_config_file(write(content)) == values


def test_config_yaml_and_all_overlays_are_read_as_by_others():
    paths = [REPOSITORY / "config.yaml", REPOSITORY / "demo.yaml", *REPOSITORY.glob("overlays/*")]
    for path in paths:
        assert read_config_file(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        # Keys.
        ("a: 1\nb: 2\na: 3\n", ", lines 1 and 3: the key 'a' stands there twice: keep one"),
        (
            "training:\n  classification: {epochs: 3}\n  classification: {batch_size: 8}\n",
            ", lines 2 and 3: the key 'training.classification' stands there twice",
        ),
        ("a:\n- b: 1\n  b: 2\n", ", lines 2 and 3: the key 'a.0.b' stands there twice"),
        ("given: {50: a, '50': b}", ", lines 1 and 1: the key 'given.50' stands there twice"),
        ("given: {0.50: a,\n 0.5: b}", ", lines 1 and 2: the key 'given.0.5' stands there twice"),
        ('{"a": {"b": 1, "b": 2}}', ": the key 'b' stands twice in one section: keep one"),
        ("a: &a {b: *a}", ": the key 'a.b' holds itself: mend its alias"),
        ("a: 1\nyes: 2", ", line 2: the key yes is no text: put it in quotes"),
        ("? [a, b]\n: 2", ", line 1: the key in brackets is no text"),
        # The top level.
        ("- a\n- b\n", " holds a list: it must hold keys and values"),
        ("[]", " holds a list"),
        ("hello\n", " holds a single value: it must hold keys and values"),
        ('"hello"', " holds a single value"),
        ("a: 1\n---\nb: 2\n", ", line 2: this is no YAML (expected a single document"),
        # Text.
        ("a:\n\tb: 1\n", ", line 2: it is indented by a tab: indent by spaces"),
        ("a:\n  b: 1\n \tc: 1\n", ", line 3: it is indented by a tab"),
        ("x: 1\na: 'b\nc: d\n", ", line 2: this is no YAML (while scanning a quoted scalar"),
        ("a: {b: 1\n", ", line 2: this is no YAML"),
        ("a: b: c\n", ", line 1: this is no YAML (mapping values are not allowed here): mend it"),
        ("a: !!python/name:os.system x\n", ", line 1: this is no YAML (could not determine"),
        (b'a: "\x00"\n', " is no YAML (unacceptable character #x0000"),
        # Encodings.
        ("a: b\nt: für".encode("latin-1"), ", line 2: its text is not encoded in UTF-8: save it"),
        ("a: für".encode("utf-16"), ", line 1: its text is not encoded in UTF-8"),
        ('{"a": "für"}'.encode("latin-1"), ", line 1: its text is not encoded in UTF-8"),
        # Numbers of other bases.
        ("classes: [01, 02]", ", line 1: 01 would be read as the number 1: put it in quotes"),
        ("epochs: 010", ", line 1: 010 would be read as the number 8"),
        ("a:\n  t: 1:30", ", line 2: 1:30 would be read as the number 90"),
        ("given: {010: a}", ", line 1: 010 would be read as the number 8"),
        # What Snakemake reads of it.
        ("pathvars: 5", ": the key 'pathvars' must hold keys and values"),
        ("pathvars: {Results: a}", ": the key 'pathvars.Results' is unknown: did you mean 'res"),
        ("pathvars: {results: 5}", ": the key 'pathvars.results' is 5: give a folder"),
        ("pathvars: {logs: null}", ": the key 'pathvars.logs' is null: give a folder"),
        ("pathvars: {results: <results>/x}", ": the key 'pathvars.results' is '<results>/x', with"),
        ("pathvars: {results: <logs>/x}", "with <logs>: only logs and benchmarks may name another"),
        ("pathvars: {logs: <benchmarks>}", "with <benchmarks>: only logs and benchmarks may"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_place(write, content, told):
    path = write(content)
    with pytest.raises(UserError) as caught:
        read_config_file(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert told in text
    assert "\n" not in text


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"config file .*none\.yaml does not exist: mend its name"):
        read_config_file(tmp_path / "none.yaml")
    with pytest.raises(UserError, match=r"config file .* can't be read"):
        read_config_file(tmp_path)


def test_pathvars_are_those_of_the_config():
    assert set(PATHVARS) == set(Paths.model_fields)


def test_jobs_on_other_machines_get_no_empty_files(write):
    """Snakemake refuses them there."""
    full, empty = write("a: 1"), write("# nothing", "empty.yaml")
    assert without_empty([full, empty]) == [full]


def test_files_that_snakemake_read_in_its_own_way_are_checked(write):
    check_config_files([write("a: 1"), write("", "empty.yaml")])
    with pytest.raises(UserError, match=r"^config: .*twice"):
        check_config_files([write("a: 1\na: 2")])


def test_snakemake_reads_as_we_do(write, monkeypatch):
    """The names that are replaced are those that Snakemake calls."""
    for module in (configfile, types):
        monkeypatch.setattr(module, "load_configfile", module.load_configfile)
    read_strictly()
    assert types.ConfigSettings(configfiles=[write("# nothing")]).overwrite_config == {}
    with pytest.raises(SystemExit, match=r"^error: config: .*mine\.yaml holds a list"):
        types.ConfigSettings(configfiles=[write("[]")])
    with pytest.raises(SystemExit, match="'a' stands there twice"):
        configfile.load_configfile(write("a: 1\na: 2"))


def hook(name: str) -> tuple[object, str]:
    """What a profile does before config files are read."""
    profile = yaml.safe_load((REPOSITORY / f"profiles/{name}/config.yaml").read_text())
    [program] = profile["__definitions__"]
    return profile["__use_yte__"], program


def test_every_profile_has_them_read_so():
    """Profiles are what Snakemake reads before config files, and do not merge."""
    assert hook("default") == hook("apptainer") == hook("slurm")


@pytest.mark.parametrize(
    ("folder", "words"), [(REPOSITORY, []), ("/", [f"--snakefile={REPOSITORY}/Snakefile"])]
)
def test_a_profile_finds_the_reader_from_anywhere(folder, words):
    use_yte, program = hook("default")
    assert use_yte is True
    program += "\nfrom snakemake.settings import types\nprint(types.load_configfile.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=folder, capture_output=True, text=True
    )
    assert done.stdout == "fewlabels.workflow.config_files\n", done.stderr
