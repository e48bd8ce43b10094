"""What masks of every encoding mean: the mask that was meant comes back, or the run asks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mask_writers import (
    LOSSY,
    PLAIN,
    SIDE,
    UNCLEAR,
    Writer,
    black_and_white,
    disc,
    grey,
    jpeg,
    looked_up,
    nucleus,
    one_colour,
    opaque_inside,
    probabilities,
    smooth,
    three_levels,
    with_alpha,
    write_set,
)
from PIL import Image

from fewlabels.data.damage import UnusableImageError
from fewlabels.data.mask_reading import MaskReading, UnclearMasksError, decide_masks
from fewlabels.data.masks import decode_mask, foreground_share, read_mask

BLACK_ON_WHITE = MaskReading()


def decide(paths: dict[str, Path], wanted="auto") -> MaskReading:
    return decide_masks({name: read_mask(path, 50) for name, path in paths.items()}, wanted)


def overlap(found: np.ndarray, mask: np.ndarray) -> float:
    assert found.dtype == bool
    assert found.shape == mask.shape
    return (found & mask).sum() / max(1, (found | mask).sum())


def come_back(
    folder: Path, write: Writer, masks: Sequence[np.ndarray], least: float, wanted="auto"
) -> MaskReading:
    """Assert that masks are read as they are meant."""
    paths = write_set(folder, write, masks)
    reading = MaskReading.from_json(decide(paths, wanted).model_dump_json())
    for path, mask in zip(paths.values(), masks, strict=True):
        found = decode_mask(path, reading, 50)
        assert mask.sum() == 0 or overlap(found, mask) >= least, path
        assert found.any() or not mask.any()
        assert foreground_share(read_mask(path, 50), reading) == pytest.approx(found.mean())
    return reading


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_encoding_is_read_as_meant(tmp_path, name):
    reading = come_back(
        tmp_path, PLAIN[name], [disc(n) for n in range(3)], 0.85 if name in LOSSY else 1
    )
    assert reading.chosen == "auto"
    assert reading.seen


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(PLAIN)),
    numbers=st.lists(st.integers(0, 1000), min_size=1, max_size=4),
    empty=st.integers(0, 2),
    full=st.integers(0, 1),
)
def test_sets_with_empty_and_full_masks_are_read_as_meant(
    tmp_path_factory, name, numbers, empty, full
):
    masks = [disc(number) for number in numbers]
    masks += [np.zeros_like(masks[0])] * empty + [np.ones_like(masks[0])] * full
    assume(not (name == "palette gif" and full))  # Pillow numbers the colours of each GIF anew
    folder = tmp_path_factory.mktemp("masks")
    come_back(folder, PLAIN[name], masks, 0.85 if name in LOSSY else 1)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(
        sorted(set(PLAIN) - LOSSY - {"palette gif", "cut-out", "cut-out on black"})
    ),
    pixels=st.lists(arrays(bool, (5, 4)), min_size=1, max_size=3),
)
def test_lossless_masks_of_any_shape_are_read_as_meant(tmp_path_factory, name, pixels):
    # Where no mask has a background, nothing says that its values are not the background's.
    assume(any(not mask.all() for mask in pixels) and any(mask.any() for mask in pixels))
    come_back(tmp_path_factory.mktemp("masks"), PLAIN[name], pixels, 1)


def test_palettes_that_number_colours_anew_are_asked_for(tmp_path):
    paths = write_set(tmp_path, PLAIN["palette gif"], [disc(1), np.ones((SIDE, SIDE), bool)])
    with pytest.raises(UnclearMasksError, match=r"1\.png: has the colour 128, 0, 0 at index 0"):
        decide(paths)


ONE_OF_EACH = sorted(set(PLAIN) - {"all transparent", "constant alpha"})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    names=st.lists(st.sampled_from(ONE_OF_EACH), min_size=2, max_size=2, unique=True),
    numbers=st.lists(st.integers(0, 1000), min_size=2, max_size=4, unique=True),
)
def test_mixed_encodings_are_read_as_meant_or_asked_for(tmp_path_factory, names, numbers):
    folder, masks = tmp_path_factory.mktemp("masks"), [disc(number) for number in numbers]
    paths = {}
    for number, mask in enumerate(masks):
        paths[f"{number}.png"] = PLAIN[names[number % 2]](mask, folder / f"mask{number}")
    try:
        reading = decide(paths)
    except UnclearMasksError as error:
        assert error.path in paths
        assert "mask_foreground" in error.remedy
        assert "\n" not in str(error)
        return
    for path, mask in zip(paths.values(), masks, strict=True):
        assert overlap(decode_mask(path, reading, 50), mask) > 0.85, (names, reading)


def test_the_rule_of_128_stays_for_black_and_white(tmp_path):
    for write in (grey(0, 255), jpeg(0, 255, 75), smooth(255)):
        reading = decide(write_set(tmp_path, write, [disc(1), disc(2)]))
        values = np.array([[0, 127, 128, 255]], np.uint8)
        if write is not PLAIN["grey 0 255"] and reading.foreground != [(255, 255)]:
            assert reading.foreground == [(128, 255)]
            Image.fromarray(values).save(tmp_path / "values.png")
            found = decode_mask(tmp_path / "values.png", reading, 50)
            assert found.tolist() == [[False, False, True, True]]


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_unclear_is_asked_for(tmp_path, name):
    write, pattern = UNCLEAR[name]
    paths = write_set(tmp_path, write, [disc(n) for n in range(3)])
    with pytest.raises(UnclearMasksError, match=pattern) as caught:
        decide(paths)
    assert caught.value.path in paths
    assert "mask_foreground" in caught.value.remedy


def test_probabilities_are_asked_for_and_cut_where_the_config_says(tmp_path):
    paths = write_set(tmp_path, probabilities, [disc(1)])
    with pytest.raises(UnclearMasksError, match="no two levels"):
        decide(paths)
    reading = decide(paths, 0.5)
    found = decode_mask(paths["0.png"], reading, 50)
    np.testing.assert_array_equal(found, np.asarray(Image.open(paths["0.png"])) >= 0.5)
    assert reading.chosen == "config"


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ([127, 255], lambda mask: mask),
        ([255], nucleus),
        ([127], lambda mask: mask & ~nucleus(mask)),
        ([0], np.logical_not),
        (100, lambda mask: mask),
        (200, nucleus),
    ],
)
@pytest.mark.parametrize(("suffix", "options"), [(".png", {}), (".jpg", {"quality": 95})])
def test_the_config_names_levels_or_the_lowest_value(tmp_path, wanted, meant, suffix, options):
    masks = [disc(n) for n in range(2)]
    paths = write_set(tmp_path, three_levels(looked_up(0, 127, 255), suffix, **options), masks)
    reading = decide(paths, wanted)
    for path, mask in zip(paths.values(), masks, strict=True):
        # Edges between 0 and 255 pass the middle level.
        assert overlap(decode_mask(path, reading, 50), meant(mask)) > (0.8 if options else 0.999)


def test_thin_lines_are_asked_for_unless_they_are_white(tmp_path):
    """Compression leaves no pixel of them as it was."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    ring = np.abs(np.hypot(rows - 20, columns - 20) - 12) < 1
    reading = decide(write_set(tmp_path / "white", jpeg(0, 255, 80), [ring]))
    assert reading.foreground == [(128, 255)]
    with pytest.raises(UnclearMasksError, match="thin lines or uneven regions"):
        decide(write_set(tmp_path / "grey", jpeg(0, 127, 80), [ring]))


