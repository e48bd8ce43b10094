import os

import pytest

import build_container
from fewlabels.core.errors import UserError

NAME = "containers/tools-0.sif"


def test_a_name_of_another_state_is_refused(capsys):
    assert build_container.main(["--container", NAME]) == 1
    assert "none of the images of these sources" in capsys.readouterr().err


def test_debian_takes_the_mirror_and_docker_takes_none(monkeypatch, tmp_path):
    monkeypatch.setenv("DEBIAN_MIRROR", "http://mirror.invalid/debian")
    debian = build_container.build_command("tools", "debian", tmp_path / "image.sif")
    docker = build_container.build_command("tools", "docker", tmp_path / "image.sif")
    assert "MIRROR=http://mirror.invalid/debian" in debian
    assert "BOOTSTRAP=debootstrap" in debian
    assert "BOOTSTRAP=docker" in docker
    assert not any(word.startswith("MIRROR=") for word in docker)
    for command in (debian, docker):
        assert command[:3] == ["apptainer", "build", "--fakeroot"]
        assert "zstd" in " ".join(command)


def test_a_machine_without_a_mirror_is_told_what_to_set(monkeypatch):
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(build_container.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match="DEBIAN_MIRROR"):
        build_container.debian_mirror()
    with pytest.raises(UserError, match="apptainer is missing"):
        build_container.check_tools("debian")


def test_a_failed_build_leaves_no_image_and_one_error(monkeypatch, tmp_path, capsys):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("apptainer", "debootstrap"):
        (programs / name).write_text("#!/bin/sh\necho it broke\nexit 3\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("DEBIAN_MIRROR", "http://mirror.invalid/debian")
    monkeypatch.setattr(build_container, "REPOSITORY", tmp_path)
    monkeypatch.setattr(build_container, "what_is", lambda *_: ("tools", "debian"))
    (tmp_path / "containers").mkdir()
    assert build_container.main(["--container", NAME]) == 1
    assert "it broke" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "containers").iterdir()] == ["tools-0.sif.log"]


def test_an_image_is_taken_from_the_cache(monkeypatch, tmp_path):
    cache, repository = tmp_path / "cache", tmp_path / "repository"
    cache.mkdir()
    (cache / "tools-0.sif").write_bytes(b"an image")
    build_container.record_checksum(cache / "tools-0.sif")
    monkeypatch.setenv("IMAGE_CACHE", str(cache))
    monkeypatch.setattr(build_container, "REPOSITORY", repository)
    monkeypatch.setattr(build_container, "what_is", lambda *_: ("tools", "debian"))
    assert build_container.main(["--container", NAME]) == 0
    assert (repository / "containers/tools-0.sif").read_bytes() == b"an image"
    assert (repository / "containers/tools-0.sif.sha256").is_file()
