"""Other experiments than the published one, each by an overlay as a user would write it: targets, layouts, roles."""

import csv
import json
from pathlib import Path

import pytest
import torch
from conftest import Workflow
from own_images import OWN_CLASSES, SHORT

pytestmark = pytest.mark.long


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def state_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def outside_the_config(results: Path) -> str:
    """All that a run wrote for reading, but for the config that the provenance quotes."""
    texts = [path.read_text() for path in sorted(results.rglob("*.csv"))]
    texts += [path.read_text() for path in sorted(results.rglob("*.md"))]
    texts += [path.read_text() for path in sorted(results.rglob("*.log"))]
    provenance = json.loads((results / "provenance.json").read_text())
    del provenance["config"]
    return "\n".join([*texts, json.dumps(provenance)])


# --- the target's folder alone


@pytest.fixture(scope="module")
def alone(own: Workflow) -> tuple[Path, str]:
    """Results and output of a run that has white blood cells and nothing else."""
    (own.folder / "alone.yaml").write_text("experiment: {arms: [resnet]}\n")
    # Nothing that other tests have fetched.
    folders = "pathvars={results: results/alone, resources: resources/alone}"
    options = (SHORT, "--config", "data_root=images/alone", folders)
    planned = own.planned(*options, overlay="alone.yaml")
    assert planned == {
        **{"index_images": 1, "check_images": 1, "check_datasets": 1, "heed_verdict": 3},
        **{"pack_images": 1, "publish_images": 1, "apply_masks": 1},
        **{"audit_leakage": 1, "check_leakage": 1, "slide_only": 1, "draw_subsets": 1},
        "report_data": 1,
        **{"fetch_weights": 1, "check_networks": 1, "cache_features": 1, "train_classifier": 1},
        **{"list_runs": 1, "evaluate": 1, "compare": 1, "spread": 1, "collect_costs": 1},
        **{"count_labels": 1, "label_efficiency": 1, "plot_label_efficiency": 1},
        **{"summarize": 1, "plot_curves": 1, "plot_confusion": 1},
        **{"record_provenance": 1, "summarize_benchmarks": 1},
        **{"find_errors": 1, "explain_errors": 1, "report_pictures": 1, "report": 1},
    }
    return own.folder / "results/alone", own.run(*options, overlay="alone.yaml")


def test_an_arm_that_needs_the_target_needs_its_folder_alone(alone):
    results, _ = alone
    assert {row["arm"] for row in read(results / "runs.csv")} == {"resnet"}
    summary = read(results / "summary.csv")
    assert {row["arm"] for row in summary} == {"resnet", "majority", "slide_only"}
    assert {row["table"] for row in summary} == {"1"}
    assert [path.name for path in (results / "images").glob("*_index.csv")] == ["wbc_index.csv"]
    assert sorted(path.name for path in (results / "models").rglob("*.pt")) == ["resnet_wbc_100.pt"]
    assert (results / "figures/figure4.png").is_file()
    assert not (results / "figures/figure5.png").exists()


def test_nothing_of_the_other_data_sets_is_printed(alone):
    results, output = alone
    for text in (output, outside_the_config(results)):
        assert "wbc" in text
        assert "cam16" not in text.lower()
        assert "prcc" not in text.lower()
        assert "vgg16" not in text.lower()
    images = json.loads((results / "provenance.json").read_text())["images"]
    assert list(images) == ["wbc_index.csv"]


# --- roles swapped


@pytest.fixture(scope="module")
def swapped(own: Workflow) -> Path:
    (own.folder / "swapped_short.yaml").write_text(
        "pretraining: {resnet_wbc: {training: {epochs: 1}}}\n"
    )
    overlays = (SHORT, "swapped_short.yaml")
    planned = own.planned(*overlays, overlay="overlays/swapped_roles.yaml")
    wanted = {"pretrain_resnet_wbc": 1, "train_classifier": 2, "cache_features": 2}
    assert {name: planned[name] for name in wanted} == wanted
    assert planned["index_images"] == 2
    assert [name for name in planned if name.startswith("pretrain_")] == ["pretrain_resnet_wbc"]
    own.run(*overlays, overlay="overlays/swapped_roles.yaml")
    return own.folder / "results/swapped_roles"