def test_levels_that_the_set_lacks_are_named(tmp_path):
    paths = write_set(tmp_path, grey(0, 127), [disc(1)])
    with pytest.raises(
        UnclearMasksError, match=r"names the level 255, the masks have the levels 0, 127"
    ):
        decide(paths, [127, 255])


def test_white_begins_at_128_also_where_the_config_names_it(tmp_path):
    paths = write_set(tmp_path, jpeg(0, 255, 80), [disc(1)])
    assert decide(paths, [255]).foreground == decide(paths).foreground == [(128, 255)]
    assert decide(paths, [0]).foreground == [(0, 127)]


def test_bright_background_is_named_by_its_level(tmp_path):
    reading = decide(write_set(tmp_path, grey(1, 2), [disc(1)]), [1])
    assert overlap(decode_mask(tmp_path / "mask0.png", reading, 50), ~disc(1)) == 1


@pytest.mark.parametrize("wanted", ["opaque", "transparent"])
def test_the_config_says_which_side_of_alpha(tmp_path, wanted):
    write = with_alpha(one_colour(0, 0, 0), opaque_inside)
    meant = disc(1) if wanted == "opaque" else ~disc(1)
    come_back(tmp_path, write, [meant if wanted == "opaque" else ~meant], 1, "opaque")
    reading = decide(write_set(tmp_path, write, [disc(1)]), wanted)
    np.testing.assert_array_equal(decode_mask(tmp_path / "mask0.png", reading, 50), meant)
    share = foreground_share(read_mask(tmp_path / "mask0.png", 50), reading)
    assert share == pytest.approx(meant.mean())


