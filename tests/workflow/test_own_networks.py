"""Other networks and ways of pretraining than the published ones, each by an overlay as a user would write it."""

import csv
from pathlib import Path

import pytest
import timm
import torch
from conftest import Workflow
from own_images import SHORT

pytestmark = pytest.mark.long

FOLDER = "overlays"
#: Overlay -> the rules of pretraining, the data sets and the backbones that it alone asks for.
OVERLAYS = {
    "further_source": (["pretrain_marrow_autoencoder"], 2, 1),
    "vit": ([], 1, 2),
    "chain": (
        [
            *("pretrain_lite_cam16", "pretrain_lite_cam16_prcc"),
            *("pretrain_prcc_lite_feature", "pretrain_prcc_lite_label"),
        ],
        *(3, 1),
    ),
}
TOGETHER = """
pathvars: {results: results/together}
experiment: {arms: [vit, withMarrow, liteChain]}
statistics: {baseline: vit}
pretraining:
  marrow_autoencoder: {training: {epochs: 1, batch_size: 8}}
  lite_cam16: {training: {epochs: 1, batch_size: 8}}
  lite_cam16_prcc: {training: {epochs: 1, batch_size: 8}}
"""


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def state_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def names_in(state: dict[str, torch.Tensor], *blocks: str) -> list[str]:
    """Weights of some blocks, without BatchNorm's counters."""
    starts = tuple(f"{block}." for block in blocks)
    return [
        name
        for name in state
        if name.startswith(starts) and not name.endswith("num_batches_tracked")
    ]


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], names: list[str]) -> int:
    """How many of these weights are the same in both."""
    return sum(torch.equal(one[name], other[name]) for name in names)


@pytest.fixture(scope="module")
def together(own: Workflow) -> Path:
    """Results of three overlays in one run, so that it starts fewer processes."""
    (own.folder / "together.yaml").write_text(TOGETHER)
    overlays = [f"{FOLDER}/{name}.yaml" for name in OVERLAYS]
    own.run(*overlays[1:], SHORT, "together.yaml", overlay=overlays[0])
    return own.folder / "results/together"


@pytest.fixture(scope="module")
def weights(own: Workflow, together: Path) -> Path:
    return own.folder / "resources/weights"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_asks_for_what_its_arms_need_and_no_more(own, overlay):
    pretraining, datasets, backbones = OVERLAYS[overlay]
    options = (SHORT, "--config", "pathvars={resources: nothing}")
    planned = own.planned(*options, overlay=f"{FOLDER}/{overlay}.yaml")
    assert sorted(name for name in planned if name.startswith("pretrain_")) == pretraining
    assert planned["index_images"] == planned["pack_images"] == datasets
    assert planned["fetch_weights"] == backbones
    assert planned["train_classifier"] == 2


# --- a third source, without labels


def test_a_further_source_without_labels_has_test_images_of_its_own(together):
    index = read(together / "images/marrow_index.csv")
    assert [row["label"] for row in index] == [""] * 10
    assert sorted(row["split"] for row in index) == ["test"] * 2 + ["train"] * 8
    assert (together / "figures/marrow_autoencoder_reconstructions.png").stat().st_size > 0
    report = (together / "leakage/leakage.md").read_text()
    assert "| wbc test in marrow train | 15 |" in report


def test_its_autoencoder_reaches_the_classifier_unchanged(together):
    autoencoder = state_of(together / "models/marrow_autoencoder.pt")
    classifier = state_of(together / "models/replicate1/withMarrow_wbc_100.pt")
    inside = [name for name in autoencoder if name.startswith("encoder.")]
    assert len(inside) > 10
    for name in inside:
        other = classifier[f"encoders.marrow_autoencoder.{name.removeprefix('encoder.')}"]
        assert torch.equal(other, autoencoder[name]), name
    head = classifier["head.weight"]
    assert tuple(head.shape) == (5, 512 + 512)


# --- a vision transformer


