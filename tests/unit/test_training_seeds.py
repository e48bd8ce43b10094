"""What each seed decides: the subset's seed the images, the run's seed the head's start, the order and the views."""

import itertools

import numpy as np
import pytest
import torch
from builders import TRAINING, draw_subset, train, write_autoencoder, write_subset
from watching import pixels_reaching

from fewlabels.core.files import read_csv
from fewlabels.networks.checkpoints import load_classifier

SEEDS = (1, 2, 3)
PLAIN = TRAINING | {"flips": False, "rotation": "none", "epochs": 2}
AT_REST = PLAIN | {"learning_rate": 1e-30, "epochs": 1}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    path = write_autoencoder(tmp_path_factory.mktemp("weights") / "autoencoder.pt")
    return {"pRCC_autoencoder": (path, ["conv2", "latent"])}


@pytest.fixture(scope="module")
def subsets(wbc_data, tmp_path_factory):
    """Seed -> a subset of half of the images."""
    folder = tmp_path_factory.mktemp("subsets")
    return {seed: draw_subset(wbc_data, folder / f"{seed}.csv", "50", seed) for seed in SEEDS}


def ids_in(subset, part: str = "train") -> list[str]:
    return [row["id"] for row in read_csv(subset) if row["part"] == part]


@pytest.fixture(scope="module")
def name_of(wbc_data):
    """Gives the id of an image, with `` masked`` behind it, from its pixels in 0 ... 255; nothing is turned."""
    plain = [row["id"] for row in wbc_data.index]
    masked = [row["id"] for row in wbc_data.index if row["mask"]]
    pictures = [*wbc_data.pictures(plain), *wbc_data.pictures(masked, masked=True)]
    names = [*plain, *(f"{name} masked" for name in masked)]
    known = {pixels.tobytes(): name for name, pixels in zip(names, pictures, strict=True)}
    return lambda pixels: known[np.round(pixels).astype(np.uint8).tobytes()]


@pytest.fixture
def run(wbc_data, encoders, name_of, tmp_path):
    """Trains, and gives the ids of each batch that the network saw, and the model in its last state."""
    number = itertools.count()

    def run(subset, seed, training=PLAIN, **options):
        out = tmp_path / str(next(number))
        with pixels_reaching() as seen:
            train(wbc_data, out, subset, encoders, training=training, seed=seed, **options)
        batches = [[name_of(image) for image in batch] for batch in seen]
        return batches, load_classifier(out / "checkpoint.pt")[0]

    return run


def trained_on(batches: list[list[str]]) -> list[str]:
    return [name for batch in batches for name in batch if name.startswith("train/")]


def test_other_seeds_draw_other_subsets(wbc_data, subsets, tmp_path):
    drawn = {seed: ids_in(path) for seed, path in subsets.items()}
    assert len({frozenset(names) for names in drawn.values()}) == len(SEEDS)
    for seed, names in drawn.items():
        assert ids_in(draw_subset(wbc_data, tmp_path / "again.csv", "50", seed)) == names


def test_other_seeds_hold_out_other_validation_images(wbc_data, tmp_path):
    def held_out(seed: int) -> list[str]:
        share = {"validation_share": 0.25}
        path = draw_subset(wbc_data, tmp_path / "subset.csv", "100", seed, **share)
        assert len(ids_in(path)) == 18
        return ids_in(path, "validation")

    drawn = {seed: held_out(seed) for seed in SEEDS}
    assert all(len(names) == 6 for names in drawn.values())
    assert len({frozenset(names) for names in drawn.values()}) == len(SEEDS)
    assert {seed: held_out(seed) for seed in SEEDS} == drawn


@pytest.mark.parametrize(("subset_seed", "seed"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_crossed_runs(run, subsets, subset_seed, seed):
    """The images are the subset's; the head starts, and the images come, as the run's own seed says."""
    batches, model = run(subsets[subset_seed], seed, AT_REST)
    order = trained_on(batches)
    assert sorted(order) == ids_in(subsets[subset_seed])
    # The same seed on the other subset: the same head, the same order of places; other images.
    other_subset = subsets[3 - subset_seed]
    other_batches, other_model = run(other_subset, seed, AT_REST)
    for one, other in zip(model.head.parameters(), other_model.head.parameters(), strict=True):
        assert torch.equal(one, other)
    places, other_places = (
        [ids_in(subset).index(name) for name in trained_on(seen)]
        for subset, seen in ((subsets[subset_seed], batches), (other_subset, other_batches))
    )
    assert places == other_places
    assert sorted(order) != sorted(trained_on(other_batches))
    # Another seed on the same subset: another head, another order; the same images.
    other_batches, other_model = run(subsets[subset_seed], 3 - seed, AT_REST)
    for one, other in zip(model.head.parameters(), other_model.head.parameters(), strict=True):
        assert not torch.equal(one, other)
    assert trained_on(other_batches) != order
    assert sorted(trained_on(other_batches)) == sorted(order)


def test_equal_seeds_give_equal_models_and_orders(run, subsets):
    batches, model = run(subsets[1], 1)
    again, same_model = run(subsets[1], 1)
    assert batches == again
    for name, value in model.state_dict().items():
        assert torch.equal(value, same_model.state_dict()[name]), name


def test_heads_of_all_replicates_differ_though_encoders_are_the_same(run, subsets):
    models = [run(subsets[seed], seed, AT_REST)[1] for seed in SEEDS]
    for one, other in itertools.combinations(models, 2):
        assert not torch.equal(one.head.weight, other.head.weight)
        weights = [model.encoders["pRCC_autoencoder"].latent.weight for model in (one, other)]
        assert torch.equal(*weights)


def test_validation_and_test_images_are_evaluated_and_never_trained_on(wbc_data, run, tmp_path):
    share = {"validation_share": 0.25}
    subset = draw_subset(wbc_data, tmp_path / "subset.csv", "100", 1, **share)
    held_out, test = ids_in(subset, "validation"), [row["id"] for row in wbc_data.rows("test")]
    batches, _ = run(subset, 1, validation=True)
    training = [batch for batch in batches if not set(batch) & {*held_out, *test}]
    evaluation = [batch for batch in batches if set(batch) & {*held_out, *test}]
    # Two epochs over the rest.
    assert sorted(name for batch in training for name in batch) == sorted(ids_in(subset) * 2)
    # After each epoch; the predictions are those of the last.
    assert sorted(evaluation) == sorted([held_out, test] * 2)


@pytest.mark.parametrize(
    ("mask_use", "test_masks"),
    [("off", "arm"), ("replace", "arm"), ("replace", "off"), ("append", "arm")],
)
def test_masked_images_are_those_of_the_subsets_own_masks(
    wbc_data, run, tmp_path, mask_use, test_masks
):
    rows = wbc_data.rows("train")
    # Every second mask is of this subset.
    used = [row["id"] for row in rows if row["mask"]][::2]
    assert len(used) == 3
    rows = [row | {"mask": row["mask"] if row["id"] in used else ""} for row in rows]
    subset = write_subset(tmp_path / "subset.csv", rows)
    batches, _ = run(subset, 1, AT_REST, mask_use=mask_use, test_masks=test_masks)
    names = [row["id"] for row in rows]
    if mask_use == "replace":
        names = [f"{name} masked" if name in used else name for name in names]
    elif mask_use == "append":
        names += [f"{name} masked" for name in used]
    assert sorted(trained_on(batches)) == sorted(names)
    test = wbc_data.rows("test")
    masked = (mask_use, test_masks) == ("replace", "arm")
    assert batches[-1] == [
        f"{row['id']} masked" if row["mask"] and masked else row["id"] for row in test
    ]