def test_alpha_is_asked_for_where_there_is_none(tmp_path):
    paths = write_set(tmp_path, grey(0, 255), [disc(1)])
    with pytest.raises(UnclearMasksError, match="has no alpha channel"):
        decide(paths, "opaque")
    with pytest.raises(UnusableImageError, match="no alpha channel"):
        decode_mask(paths["0.png"], MaskReading(source="opaque", foreground=[]), 50)


def test_black_and_white_painted_on_transparent_is_the_mask(tmp_path):
    paths = write_set(tmp_path, with_alpha(black_and_white, opaque_inside), [disc(1), disc(2)])
    reading = decide(paths)
    assert reading.source == "grey"
    assert overlap(decode_mask(paths["0.png"], reading, 50), nucleus(disc(1))) == 1


def test_a_file_of_another_encoding_is_named(tmp_path):
    paths = write_set(tmp_path, grey(0, 255), [disc(n) for n in range(3)])
    paths["odd.png"] = grey(0, 1)(disc(7), tmp_path / "odd")
    with pytest.raises(
        UnclearMasksError, match=r"odd\.png: holds 0, 1, all masks together.*0, 1, 255"
    ):
        decide(paths)
    noisy = write_set(tmp_path, jpeg(0, 255, 90), [disc(n) for n in range(3)])
    noisy["odd.png"] = paths["odd.png"]
    with pytest.raises(UnclearMasksError, match=r"odd\.png: holds values 0, 1, .* background"):
        decide(noisy)


@pytest.mark.parametrize(("value", "share"), [(0, 0), (1, 1), (127, 1), (255, 1)])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_one_value_is_used_as_empty_or_full(tmp_path, value, share, suffix):
    path = tmp_path / f"mask{suffix}"
    Image.new("L", (16, 16), value).save(path)
    reading = decide({"a.png": path})
    assert foreground_share(read_mask(path, 50), reading) == share
    assert decode_mask(path, reading, 50).mean() == share
    assert reading.seen.startswith("one value in all masks")


def test_no_masks_are_read_as_ever():
    assert decide_masks({}) == BLACK_ON_WHITE
    assert BLACK_ON_WHITE.foreground == [(128, 255)]


def test_a_broken_mask_is_unusable(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"nothing")
    for read in (read_mask, lambda path, limit: decode_mask(path, BLACK_ON_WHITE, limit)):
        with pytest.raises(UnusableImageError):
            read(tmp_path / "mask.png", 50)


def test_what_is_kept_of_a_mask_is_small(tmp_path):
    values = np.random.default_rng(0).random((200, 200), np.float32)
    Image.fromarray(values).save(tmp_path / "mask.tif")
    counts = read_mask(tmp_path / "mask.tif", 50).values
    assert counts.values.size == 4096
    assert counts.total == values.size
