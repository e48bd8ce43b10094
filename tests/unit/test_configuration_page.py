"""docs/configuration.md says what the classes say, of every key, and its examples are true."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
import yaml
from builders import REPOSITORY
from pydantic import Field

from fewlabels.core.settings import Section, Seed
from fewlabels.workflow.config_model import Config
from fewlabels.workflow.configuration import load_config
from fewlabels.workflow.configuration_page import all_keys, keys_of, kind_of, main, page, shown
from fewlabels.workflow.experiment import plan_experiment

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
PAGE = (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8")
KEYS = all_keys()
EXAMPLES = dict(re.findall(r"^### ([^\n]+)\n\n```yaml\n(.*?)^```$", PAGE, re.S | re.M))


def planned(overlay: str):
    return plan_experiment(load_config(CONFIG, yaml.safe_load(overlay)))


def test_the_page_is_what_the_classes_say():
    assert page() == PAGE, "run `make configuration`"


def test_the_page_is_written_where_it_is_asked_for(tmp_path):
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()


def test_every_key_has_a_meaning():
    assert len(KEYS) > 100
    assert [key.path for key in KEYS if len(key.meaning) < 3] == []


def test_every_key_has_a_row_of_the_page():
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.M)
    assert sorted(rows) == sorted(key.path for key in KEYS)


def paths_of(value: object, path: str = "") -> Iterator[str]:
    """The keys of a config file, as the page names them."""
    if not isinstance(value, dict) or path in {key.path for key in KEYS}:
        yield path
        return
    named = path in ("datasets", "external", "backbones", "pretraining", "arms")
    for key, below in value.items():
        yield from paths_of(below, f"{path}.{'<name>' if named else key}".lstrip("."))


def test_every_key_of_the_config_file_is_on_the_page():
    """Of the encoders of an arm, a list, the page names the keys by their place."""
    listed = {key.path for key in KEYS} | {"arms.<name>.encoders", "external"}
    found = set(paths_of(CONFIG))
    assert len(found) > 80
    assert found - listed == set()


def test_defaults_are_those_of_the_config_file_or_the_class():
    default_of = {key.path: key.default for key in KEYS if not key.method}
    assert default_of["images.size"] == f"`{CONFIG['images']['size']}`"
    assert default_of["training.defaults.optimizer"] == "`adamw`"
    assert default_of["datasets.<name>.folder"] == "`null`"
    assert default_of["arms.<name>.masks"] == "required"


def test_a_new_key_and_its_limits_come_out():
    class Inner(Section):
        share: float = Field(gt=0, lt=1, description="how much")
        seeds: list[Seed] = Field([1], description="of | all")

    class Outer(Section):
        inner: Inner
        kind: Literal["a", "b"] | None = None

    share, seeds, kind = keys_of(Outer, "", {"inner": {"share": 0.25}})
    assert (share.path, share.kind) == ("inner.share", "number, above 0, below 1")
    assert (share.default, share.meaning) == ("`0.25`", "how much")
    assert (seeds.kind, seeds.default) == ("list: whole number, 0 to 4294967295", "`[1]`")
    assert (kind.path, kind.kind, kind.meaning) == ("kind", "`a`, `b`; null", "")


def test_kinds_in_words():
    assert kind_of(dict[str, float | bool]) == "map to number; true, false"
    assert kind_of(Annotated[int, Field(ge=2, multiple_of=2)]) == (
        "whole number, at least 2, a multiple of 2"
    )
    assert shown({"a": [1, None]}) == "{a: [1, null]}"


def test_the_examples_were_found():
    assert len(EXAMPLES) == PAGE.count("```yaml") >= 10


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_is_a_config_that_can_be_planned(title):
    experiment = planned(EXAMPLES[title])
    assert experiment.runs
    assert set(yaml.safe_load(EXAMPLES[title])) <= set(Config.model_fields)


def example(start: str):
    [title] = [title for title in EXAMPLES if title.startswith(start)]
    return planned(EXAMPLES[title])


def test_examples_of_a_target_alone_need_no_other_data_set():
    assert example("Your own folders").datasets == ["smears"]
    assert example("torchvision's ImageFolder").datasets == ["cells"]
    assert example("A table").datasets == ["biopsies"]
    assert example("No test images").datasets == ["cells"]


def test_examples_of_sources_and_backbones_need_what_they_declare():
    source = example("A further source")
    assert source.datasets == ["wbc", "kidney"]
    assert list(source.pretraining) == ["kidney_autoencoder"]
    assert {"convnext", "vit"} <= set(example("Another backbone").backbones)
    assert "cam16_then_prcc" in example("Chains").pretraining


def test_the_example_of_steps_changes_every_arm():
    arms = example("Enough steps").arms
    assert {name: arm.training.min_steps for name, arm in arms.items()} == {
        "resnet": 300,
        "lite": 300,
    }
    assert arms["lite"].training.batch_size != arms["resnet"].training.batch_size


def test_the_example_of_null_takes_entries_away():
    [text] = [text for title, text in EXAMPLES.items() if title.startswith("Replace")]
    config = load_config(CONFIG, yaml.safe_load(text))
    assert set(config.datasets) == {"wbc", "prcc"}
    assert (config.datasets["wbc"].aliases, config.datasets["wbc"].masks) == ({}, None)
    assert {"combinedNet", "combinedNetClustered"} & set(config.arms) == set()
    assert (config.table.reported, set(config.table.figures)) == ({}, {"figure4"})
