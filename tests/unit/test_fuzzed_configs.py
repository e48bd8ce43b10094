"""A config with anything in it is accepted, or answered with one line that names a key."""

import copy
import datetime
import json
from typing import Any

import pytest
import yaml
from configs import CONFIG, laid_over
from hypothesis import given, settings
from hypothesis import strategies as st

from fewlabels.core.errors import LONGEST, UserError, did_you_mean
from fewlabels.core.settings import number_label
from fewlabels.workflow.config_files import read_config_file
from fewlabels.workflow.config_values import MOST, check_values
from fewlabels.workflow.configuration import load_config
from fewlabels.workflow.experiment import plan_experiment

#: What people and programs write, and no parser expects.
ODD_TEXTS = [
    *("", " ", "nan", "-inf", "1e999", "0x10", "1_000", "null", "true", "off", "auto", "all"),
    *("..", "/", "-x", "~nobody_at_all", "$UNSET_VARIABLE", "{class}", "{", "<results>", "a\nb"),
    *("\0", "\ud800", "\x1b[31m", "\u202e", "e\u0301", "\U0001f52c", "x" * 5000, "(" * 200),
    "(?P<slide>" * 150,
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**63 - 1, 2**64, 10**400]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(ODD_TEXTS),
    st.sampled_from([datetime.date(2020, 1, 1), b"\xff"]),
)
KEYS = st.one_of(st.text(max_size=8), st.sampled_from(ODD_TEXTS), st.integers(), st.floats())
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def places_in(value: Any, above: tuple = ()) -> list[tuple]:
    """The ways to everything below a section, by keys and numbers."""
    steps = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        steps = enumerate(value)
    found = []
    for step, below in steps:
        found += [(*above, step), *places_in(below, (*above, step))]
    return found


PLACES = places_in(CONFIG)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(["replace", "misspell", "take away", "put beside", "wrap", "swap"]),
        JUNK,
        KEYS,
        st.sampled_from(PLACES),
    ),
    min_size=1,
    max_size=3,
)


def value_at(config: Any, place: tuple) -> Any:
    """What lies at a place; None where an earlier change took it away."""
    for step in place:
        try:
            config = config[step]
        except (KeyError, IndexError, TypeError):
            return None
    return config


def change(config: dict, place: tuple, kind: str, junk: Any, key: Any, other: tuple) -> None:
    """One mutation in place."""
    holder, step = value_at(config, place[:-1]), place[-1]
    if not isinstance(holder, dict) or step not in holder:
        return
    if kind == "replace":
        holder[step] = junk
    elif kind == "misspell":
        holder[f"{str(step)[1:]}{str(step)[:1]}"] = holder.pop(step)
    elif kind == "take away":
        del holder[step]
    elif kind == "put beside":
        holder[key] = junk
    elif kind == "wrap":
        holder[step] = [holder[step]]
    else:
        holder[step] = copy.deepcopy(value_at(config, other))


def check_line(error: UserError) -> None:
    line = str(error)
    assert line.isprintable()
    assert line.startswith("config: ")
    assert "key" in line or "the top level" in line
    assert len(line) <= LONGEST + 5


@settings(max_examples=50, deadline=None, derandomize=True)
@given(CHANGES)
def test_any_change_of_the_config_is_accepted_or_one_line(changes):
    config = copy.deepcopy(CONFIG)
    for one in changes:
        change(config, *one)
    try:
        plan_experiment(load_config(config))
    except UserError as error:
        check_line(error)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(PLACES), JUNK)
def test_any_overlay_is_accepted_or_one_line(place, junk):
    overlay = junk
    for step in reversed([step for step in place if isinstance(step, str)]):
        overlay = {step: overlay}
    try:
        plan_experiment(load_config(*laid_over(overlay)))
    except UserError as error:
        check_line(error)


TEXT = """# A remark
pathvars: {results: elsewhere}
arms:
  mine: &mine {title: 'Zellen für', masks: "off", encoders: [{encoder: resnet18, trained: [layer4]}]}
  theirs: {<<: *mine, title: "b"}
subsets:
  fractions: [100, 0.5, 1]
  given: {50: a}
"""
PIECES = st.sampled_from(
    [
        *(
            *"{}[]:,#&*!|>'\"%@`\t\n-?",
            "<<: *mine",
            "!!binary ",
            "!!set ",
            "2020-01-01",
            "\xff",
            "\0",
        ),
        *("[" * 1000, "{a: " * 1000, "1" * 5000, "0x" + "f" * 5000, "\\ud800", "---\n", "? [a]\n"),
    ]
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("config") / "mine.yaml"


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), PIECES), max_size=4),
)
def test_any_text_is_read_or_one_line(file, as_json, changes):
    text = json.dumps(yaml.safe_load(TEXT)) if as_json else TEXT
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    file.write_text(text, encoding="latin-1" if "\xff" in text else "utf-8")
    try:
        values = read_config_file(file)
    except UserError as error:
        assert str(error).isprintable() and str(file) in str(error)
        assert len(str(error)) <= LONGEST + 5
    else:
        check_values(values)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_one_line(file, content):
    file.write_bytes(content)
    try:
        read_config_file(file)
    except UserError as error:
        assert str(error).isprintable() and str(file) in str(error)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": ' + "1" * 5000 + "}", "integer string conversion"),
        ("a: 0x" + "f" * 5000, "key 'a' is a number of 20000 bits: give a smaller one"),
        (f"a: {10**400}", "key 'a' is a number of 1329 bits"),
        ("[" * 5000, "too much lies within one another: mend the brackets"),
        ('{"a": ' * 900 + "1" + "}" * 900, "keys deep: mend the brackets"),
        ("a: " + "[" * 40 + "]" * 40, "lies 30 keys deep: mend the brackets"),
        ("pathvars: {results: 2020-01-01}", "key 'pathvars.results' is \"2020-01-01\": give a folder"),
        ('a: "\\ud800"', "key 'a' is '\\ud800', with a character that no file can hold"),
        ('{"a": "\\u0000"}', "key 'a' is '\\x00', with a character that no file can hold"),
        ('{"\\ud800": 1}', "a key in '' is '\\ud800', with a character"),
        ("a: [1, .inf]", "key 'a.1' is inf: give a finite number"),
        (f"a: {'x' * 100_001}", "key 'a' is a text of 100,001 characters: look for an unpaired quote"),
    ],
)  # fmt: skip
def test_what_no_key_may_hold_is_told_by_file_and_key(file, content, told):
    file.write_text(content)
    with pytest.raises(UserError) as caught:
        read_config_file(file)
    assert str(caught.value).startswith(str(file))
    assert told in str(caught.value)


def test_aliases_that_multiply_are_refused():
    """Nine lists of ten references each would be a thousand million values."""
    values: Any = 1
    for _ in range(9):
        values = [values] * 10
    with pytest.raises(UserError, match=f"more than {MOST:,} values, mostly by aliases"):
        check_values(values)


def test_numbers_of_many_digits_stay_numbers():
    assert number_label(10**400) == 10**400


def test_a_message_is_one_printable_line_of_bounded_length():
    assert str(UserError("a\nb\x1b[31mc\ud800")) == "a b\\x1b[31mc\\ud800"
    long = str(UserError("x" * 10_000 + ": mend it"))
    assert len(long) < LONGEST + 10 and long.endswith("x: mend it") and " ... " in long
    assert did_you_mean("a\nb", ["ab"]) == "did you mean 'ab'?"
