"""A headless Chromium for the pages that the workflow writes; without one these tests are skipped."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from result_folders import Folder

REPOSITORY = Path(__file__).resolve().parents[2]
#: Where setup_chromium.sh puts it, unless the variable names another place.
AXE = Path(os.environ.get("FEWLABELS_AXE", REPOSITORY / "node_modules/axe-core/axe.min.js"))


def chromium() -> str | None:
    """The path of Debian's Chromium, or of one named so on the PATH."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("no chromium: bash tests/browser/setup_chromium.sh")
    with playwright.sync_playwright() as started:
        # Without a sandbox, which root, as in a container, has none of.
        running = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for what keeps people from using a page."""
    if not AXE.is_file():
        pytest.skip(
            f"{AXE} does not exist: bash tests/browser/setup_chromium.sh, or set FEWLABELS_AXE"
        )
    return AXE.read_text(encoding="utf-8")


def page_of(folder: Folder) -> Path:
    """The report page of a results folder that is written, by the script."""
    options = folder.options()
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    subprocess.run([sys.executable, REPOSITORY / "scripts/report.py", *words], check=True)
    return folder.path / "report.html"


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Path:
    """The page of a small results folder."""
    return page_of(Folder(tmp_path_factory.mktemp("report")).write())
