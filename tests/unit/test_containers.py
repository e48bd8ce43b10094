import re
import shutil
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name

from fewlabels.core.errors import UserError
from fewlabels.workflow import containers

REPOSITORY = Path(__file__).resolve().parents[2]
VERSION = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ]+)", re.M)


def versions(lock: str) -> dict[str, str]:
    return dict(VERSION.findall((REPOSITORY / "envs" / lock).read_text(encoding="utf-8")))


@pytest.fixture
def repository(tmp_path):
    for image in containers.IMAGES:
        for source in containers.sources_of(image):
            (tmp_path / source).parent.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / source, tmp_path / source)
    return tmp_path


def put_image(repository: Path, image: str, base: str = "debian") -> Path:
    path = repository / containers.image_file(repository, image, base)
    path.write_bytes(b"an image")
    containers.record_checksum(path)
    return path


def test_the_images_have_the_versions_of_the_environment():
    everything = versions("requirements.lock")
    for lock in ("torch.lock", "tools.lock"):
        found = versions(lock)
        assert len(found) > 15
        assert {name: everything.get(name) for name in found} == found, "run `make lock`"
    assert "torch" in versions("torch.lock")
    assert "torch" not in versions("tools.lock")


def test_every_package_of_the_images_has_a_hash():
    for lock in ("torch.lock", "tools.lock"):
        text = (REPOSITORY / "envs" / lock).read_text(encoding="utf-8")
        blocks = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
        assert len(blocks) == len(versions(lock))
        assert all("--hash=sha256:" in block for block in blocks)


def test_the_lock_names_the_images_of_the_committed_sources():
    written = (REPOSITORY / containers.LOCK_FILE).read_text(encoding="utf-8")
    assert written == containers.lock_text(REPOSITORY), "run `make containers-lock`"
    assert set(yaml.safe_load(written)) == set(containers.IMAGES)


def test_definitions_pin_their_docker_base_and_name_no_mirror():
    for image in containers.IMAGES:
        text = (REPOSITORY / f"containers/{image}.def").read_text(encoding="utf-8")
        assert re.search(r"^ +FROM=\w+@sha256:[0-9a-f]{64}$", text, re.M)
        assert not re.search(r"https?://(?!github\.com/)", text)


@pytest.mark.parametrize("image", containers.IMAGES)
def test_what_the_test_of_an_image_imports_is_in_its_lock(image):
    definition = (REPOSITORY / f"containers/{image}.def").read_text(encoding="utf-8")
    [imports] = re.findall(r"python -c 'import ([^;]+);", definition)
    modules = {name.split(".")[0] for name in imports.split(", ")} - sys.stdlib_module_names
    distributions = {
        canonicalize_name(name) for module in modules for name in packages_distributions()[module]
    }
    assert len(distributions) > 5
    assert distributions <= set(versions(f"{image}.lock"))


@pytest.mark.parametrize("source", ["containers/tools.def", "envs/tools.lock"])
def test_the_name_of_an_image_follows_its_sources(repository, source):
    before = containers.image_file(repository, "tools", "debian")
    other = containers.image_file(repository, "torch", "debian")
    with (repository / source).open("a") as handle:
        handle.write("# changed\n")
    assert containers.image_file(repository, "tools", "debian") != before
    assert containers.image_file(repository, "torch", "debian") == other


def test_the_base_is_part_of_the_name(repository):
    names = {containers.image_file(repository, "tools", base) for base in containers.ARGUMENTS}
    assert len(names) == len(containers.ARGUMENTS)
    for base in containers.ARGUMENTS:
        name = containers.image_file(repository, "tools", base)
        assert containers.what_is(repository, name) == ("tools", base)
    with pytest.raises(UserError, match="none of the images"):
        containers.what_is(repository, "containers/tools-000000000000.sif")


def test_locked_takes_the_image_that_is_there(repository):
    expected = containers.image_file(repository, "tools", "debian")
    assert containers.container_of(repository, "tools", "locked") == expected
    docker = put_image(repository, "tools", "docker")
    chosen = containers.container_of(repository, "tools", "locked")
    assert repository / chosen == docker
    put_image(repository, "tools", "debian")
    assert containers.container_of(repository, "tools", "locked") == expected


def test_a_whole_image_passes_and_is_read_once(repository, monkeypatch):
    put_image(repository, "tools")
    name = containers.locked_file(repository, "tools")
    monkeypatch.setattr(containers, "locked_file", lambda *_: name)
    monkeypatch.setattr(containers, "sha256_of_file", lambda path: pytest.fail("read again"))
    containers.check_image(repository, "tools", "locked")


def test_a_missing_image_is_named_with_the_command(repository):
    with pytest.raises(
        UserError, match=r"containers/tools-\w+\.sif is missing: run `make containers`"
    ):
        containers.check_image(repository, "tools", "locked")


def test_a_stale_image_is_named_with_the_command(repository):
    old = put_image(repository, "tools")
    with (repository / "envs/tools.lock").open("a") as handle:
        handle.write("# changed\n")
    with pytest.raises(UserError, match=f"stale.*{old.name}.*make containers"):
        containers.check_image(repository, "tools", "locked")


def test_a_damaged_image_is_found(repository):
    image = put_image(repository, "tools")
    image.write_bytes(b"another image")
    with pytest.raises(UserError, match="damaged"):
        containers.check_image(repository, "tools", "locked")


def test_an_image_without_its_sha256_is_refused(repository):
    image = put_image(repository, "tools")
    containers.checksum_file(image).unlink()
    with pytest.raises(UserError, match=r"sif\.sha256"):
        containers.check_image(repository, "tools", "locked")


def test_another_path_or_an_address_is_taken_as_it_is(repository, tmp_path):
    containers.check_image(repository, "tools", "docker://someone/tools:1")
    containers.check_image(repository, "tools", "oras://someone/tools:1")
    own = tmp_path / "own.sif"
    own.write_bytes(b"")
    containers.check_image(repository, "tools", str(own))
    with pytest.raises(UserError, match=r"containers\.tools names .*absent\.sif"):
        containers.check_image(repository, "tools", str(tmp_path / "absent.sif"))
