"""Names of states, and hashes of contents that the jobs of a run take over from its start."""

import pytest
from builders import picture, save

from fewlabels.data.layouts import Layout
from fewlabels.workflow.image_states import Contents, state_name

LAYOUT = Layout(images=".")
OTHER = Layout(images=".", mask_name="{stem}_mask")


def test_a_name_holds_everything_that_it_is_made_of():
    parts = {"content": "ab", "layout": {"images": "."}, "external": False}
    name = state_name(parts)
    assert len(name) == 12 and set(name) <= set("0123456789abcdef")
    assert name == state_name(dict(reversed(parts.items())))
    changed = [parts | {"content": "ac"}, parts | {"external": True}, parts | {"more": 1}]
    assert len({name, *map(state_name, changed)}) == 4


@pytest.fixture
def raw(tmp_path):
    save(picture((9, 9, 9), 1, (8, 8)), tmp_path / "raw/a.bmp")
    return tmp_path / "raw"


def test_a_job_takes_what_its_run_began_with(raw, tmp_path):
    files = (tmp_path / "cache", tmp_path / "run.json")
    planning = Contents(*files, main=True)
    before = planning.of(str(raw), LAYOUT)
    planning.save()
    (raw / "a.bmp").write_bytes(b"other")
    assert planning.of(str(raw), LAYOUT) == before
    assert Contents(*files, main=False).of(str(raw), LAYOUT) == before
    after = Contents(*files, main=True).of(str(raw), LAYOUT)
    assert after != before
    # What the run did not ask for is found out.
    assert Contents(*files, main=False).of(str(raw), OTHER) == after


def test_a_job_without_a_run_looks_itself(raw, tmp_path):
    files = (tmp_path / "cache", tmp_path / "run.json")
    assert Contents(*files, main=False).of(str(raw), LAYOUT) == Contents(*files, main=True).of(
        str(raw), LAYOUT
    )
