"""Bad input stops the workflow with one line, before any training starts."""

import shutil

import pytest


def last_error(output: str) -> str:
    """The one line that starts with ``error:``."""
    lines = [line for line in output.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, output[-4000:]
    return lines[0]


def test_a_run_without_data_names_the_folder_and_the_demo(make_copy):
    workflow = make_copy()
    done = workflow.snakemake("--cores", "1")
    assert done.returncode != 0
    line = last_error(done.stdout)
    assert "data/WBC_100" in line
    assert "make demo" in line
    assert not (workflow.folder / "results").exists()


@pytest.mark.parametrize("option", ["--lint", "--help", "--list-rules"])
def test_lint_and_help_work_without_data(make_copy, option):
    done = make_copy().snakemake(option)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        (
            "training={classification: {epoch: 3}}",
            ["'epoch'", "training.classification", "'epochs'"],
        ),
        ("subsets={fractions: [100, 0]}", ["subsets.fractions"]),
        ("subsets={fractions: [101]}", ["subsets.fractions", "101"]),
        (
            "arms={resnet: {encoders: [{encoder: imagenet, trained: []}]}}",
            ["arms.resnet.encoders.0.encoder", "imagenet_resnet18"],
        ),
        ("experiment={arms: [combinednet]}", ["combinednet", "combinedNet"]),
    ],
)
def test_a_wrong_config_is_one_line(finished, setting, parts):
    done = finished.snakemake("--dry-run", "--configfile", "tests/tiny.yaml", "--config", setting)
    assert done.returncode != 0
    line = last_error(done.stdout)
    for part in parts:
        assert part in line


def break_image(root):
    path = next((root / "WBC_100/val/data/Monocyte").iterdir())
    path.write_bytes(path.read_bytes()[:200])
    return path.name, "undecodable"


def break_split(root):
    path = next((root / "WBC_100/train/data/Neutrophil").iterdir())
    shutil.copy(path, root / "WBC_100/val/data/Neutrophil" / path.name)
    return path.name, "same file"


def break_class_folder(root):
    (root / "CAM16_100cls_10mask/train/data/tumour_margin").mkdir()
    return "tumour_margin", "class"


def break_mask(root):
    mask = next((root / "CAM16_100cls_10mask/train/mask/normal").iterdir())
    mask.rename(mask.with_name("nobody.jpg"))
    return "nobody.jpg", "mask"


def empty_class(root):
    folder = root / "WBC_100/val/data/Basophil"
    for path in folder.iterdir():
        path.unlink()
    return "val/data/Basophil", "empty class"


@pytest.mark.parametrize(
    "damage", [break_image, break_split, break_class_folder, break_mask, empty_class]
)
def test_damaged_raw_data_stop_before_training(finished, make_copy, damage):
    workflow = make_copy()
    raw = workflow.folder / "raw"
    shutil.copytree(finished.folder / "resources/synthetic/images", raw)
    name, word = damage(raw)
    done = workflow.snakemake(
        *("--cores", "2", "--configfile", "tests/tiny.yaml"),
        *("--config", "synthetic={draw: false}", "data_root=raw"),
        "--keep-going",
    )
    assert done.returncode != 0
    line = last_error(done.stdout)
    assert name in line
    assert word in line
    assert not TRAINING.search(done.stdout)
    assert not list(workflow.folder.glob("results/models/**/*.pt"))
    # What was found is left to look at, though the rule failed.
    found = "leakage/pairs.csv" if word == "same file" else "logs/check_datasets/problems.csv"
    assert name in (workflow.folder / "results" / found).read_text()


def test_given_subsets_are_matched_by_file_name(finished, make_copy):
    workflow = make_copy()
    raw = workflow.folder / "raw"
    shutil.copytree(finished.folder / "resources/synthetic/images", raw)
    names = set()
    for folder in sorted((raw / "WBC_100/train/data").iterdir()):
        path = sorted(folder.iterdir())[-1]
        target = raw / "WBC_10/train/data" / folder.name
        target.mkdir(parents=True)
        shutil.copy(path, target)
        names.add(path.name)
    done = workflow.snakemake(
        "results/subsets/replicate1/wbc_10.csv",
        *("--cores", "2", "--configfile", "tests/tiny.yaml"),
        *("--config", "synthetic={draw: false}", "data_root=raw", "subsets={source: given}"),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    lines = (workflow.folder / "results/subsets/replicate1/wbc_10.csv").read_text().splitlines()
    assert {line.split(",")[0].rsplit("/", 1)[1] for line in lines[1:]} == names


def test_a_missing_image_is_named_before_the_first_job(finished):
    done = finished.snakemake("--use-apptainer", "--dry-run", "--configfile", "tests/tiny.yaml")
    assert done.returncode != 0
    complaint = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert len(complaint) == 1, done.stdout
    assert "containers/tools-" in complaint[0]
    assert "is missing: run `make containers`" in complaint[0]


@pytest.mark.skipif(not shutil.which("apptainer"), reason="Snakemake asks for apptainer itself")
def test_images_may_have_an_address_in_place_of_a_file(finished):
    addresses = (
        "containers={torch: 'oras://somewhere/torch:1', tools: 'docker://somewhere/tools:1'}"
    )
    planned = finished.planned("--use-apptainer", "--config", addresses)
    assert planned
