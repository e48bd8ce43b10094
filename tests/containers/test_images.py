"""What is inside the images, and what stays outside."""

import json
import os
import pwd
import shutil

import pytest
from machines import REPOSITORY, checked, run

PROBE = """
import json, os, site, sys
print(json.dumps({
    "path": sys.path,
    "user_site": site.ENABLE_USER_SITE,
    "python": sys.version_info[:2],
    "prefix": sys.prefix,
    "byte_code": sys.dont_write_bytecode,
    "user": os.getuid(),
    "python_path": os.environ.get("PYTHONPATH"),
    "home": os.listdir(os.path.expanduser("~")),
}))
"""


def inside(image, *command: str, folder, **environment: str) -> str:
    """Run a command in an image as Snakemake does: the working folder is the home."""
    return checked(
        *("apptainer", "exec", "--nv", "--home", folder, image, *command),
        folder=folder,
        env={**os.environ, **environment},
    )


@pytest.fixture(params=["tools", "torch"])
def image(request, images):
    return images[request.param]


def test_nothing_of_the_host_leaks_in(image, tmp_path):
    """A host module path, a user site below $HOME and a host environment, all offering a pandas of their own."""
    home, decoy, work = tmp_path / "home", tmp_path / "modules", tmp_path / "work"
    user_site = home / ".local/lib/python3.11/site-packages"
    for folder in (decoy, user_site, work / ".local/lib/python3.11/site-packages", work):
        folder.mkdir(parents=True, exist_ok=True)
        if folder != work:
            (folder / "pandas.py").write_text("raise SystemExit('a pandas of the host')\n")
    hostile = {"PYTHONPATH": str(decoy), "PYTHONHOME": "/usr", "HOME": str(home)}
    hostile |= {"PYTHONUSERBASE": str(home / ".local"), "VIRTUAL_ENV": "/tmp/other"}
    lines = inside(image, "python", "-c", PROBE, folder=work, **hostile).splitlines()
    found = json.loads(lines[-1])
    assert found["python"] == [3, 11]
    assert found["prefix"] == "/opt/venv"
    assert found["user_site"] is False
    assert found["byte_code"] is True
    assert not found["python_path"]
    assert found["home"] == [".local"], "the home is the working folder, not the user's"
    outside = [
        path for path in found["path"] if path and not path.startswith(("/usr/lib", "/opt/venv"))
    ]
    assert outside == []
    version = inside(
        image, "python", "-c", "import pandas; print(pandas.__file__)", folder=work, **hostile
    )
    assert version.splitlines()[-1].startswith("/opt/venv/lib/python3.11/site-packages/pandas/")


def test_every_package_has_the_version_of_its_list(image, tmp_path):
    name = image.name.split("-")[0]
    listed = {
        line.split("==")[0].lower().replace("_", "-"): line.split("==")[1].split()[0]
        for line in (REPOSITORY / f"envs/{name}.lock").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    found = inside(
        image, "python", "-m", "pip", "list", "--format", "json", folder=tmp_path
    ).splitlines()
    installed = {
        package["name"].lower().replace("_", "-").replace(".", "-"): package["version"]
        for package in json.loads(next(line for line in found if line.startswith("[")))
    }
    assert len(listed) > 15
    for package, version in listed.items():
        assert installed[package] == version, package
    assert set(installed) - set(listed) <= {"pip", "setuptools", "wheel"}


def test_the_image_is_read_only(image, tmp_path):
    done = run(
        "apptainer",
        "exec",
        "--home",
        tmp_path,
        image,
        "touch",
        "/opt/venv/written",
        folder=tmp_path,
    )
    assert done.returncode != 0
    assert "ead-only" in done.stdout or "ermission denied" in done.stdout


def test_no_certificate_of_the_build_machine_stays(image, tmp_path):
    """The bundle of the image is what Debian's package makes of its own certificates."""
    count = inside(
        *(image, "sh", "-c"),
        "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; grep -vc '^#' /etc/ca-certificates.conf;"
        " ls /usr/local/share/ca-certificates | wc -l",
        folder=tmp_path,
    ).split()
    bundled, own, added = (int(word) for word in count[-3:])
    assert bundled <= own
    assert added == 0


def test_an_ordinary_user_can_run_it(image):
    user = pwd.getpwnam("nobody")
    folder = "/tmp/wbc-ordinary-user"
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    os.chown(folder, user.pw_uid, user.pw_gid)
    target = f"{folder}/{image.name}"
    os.link(image, target) if os.stat(image).st_dev == os.stat(folder).st_dev else shutil.copy(
        image, target
    )
    try:
        printed = checked(
            *("runuser", "-u", "nobody", "--", "env", "-C", folder, f"HOME={folder}"),
            *("apptainer", "exec", "--home", folder, target),
            *("python", "-c", "import numpy, os; open('written', 'w'); print(os.getuid())"),
        )
        assert printed.split()[-1] == str(user.pw_uid)
        assert os.stat(f"{folder}/written").st_uid == user.pw_uid
    finally:
        shutil.rmtree(folder)


def test_packaged_weights_are_inside(images):
    text = (
        "from fewlabels.networks.packaged_weights import packaged_file, packaged_weights;"
        " print(packaged_file(packaged_weights('timm/tf_efficientnet_lite0')))"
    )
    printed = inside(images["torch"], "python", "-c", text, folder=REPOSITORY / "scripts")
    path = printed.splitlines()[-1]
    assert path.startswith("/opt/venv/lib/python3.11/site-packages/")
    assert path.endswith("efficientnet-lite0-57934424.pth")


def test_cuda_without_a_gpu_fails_with_the_remedy(images, tmp_path):
    text = "from fewlabels.training.runtime import start; start('cuda', 'float32', 1)"
    done = run(
        *("apptainer", "exec", "--nv", "--home", REPOSITORY / "scripts", images["torch"]),
        *("python", "-c", text),
        folder=REPOSITORY / "scripts",
    )
    if done.returncode == 0:
        pytest.skip("this machine has a GPU")
    assert "compute.device is cuda, but torch sees no GPU" in done.stdout
    assert "apptainer --nv" in done.stdout
