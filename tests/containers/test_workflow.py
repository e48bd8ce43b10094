"""The whole workflow, every step in its container, gives the table that it gives without."""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from machines import OVERLAY, REPOSITORY, copy_repository, run, snakemake, tables
from PIL import Image


@pytest.fixture(scope="module")
def folder(images, tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("containers"))


def test_the_same_table_with_and_without_containers(folder):
    options = ("--cores", "2", "--configfile", OVERLAY, "--config")
    snakemake(folder, *options, "pathvars={results: results/plain, resources: resources/plain}")
    output = snakemake(
        *(folder, "--use-apptainer", *options),
        "pathvars={results: results/contained, resources: resources/contained}",
    )
    plain, contained = tables(folder / "results/plain"), tables(folder / "results/contained")
    assert len(plain) > 15
    assert plain.keys() == contained.keys()
    assert [name for name in plain if plain[name] != contained[name]] == []
    used = set(re.findall(r"Activating (?:singularity|apptainer) image (\S+)", output))
    assert {name.split("/")[-1].split("-")[0] for name in used} == {"torch", "tools"}


def test_every_job_ran_in_a_container(folder):
    """Records of training say which Python; and nothing was written outside results/ and resources/."""
    allowed = {"results", "resources", ".snakemake"}
    written = {path.name for path in folder.iterdir()} - {
        path.name for path in REPOSITORY.iterdir()
    }
    assert written <= allowed
    again = snakemake(
        *(folder, "--dry-run", "--sdm", "apptainer", "--configfile", OVERLAY, "--config"),
        "pathvars={results: results/contained, resources: resources/contained}",
    )
    assert "Nothing to be done" in again


@pytest.fixture
def outside():
    """A folder that no container sees by itself, as it does /tmp."""
    with tempfile.TemporaryDirectory(dir="/srv") as folder:
        yield Path(folder)


@pytest.mark.parametrize("layout", ["folder", "table"])
def test_images_outside_the_working_folder_are_seen(folder, outside, layout):
    """Those that a table names, too, which need not lie beside it."""
    rows = []
    for split in ("train", "test"):
        for name in ("0", "blast"):
            for number in range(3):
                path = outside / "images/cells" / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                generator = np.random.default_rng([number, len(split), len(name)])
                noise = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(noise).save(path)
                rows.append(f"../images/cells/{split}/{name}/{number}.png;{name};{split}")
    (outside / "tables").mkdir()
    (outside / "tables/cells.csv").write_text("\n".join(["path;label;split", *rows]))
    layouts = {
        "folder": {
            **{"folder": f"{outside}/images/cells", "images": "{split}/{class}"},
            "splits": {"train": "train", "test": "test"},
        },
        "table": {"table": f"{outside}/tables/cells.csv"},
    }
    cells = {"classes": ["blast", "0"], **layouts[layout]}
    (folder / "outside.json").write_text(
        json.dumps(
            {
                **{"target": "cells", "datasets": {"cells": cells}},
                **{"problems": {"path_outside": "warn"}},
                **{"pathvars": {"results": f"results/{layout}"}, "experiment": {"arms": ["lite"]}},
            }
        )
    )
    index, packed = (f"results/{layout}/images/cells{end}" for end in ("_index.csv", ".npy"))
    options = ("--use-apptainer", "--cores", "2", "--configfile", "outside.json")
    snakemake(folder, packed, *options)
    assert len((folder / index).read_text().splitlines()) == 1 + 12


@pytest.mark.parametrize("damage", ["missing", "stale", "damaged"])
def test_the_preflight_names_the_image_and_the_command(folder, tmp_path, damage):
    copy = copy_repository(tmp_path)
    image = next((copy / "containers").glob("tools-*.sif"))
    if damage == "damaged":
        content = b"not an image"
        image.unlink()
        image.write_bytes(content)
    elif damage == "stale":
        (copy / "containers/tools.def").write_text(
            (copy / "containers/tools.def").read_text() + "\n# changed\n"
        )
    else:
        image.unlink()
    done = run(
        *(
            sys.executable,
            "-m",
            "snakemake",
            "--use-apptainer",
            "--dry-run",
            "--configfile",
            OVERLAY,
        ),
        folder=copy,
    )
    assert done.returncode != 0
    complaint = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert len(complaint) == 1, done.stdout[-3000:]
    assert damage in complaint[0]
    assert "make containers" in complaint[0]