def test_a_vision_transformer_is_trained_in_the_blocks_that_the_config_opens(together, weights):
    start = state_of(weights / "imagenet_vit_tiny_32_random.pth")
    classifier = state_of(together / "models/replicate1/vit_wbc_100.pt")
    frozen = names_in(start, "patch_embed", *(f"blocks.{number}" for number in range(10)))
    frozen += ["cls_token", "pos_embed"]
    opened = names_in(start, "blocks.10", "blocks.11", "norm")
    assert len(frozen) == 2 + 10 * 12 + 2
    assert equal(classifier, start, frozen) == len(frozen)
    assert len(opened) == 2 * 12 + 2
    assert equal(classifier, start, opened) == 0
    cached = [path.name for path in (together / "feature_cache/all").glob("*.npy")]
    assert "imagenet_vit_tiny_before-blocks.10+blocks.11+norm_plain_flips+turns.npy" in cached


def test_the_library_loads_the_transformer_that_was_trained(together):
    state = state_of(together / "models/replicate1/vit_wbc_100.pt")
    network = timm.create_model("vit_tiny_patch16_224", num_classes=5, img_size=32)
    network.load_state_dict(state)
    assert tuple(state["head.weight"].shape) == (5, 192)


# --- a chain, from packaged weights


def test_the_chain_starts_from_the_packaged_weights(together, weights):
    """The first link trains all of the network, and goes on from ImageNet's weights, not from random ones."""
    start = state_of(weights / "imagenet_efficientnet_lite0_32_packaged.pth")
    trained = state_of(together / "models/lite_cam16.pt")
    filters = [
        name
        for name in names_in(start, "conv_stem", "blocks", "conv_head")
        if start[name].dim() == 4
    ]
    assert len(filters) == 49
    assert equal(trained, start, filters) == 0
    for name in filters:
        moved = (trained[name] - start[name]).norm() / start[name].norm()
        assert moved < 0.2, name
    # BatchNorm keeps ImageNet's statistics, as the config asks.
    statistics = [name for name in start if name.endswith(("running_mean", "running_var"))]
    assert equal(trained, start, statistics) == len(statistics) == 98


def test_each_link_of_the_chain_goes_on_from_the_one_before(together, weights):
    start = state_of(weights / "imagenet_efficientnet_lite0_32_packaged.pth")
    first = state_of(together / "models/lite_cam16.pt")
    second = state_of(together / "models/lite_cam16_prcc.pt")
    classifier = state_of(together / "models/replicate1/liteChain_wbc_100.pt")
    kept = names_in(first, "conv_stem", "bn1", *(f"blocks.{number}" for number in range(5)))
    assert equal(second, first, kept) == len(kept) > 150
    assert equal(classifier, first, kept) == len(kept)
    filters = [name for name in kept if name.endswith("conv_pw.weight")]
    assert equal(first, start, filters) == 0
    fifth = names_in(second, "blocks.5")
    assert equal(classifier, second, fifth) == len(fifth)
    for block, one, other in (
        ("blocks.5", second, first),
        ("blocks.6", second, first),
        ("blocks.6", classifier, second),
    ):
        [changed, *_] = [name for name in names_in(one, block) if name.endswith("conv_pw.weight")]
        assert not torch.equal(one[changed], other[changed]), block


def test_the_chain_learns_its_own_pseudo_labels(together):
    labels = {row["id"]: row["cluster"] for row in read(together / "clusters/prcc_lite_label.csv")}
    assert len(labels) == 12
    assert set(labels.values()) == {"0", "1"}
    features = read(together / "features/prcc_lite_feature.csv")
    assert len(features[0]) == 1 + 1280
    tested = read(together / "predictions/lite_cam16_prcc.csv")
    assert tested
    assert all(row["label"] == labels[row["id"]] for row in tested)


# --- what all of it leads to


def test_the_tables_list_the_arms_and_the_pretrained_classifiers(together):
    summary = read(together / "summary.csv")
    assert {(row["table"], row["arm"]) for row in summary} == {
        *(("1", arm) for arm in ("vit", "withMarrow", "liteChain", "majority", "slide_only")),
        *(("2", "lite_cam16"), ("3", "lite_cam16_prcc")),
    }
    compared = {row["arm"] for row in read(together / "comparisons.csv")}
    assert compared == {"withMarrow", "liteChain"}
    text = (together / "summary.md").read_text()
    assert "random weights" in text
    [starts] = [line for line in text.splitlines() if "random weights" in line]
    assert "imagenet_vit_tiny" in starts
    assert "lite0" not in starts
