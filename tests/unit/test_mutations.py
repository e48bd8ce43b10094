"""The list of faults that tests must notice: each can still be made, and names tests that there are.

`make test-mutations` makes them.
"""

import ast
from collections import Counter

import pytest
from builders import REPOSITORY
from mutations.run_faults import Fault, read_faults

FAULTS = read_faults()


def test_there_are_many_faults_of_all_parts():
    assert len(FAULTS) >= 100
    names = Counter(fault.name for fault in FAULTS)
    assert [name for name, count in names.items() if count > 1] == []
    parts = {"statistics", "data/subsets", "training", "label_efficiency", "reporting", "rules/"}
    files = " ".join(fault.file for fault in FAULTS)
    assert [part for part in parts if part not in files] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_made(fault):
    path = REPOSITORY / fault.file
    changed = fault.applied(path.read_text(encoding="utf-8"))
    assert fault.old != fault.new
    if path.suffix == ".py":
        # A file that can't be read would be noticed by any test.
        ast.parse(changed)
    assert fault.tests
    assert [name for name in fault.tests if not (REPOSITORY / "tests" / name).is_file()] == []


def test_a_text_that_stands_there_twice_is_no_fault():
    fault = Fault("both", "a.py", "x", "y", ())
    assert fault.applied("1 x 2") == "1 y 2"
    for text in ("x x", "none"):
        with pytest.raises(ValueError, match=r"both: a\.py holds its text [02] times"):
            fault.applied(text)
