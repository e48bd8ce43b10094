"""Results that this working copy does not remember are taken for the present config's only if they are."""

import json
import shutil
from base64 import urlsafe_b64encode

import pytest

from fewlabels.core.errors import UserError
from fewlabels.workflow.results_owner import WorkingCopy, check_owner, settle_owner, write_owner

OURS = {"config": "c1", "scripts": "s1"}
OTHER_CONFIG = {"config": "c2", "scripts": "s1"}
OTHER_SCRIPTS = {"config": "c1", "scripts": "s2"}


@pytest.fixture
def shared(tmp_path) -> str:
    """A results folder outside of all working copies."""
    (tmp_path / "shared").mkdir()
    return str(tmp_path / "shared")


@pytest.fixture
def first(tmp_path) -> WorkingCopy:
    return WorkingCopy(tmp_path / "first")


@pytest.fixture
def second(tmp_path) -> WorkingCopy:
    return WorkingCopy(tmp_path / "second")


def finish(results: str, made_by: dict) -> None:
    """Leave a provenance.json, as a finished run does."""
    found = {"config": made_by["config"], "code": {"scripts": made_by["scripts"], "git": None}}
    with open(f"{results}/provenance.json", "w") as handle:
        json.dump(found, handle)


def test_an_empty_folder_is_anyones(shared, first):
    check_owner(shared, first, OURS)


def test_ones_own_results_are_left_to_snakemake(shared, first):
    write_owner(shared, first, OURS)
    check_owner(shared, first, OTHER_CONFIG)


@pytest.mark.parametrize(
    ("theirs", "what"),
    [(OTHER_CONFIG, "another config,"), (OTHER_SCRIPTS, "other scripts,")],
)
def test_another_working_copys_results_of_another_kind_are_refused(
    shared, first, second, theirs, what
):
    write_owner(shared, first, theirs)
    with pytest.raises(UserError) as refused:
        check_owner(shared, second, OURS)
    line = str(refused.value)
    assert f"{shared} (made in {first.folder}) holds results of {what}" in line
    assert "set pathvars.results to a folder of its own" in line
    assert "\n" not in line


def test_those_of_the_same_config_are_taken_over(shared, first, second):
    write_owner(shared, first, OURS)
    check_owner(shared, second, OURS)
    write_owner(shared, second, OURS)
    check_owner(shared, first, OURS)
    with pytest.raises(UserError):
        check_owner(shared, first, OTHER_CONFIG)


def test_results_of_two_configs_are_refused_until_a_run_has_ended(shared, first, second):
    write_owner(shared, first, OTHER_CONFIG)
    write_owner(shared, first, OURS)
    with pytest.raises(UserError, match="several configs"):
        check_owner(shared, second, OURS)
    write_owner(shared, first, OURS)
    finish(shared, OTHER_CONFIG)
    settle_owner(shared, first, OURS)
    with pytest.raises(UserError, match="several configs"):
        check_owner(shared, second, OURS)
    finish(shared, OURS)
    settle_owner(shared, first, OURS)
    check_owner(shared, second, OURS)


def test_a_working_copy_that_was_copied_with_its_results_goes_on(first, second):
    """Snakemake's records came with them; not so where the results lie outside."""
    (first.folder / "results").mkdir(parents=True)
    write_owner("results", first, OURS)
    shutil.copytree(first.folder, second.folder)
    check_owner("results", second, OTHER_CONFIG)
    with pytest.raises(UserError, match="another config"):
        check_owner(str(first.folder / "results"), second, OTHER_CONFIG)


def test_without_snakemakes_folder_results_are_compared(shared, first):
    write_owner(shared, first, OURS)
    shutil.rmtree(first.folder / ".snakemake")
    check_owner(shared, first, OURS)
    with pytest.raises(UserError, match="another config"):
        check_owner(shared, first, OTHER_CONFIG)


def test_a_copy_of_a_working_copy_is_another_one(shared, first, second):
    write_owner(shared, first, OURS)
    shutil.copytree(first.folder, second.folder)
    assert second.name() != first.name()
    with pytest.raises(UserError):
        check_owner(shared, second, OTHER_CONFIG)


def test_a_working_copy_that_was_moved_is_the_same(shared, first, second):
    write_owner(shared, first, OURS)
    first.folder.rename(second.folder)
    check_owner(shared, second, OTHER_CONFIG)


def test_results_of_before_there_were_owners(shared, first):
    finish(shared, OTHER_CONFIG)
    with pytest.raises(UserError, match="another config"):
        check_owner(shared, first, OURS)
    check_owner(shared, first, OTHER_CONFIG)
    record = urlsafe_b64encode(f"{shared}/provenance.json".encode()).decode()
    metadata = first.folder / ".snakemake/metadata" / record
    metadata.parent.mkdir(parents=True)
    metadata.write_text("{}")
    check_owner(shared, first, OURS)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_files_that_cannot_be_read_say_nothing(shared, first, text):
    for name in ("provenance.json", ".owner.json"):
        with open(f"{shared}/{name}", "w") as handle:
            handle.write(text)
    check_owner(shared, first, OURS)
