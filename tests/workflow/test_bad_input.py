"""Bad input stops the workflow with one line, before any training starts."""

import re
import shutil

import pytest
import timm
import torch
from own_images import SHORT

#: What Snakemake prints when it starts a job that trains or runs a network on images.
TRAINING = re.compile(r"^(?:local)?rule (?:pretrain_|train_|cache_)", re.M)
OWN_TABLE = ("overlays/own_images.yaml", "overlays/own_table.yaml", SHORT)


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
            "arms={resnet: {encoders: [{encoder: imagenet_resnet, trained: []}]}}",
            ["arms.resnet.encoders.0.encoder", "'imagenet_resnet18'"],
        ),
        ("experiment={arms: [combinednet]}", ["combinednet", "combinedNet"]),
        ("arms={resnet: {encoders: []}}", ["arms.resnet.encoders"]),
        ("target=prcc", ["datasets.prcc.classes", "labels"]),
        (
            "pretraining={resnet_cam16: {method: supervize}}",
            ["pretraining.resnet_cam16.method", "supervize", "'supervised'"],
        ),
        (
            "pretraining={resnet_cam16: {start: again}, again: {method: supervised, dataset: cam16, "
            "start: resnet_cam16, trained: all}}",
            ["pretraining.", "circle", "resnet_cam16 -> again -> resnet_cam16", "break it"],
        ),
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
    return "val/data/Basophil", "class without test images"


@pytest.mark.parametrize(
    "damage", [break_image, break_split, break_class_folder, break_mask, empty_class]
)
def test_damaged_raw_data_stop_before_training(finished, make_copy, damage):
    workflow = make_copy()
    raw = workflow.folder / "raw"
    shutil.copytree(finished.folder / "resources/synthetic/images", raw)
    weights = workflow.folder / "resources/weights"
    weights.mkdir(parents=True)
    for path in (finished.folder / "resources/weights").iterdir():
        (weights / path.name).symlink_to(path)
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
    assert "rule fetch_weights:" not in done.stdout
    assert not list(workflow.folder.glob("results/models/**/*.pt"))
    # What was found is left to look at, though the run failed.
    found = "leakage/pairs.csv" if word == "same file" else "images/states/*/checked.csv"
    assert any(name in path.read_text() for path in workflow.folder.glob(f"results/{found}"))


BAD_BACKBONES = """
pathvars: {results: results/bad_backbones}
experiment: {arms: [lite, ofAnother, withoutPackage, unknown]}
statistics: {baseline: lite}
pretraining:
  lite_cam16: {method: supervised, dataset: cam16, start: imagenet_efficientnet_lite0, trained: all}
backbones:
  small: {model: timm/mobilenetv3_small_075, weights: other.pth}
  unpacked: {model: torchvision/resnet18, weights: packaged}
  misspelt: {model: timm/vit_tny_patch16_224, weights: random}
arms:
  lite: {encoders: [{encoder: lite_cam16, trained: []}]}
  ofAnother: {title: "", masks: "off", encoders: [{encoder: small, trained: []}]}
  withoutPackage: {title: "", masks: "off", encoders: [{encoder: unpacked, trained: []}]}
  unknown: {title: "", masks: "off", encoders: [{encoder: misspelt, trained: []}]}
"""


def test_a_backbone_that_cannot_be_stops_before_any_training(own):
    """Though another pretraining, whose weights are there, could start."""
    other = timm.create_model("mobilenetv3_small_050", num_classes=3)
    torch.save(other.state_dict(), own.folder / "other.pth")
    (own.folder / "bad_backbones.yaml").write_text(BAD_BACKBONES)
    done = own.snakemake(
        *("--cores", "2", "--keep-going", "--configfile", SHORT, "bad_backbones.yaml")
    )
    assert done.returncode != 0
    assert not TRAINING.search(done.stdout)
    assert "rule pack_images:" in done.stdout
    lines = {
        line.split("'")[1]: line for line in done.stdout.splitlines() if line.startswith("error:")
    }
    assert sorted(lines) == ["backbones.misspelt", "backbones.small", "backbones.unpacked"]
    assert re.search(
        r"other\.pth does not fit timm/mobilenetv3_small_075 \(blocks\.[\w.]+ has the shape "
        r"\([\d, ]+\) in place of \([\d, ]+\)\): give another file",
        lines["backbones.small"],
    )
    assert "no package carries weights of torchvision/resnet18" in lines["backbones.unpacked"]
    assert "set weights to default, random or a path" in lines["backbones.unpacked"]
    assert "did you mean 'timm/vit_tiny_patch16_224'?" in lines["backbones.misspelt"]


def test_an_unknown_block_is_named_with_the_nearest(own):
    (own.folder / "bad_block.yaml").write_text(
        "experiment: {arms: [resnet]}\n"
        "arms: {resnet: {encoders: [{encoder: imagenet_resnet18, trained: [layer4.0, layr4.1]}]}}\n"
    )
    done = own.snakemake(
        *("results/networks/heeded.txt", "--cores", "2", "--configfile", SHORT, "bad_block.yaml")
    )
    assert done.returncode != 0
    line = last_error(done.stdout)
    assert "key 'arms.resnet.encoders.0.trained': unknown block 'layr4.1'" in line
    assert "did you mean 'layer4.1'?" in line


