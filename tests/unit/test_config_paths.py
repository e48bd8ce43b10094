"""Paths of the config: ~ and $VARIABLES are expanded in every one, once."""

import pytest
from configs import complaint, load

from fewlabels.core.config_paths import expand_path
from fewlabels.workflow.configuration import external_layout


@pytest.fixture(autouse=True)
def home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("CELLS", "/disk/cells")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("TILDE", "~")
    monkeypatch.delenv("NOPE", raising=False)


@pytest.mark.parametrize(
    ("path", "expanded"),
    [
        ("data/a b", "data/a b"),
        ("~", "/home/me"),
        ("~/cells", "/home/me/cells"),
        ("$CELLS/a", "/disk/cells/a"),
        ("${CELLS}2/$HOME", "/disk/cells2//home/me"),
        ("a~b/~", "a~b/~"),
        ("./~x", "./~x"),
        ("$TILDE/a", "~/a"),
        ("cost$$HOME", "cost$HOME"),
        ("5$", "5$"),
        ("$5", "$5"),
        ("a{2}$-", "a{2}$-"),
    ],
)
def test_expansion(path, expanded):
    assert expand_path(path) == expanded


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("$NOPE/a", r"the variable \$NOPE in '\$NOPE/a' is not set: set it, or write \$\$ for a"),
        ("a/${NOPE}", r"the variable \$NOPE in"),
        ("$EMPTY/a", r"the variable \$EMPTY in"),
        ("~nobody-of-this-name/a", "there is no user ~nobody-of-this-name: mend it, or write ./~n"),
    ],
)
def test_what_cannot_be_expanded_is_refused(path, told):
    with pytest.raises(ValueError, match=told):
        expand_path(path)


#: Key -> overlay that gives it a path, and where it arrives.
PLACES = {
    "data_root": ("data_root: PATH", lambda c: c.data_root),
    "pathvars.results": ("pathvars: {results: PATH}", lambda c: c.pathvars.results),
    "pathvars.logs": ("pathvars: {logs: PATH}", lambda c: c.pathvars.logs),
    "pathvars.benchmarks": ("pathvars: {benchmarks: PATH}", lambda c: c.pathvars.benchmarks),
    "pathvars.resources": ("pathvars: {resources: PATH}", lambda c: c.pathvars.resources),
    "datasets.wbc.folder": ("datasets: {wbc: {folder: PATH}}", lambda c: c.datasets["wbc"].folder),
    "datasets.mine.table": (
        "datasets: {mine: {table: PATH, classes: [a, b]}}",
        lambda c: c.datasets["mine"].table,
    ),
    "datasets.prcc.true_types": (
        "datasets: {prcc: {true_types: PATH}}",
        lambda c: c.datasets["prcc"].true_types,
    ),
    "external.TestA.folder": (
        "external: {TestA: {folder: PATH}}",
        lambda c: external_layout(c, c.external["TestA"]).folder,
    ),
    "external.TestA.table": (
        "external: {TestA: {table: PATH}}",
        lambda c: external_layout(c, c.external["TestA"]).table,
    ),
    "subsets.given.10": ("subsets: {given: {10: PATH}}", lambda c: c.subsets.given["10"]),
    "backbones.imagenet_vgg16.weights": (
        "backbones: {imagenet_vgg16: {weights: PATH}}",
        lambda c: c.backbones["imagenet_vgg16"].file,
    ),
    "containers.torch": ("containers: {torch: PATH}", lambda c: c.containers.torch),
    "containers.tools": ("containers: {tools: PATH}", lambda c: c.containers.tools),
}


@pytest.mark.parametrize("key", PLACES)
def test_every_path_of_the_config_is_expanded(key):
    overlay, value = PLACES[key]
    for given, expanded in (("~/a", "/home/me/a"), ("$CELLS/a", "/disk/cells/a")):
        assert value(load(overlay.replace("PATH", f"'{given}'"))) == expanded


@pytest.mark.parametrize("key", PLACES)
def test_a_variable_that_is_not_set_is_named_with_its_key(key):
    line = complaint(PLACES[key][0].replace("PATH", "'$NOPE/a'"), load)
    assert line.startswith(f"config: key '{key}': the variable $NOPE in '$NOPE/a' is not set")


def test_a_path_is_expanded_once():
    """Scripts get it as it is then, and may read it by the same class."""
    layout = load("datasets: {wbc: {folder: '$$HOME/a'}}").datasets["wbc"]
    assert layout.folder == "$HOME/a"
    assert type(layout).from_json(layout.model_dump_json()).folder == "$HOME/a"


def test_texts_that_are_no_paths_stay():
    config = load("arms: {resnet: {title: ~/x $HOME}}\ndatasets: {wbc: {title: $NOPE}}")
    assert config.arms["resnet"].title == "~/x $HOME"
    assert config.datasets["wbc"].title == "$NOPE"
