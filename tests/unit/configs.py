"""config.yaml with overlays laid over it, as Snakemake and rules/common.smk do."""

import copy
from collections.abc import Sequence

import pytest
import yaml
from builders import REPOSITORY
from snakemake.utils import update_config

from fewlabels.core.errors import UserError
from fewlabels.workflow.config_model import Config
from fewlabels.workflow.configuration import load_config
from fewlabels.workflow.experiment import Experiment, plan_experiment

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))


def laid_over(*overlays: dict) -> tuple[dict, dict]:
    """What Snakemake makes of config.yaml and of these overlays: all of it, and what is not from config.yaml."""
    whole, given = copy.deepcopy(CONFIG), {}
    for overlay in overlays:
        update_config(given, copy.deepcopy(overlay))
    update_config(whole, copy.deepcopy(given))
    return whole, given


def load(*overlays: str) -> Config:
    """Check config.yaml with these YAML texts laid over it, one by one."""
    return load_config(*laid_over(*(yaml.safe_load(text) or {} for text in overlays)))


def plan(*overlays: str) -> Experiment:
    """What the checked config asks for."""
    return plan_experiment(load(*overlays))


def complaint(overlay: str, what=plan) -> str:
    """The one line that a wrong overlay is answered with."""
    with pytest.raises(UserError) as caught:
        what(overlay)
    text = str(caught.value)
    assert text.startswith("config: ")
    assert text.count("config: ") == 1
    assert "\n" not in text
    return text


def check_complaint(overlay: str, parts: Sequence[str], what=plan) -> None:
    """The line has all of these parts."""
    line = complaint(overlay, what)
    for part in parts:
        assert part in line
