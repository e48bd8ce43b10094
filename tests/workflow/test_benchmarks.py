"""Benchmarks go on with the present scripts; what they measure on tiny images says nothing."""

import re
import sys

import pytest
from fine_tuning import draw
from machines import REPOSITORY, checked

pytestmark = pytest.mark.long

SIZE = 32


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A WBC folder: ten images to train on, five to test."""
    return draw(tmp_path_factory.mktemp("drawn"), 10, 5, SIZE)


def shown(name: str, *options: object) -> str:
    script = REPOSITORY / "benchmarks" / f"{name}.py"
    return checked(sys.executable, script, "--size", str(SIZE), *map(str, options))


def test_fine_tuning_against_the_plain_loop(raw):
    options = ["--data", raw, "--arms", "resnet", "--epochs", 2, "--plain-epochs", 1]
    ratios = re.findall(r"plain / ours: ([0-9.]+)\n", shown("fine_tuning", *options))
    assert len(ratios) == 2
    assert all(float(ratio) > 0 for ratio in ratios)


def test_a_run_with_few_labels_against_its_floor():
    lines = shown(
        "few_label_run", "--labels", 5, "--test", 5, "--repeats", 1, "--sample", 1
    ).splitlines()
    spent = re.fullmatch(r"start-up ([0-9.]+) s, floor ([0-9.]+) s, run ([0-9.]+) s", lines[-2])
    start_up, floor, run = map(float, spent.groups())
    assert 0 < start_up < run
    # The line before is rounded.
    ratio = float(lines[-1].removeprefix("(run - start-up) / floor: "))
    assert ratio == pytest.approx((run - start_up) / floor, rel=0.2)