def test_the_roles_of_target_and_source_can_be_swapped(swapped):
    index = read(swapped / "images/cam16_index.csv")
    rows = read(swapped / "predictions/replicate1/afterWbc_cam16_100.csv")
    assert [row["id"] for row in rows] == [row["id"] for row in index if row["split"] == "test"]
    assert list(rows[0]) == ["id", "label", "predicted", "p_normal", "p_tumor"]
    source = read(swapped / "predictions/resnet_wbc.csv")
    assert len(source) == 15
    assert len([column for column in source[0] if column.startswith("p_")]) == 5


def test_the_swapped_tables_are_of_both(swapped):
    summary = read(swapped / "summary.csv")
    arms = {(row["table"], row["arm"]) for row in summary}
    controls = {("1", "majority"), ("1", "slide_only")}
    assert arms == {("1", "resnet"), ("1", "afterWbc"), ("2", "resnet_wbc"), *controls}
    assert {row["reported"] for row in summary} == {""}
    text = (swapped / "summary.md").read_text()
    assert "## Table 1: lymph-node patches" in text
    assert "## Table 2: White blood cells, five classes" in text
    assert "prcc" not in outside_the_config(swapped).lower()


def test_the_classifier_goes_on_from_the_other_data_set(swapped, own):
    start = state_of(own.folder / "resources/weights/imagenet_resnet18_32_random.pth")
    source = state_of(swapped / "models/resnet_wbc.pt")
    classifier = state_of(swapped / "models/replicate1/afterWbc_cam16_100.pt")
    frozen = [name for name in start if name.startswith(("layer2.", "layer3."))]
    assert len(frozen) > 40
    assert all(torch.equal(classifier[name], source[name]) for name in frozen)
    assert not torch.equal(source["layer3.0.conv1.weight"], start["layer3.0.conv1.weight"])
    assert not torch.equal(classifier["layer4.0.conv1.weight"], source["layer4.0.conv1.weight"])


# --- layouts


@pytest.fixture(scope="module")
def layouts(own: Workflow) -> tuple[Path, Path]:
    """Results of the same images, by folders and by a table."""
    folders, table = ("overlays/own_images.yaml", "overlays/own_table.yaml")
    wanted = "predictions/replicate1/lite_cells_100.csv"
    own.run(SHORT, "--", f"results/own_images/{wanted}", overlay=folders)
    own.run(table, SHORT, "--", f"results/own_table/{wanted}", overlay=folders)
    return own.folder / "results/own_images", own.folder / "results/own_table"


def test_class_folders_may_have_any_names(layouts):
    results, _ = layouts
    rows = read(results / "predictions/replicate1/lite_cells_100.csv")
    assert list(rows[0])[3:] == [f"p_{name}" for name in OWN_CLASSES]
    assert [row["label"] for row in rows] == [name for name in OWN_CLASSES for _ in range(3)]
    assert all(row["id"].startswith(f"test/{row['label']}/") for row in rows)
    metadata = torch.load(results / "models/replicate1/lite_cells_100.pt", weights_only=True)[
        "metadata"
    ]
    assert metadata["classes"] == list(OWN_CLASSES)


def test_the_same_images_by_a_table_give_the_same_predictions(layouts):
    folders, table = layouts
    assert json.loads((table / "records/replicate1/lite_cells_100.json").read_text())["seconds"] > 0
    for name in (
        "predictions/replicate1/lite_cells_100.csv",
        "history/replicate1/lite_cells_100.csv",
    ):
        assert (table / name).read_bytes() == (folders / name).read_bytes()
    columns = ("id", "split", "label", "pixel_sha256")
    indexes = [
        {
            tuple(row[column] for column in columns)
            for row in read(folder / "images/cells_index.csv")
        }
        for folder in layouts
    ]
    assert indexes[0] == indexes[1]
    assert len(indexes[0]) == 4 * 8 + 4 * 3


def test_a_table_may_lie_anywhere(own):
    table = own.folder / "images/cells/cells.csv"
    planned = own.planned(
        *("overlays/own_table.yaml", SHORT, "--config", "data_root=nowhere"),
        f"datasets={{cells: {{table: {table}}}}}",
        "pathvars={results: results/anywhere}",
        overlay="overlays/own_images.yaml",
    )
    assert planned["index_images"] == 1