def test_all_training_waits_for_the_checks(finished):
    """Of data sets, of what train and test share, of weights and names of blocks."""
    done = finished.snakemake("--dry-run", "--forceall", "--configfile", "tests/tiny.yaml")
    jobs = re.findall(r"^(?:local)?rule (\w+):\n {4}input: (.*)$", done.stdout, re.M)
    waiting = [files.split(", ") for rule, files in jobs if TRAINING.match(f"rule {rule}")]
    assert len(waiting) == 5 + 4 + 6
    for files in waiting:
        if any("scripts/fewlabels/pretraining/cluster.py" in name for name in files):
            assert "results/features/prcc_feature.csv" in files
            continue
        assert {"results/networks/heeded.txt", "results/leakage/heeded.txt"} <= set(files)
    [checked] = [files for rule, files in jobs if rule == "check_networks"]
    for backbone in ("imagenet_resnet18", "imagenet_vgg16"):
        assert f"resources/weights/{backbone}_32_random.pth" in checked


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda text: text.replace("Label", "Class"), ["no column 'label'"]),
        (
            lambda text: text.replace(text.splitlines()[4].split(";")[0], "train/blast/none.jpg"),
            ["row 5", "train/blast/none.jpg does not exist", "take the row out"],
        ),
    ],
    ids=["column", "path"],
)
def test_a_wrong_table_is_named_with_its_row(own, change, parts):
    text = (own.folder / "images/cells/cells.csv").read_text(encoding="utf-8-sig")
    (own.folder / "images/cells/wrong.csv").write_text(change(text))
    done = own.snakemake(
        *("results/wrong/images/cells_index.csv", "--cores", "1", "--configfile", *OWN_TABLE),
        *("--config", "datasets={cells: {table: cells/wrong.csv}}"),
        "pathvars={results: results/wrong}",
    )
    assert done.returncode != 0
    line = last_error(done.stdout)
    assert "cells/wrong.csv" in line
    for part in parts:
        assert part in line


def test_a_table_without_paths_is_named_before_the_first_job(own):
    (own.folder / "images/cells/pathless.csv").write_text("file;label\na.png;blast\n")
    done = own.snakemake(
        *("--dry-run", "--configfile", *OWN_TABLE),
        *("--config", "datasets={cells: {table: cells/pathless.csv}}"),
    )
    assert done.returncode != 0
    assert "pathless.csv has no column 'path'" in last_error(done.stdout)


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


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"images: {size: 64}\nimages: {resize: crop}\n", ["lines 1 and 2", "'images'", "twice"]),
        ("data_root: für\n".encode("latin-1"), ["line 1", "UTF-8"]),
        (b"images:\n\tsize: 64\n", ["line 2", "tab"]),
        (b"- images\n", ["a list"]),
        (b"pathvars: {results: 5}\n", ["pathvars.results", "5"]),
    ],
    ids=["twice", "latin", "tab", "list", "number"],
)
def test_a_config_file_is_one_line_with_its_name(make_copy, content, parts):
    """Also where Snakemake itself would say something else, before the Snakefile is read."""
    workflow = make_copy()
    (workflow.folder / "mine.yaml").write_bytes(content)
    done = workflow.snakemake("--dry-run", "--configfile", "tests/tiny.yaml", "mine.yaml")
    assert done.returncode != 0
    line = last_error(done.stdout)
    assert "mine.yaml" in line
    for part in parts:
        assert part in line
    assert "Traceback" not in done.stdout
    assert "Building DAG" not in done.stdout


def test_an_empty_config_file_changes_nothing(make_copy):
    workflow = make_copy()
    (workflow.folder / "empty.yaml").write_text("# nothing\n")
    workflow.run("empty.yaml", "--", "results/runs.csv")
    (workflow.folder / "empty.yaml").unlink()
    assert workflow.planned("--", "results/runs.csv") == {}


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        ("datasets: {wbc: {folder: ../results/a}}", ["datasets.wbc.folder", "pathvars.results"]),
        ("pathvars: {logs: link/logs}", ["pathvars.logs", "WBC_100", "datasets.wbc.folder"]),
        ("datasets: {prcc: {true_types: none.csv}}", ["datasets.prcc.true_types", "none.csv"]),
        ("datasets: {prcc: {true_types: wrong.csv}}", ["wrong.csv", "'type'", "'types'"]),
        ("datasets: {prcc: {true_types: other.csv}}", ["other.csv", "names none", "cell"]),
    ],
)
def test_places_and_tables_of_types_are_looked_at_before_the_first_job(make_copy, overlay, parts):
    workflow = make_copy()
    for name in ("WBC_100", "CAM16_100cls_10mask", "pRCC_nolabel"):
        (workflow.folder / "pictures" / name).mkdir(parents=True)
    (workflow.folder / "pictures/pRCC_nolabel/a.jpg").write_bytes(b"")
    (workflow.folder / "link").symlink_to("pictures/WBC_100")
    (workflow.folder / "wrong.csv").write_text("id;types\na;x\n")
    (workflow.folder / "other.csv").write_text("id,type\ncell,x\n")
    (workflow.folder / "mine.yaml").write_text(f"data_root: pictures\n{overlay}\n")
    done = workflow.snakemake("--dry-run", "--configfile", "mine.yaml")
    assert done.returncode != 0
    line = last_error(done.stdout)
    for part in parts:
        assert part in line
