"""docs/raw_images.md lists what the code does."""

import pytest
from builders import REPOSITORY

from fewlabels.core.errors import UserError
from fewlabels.data.problem_kinds import KINDS, LISTED
from fewlabels.workflow.config_model import Problems
from fewlabels.workflow.raw_images_page import main, with_tables

PAGE = REPOSITORY / "docs/raw_images.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_what_the_code_says():
    assert with_tables(TEXT) == TEXT, "run `make configuration`"


def test_every_kind_has_a_row():
    for name in [*KINDS, *LISTED]:
        assert TEXT.count(f"| `{name}` |") == 1


def test_a_stale_table_is_written_anew(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(TEXT.replace("| `blank_image` |", "| `other` |"), encoding="utf-8")
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == TEXT


def test_a_page_without_marks_is_refused():
    with pytest.raises(UserError, match="kinds of problems"):
        with_tables("# Raw images")


def test_the_config_has_every_kind_that_leaves_a_choice():
    assert list(Problems.model_fields) == [name for name, kind in KINDS.items() if kind.choice]
    assert {field.default for field in Problems.model_fields.values()} == {"stop", "warn"}


def test_what_always_stops_leaves_nothing():
    for name, kind in KINDS.items():
        assert kind.choice == bool(kind.remains), name
        assert kind.choice or kind.default == "stop", name
