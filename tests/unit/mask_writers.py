"""Masks of every encoding, written for tests: those whose meaning is plain, and those that must be asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from builders import picture
from PIL import Image

SIDE = 40


def disc(number: int, side: int = SIDE) -> np.ndarray:
    """A true mask, bool; another for each number, none of them symmetric."""
    generator = np.random.default_rng(number)
    y, x = generator.uniform(0.4, 0.55, 2) * side
    rows, columns = np.mgrid[:side, :side]
    return np.hypot(rows - y, (columns - x) * generator.uniform(0.8, 1.2)) < 0.28 * side


def nucleus(mask: np.ndarray) -> np.ndarray:
    """The middle of a disc."""
    y, x = (place.mean() for place in np.nonzero(mask))
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    return mask & (np.hypot(rows - y, columns - x) < 0.5 * np.sqrt(mask.sum() / np.pi))


Writer = Callable[[np.ndarray, Path], Path]


def grey(low: float, high: float, dtype: type = np.uint8, suffix: str = ".png") -> Writer:
    """A lossless file of two values."""

    def write(mask: np.ndarray, stem: Path) -> Path:
        values = np.where(mask, high, low).astype(dtype)
        Image.fromarray(values).save(stem.with_suffix(suffix))
        return stem.with_suffix(suffix)

    return write


def jpeg(low: int, high: int, quality: int, mode: str = "L") -> Writer:
    def write(mask: np.ndarray, stem: Path) -> Path:
        image = Image.fromarray(np.where(mask, high, low).astype(np.uint8)).convert(mode)
        image.save(stem.with_suffix(".jpg"), quality=quality)
        return stem.with_suffix(".jpg")

    return write


def smooth(high: int) -> Writer:
    """Edges averaged, as by drawing at twice the size."""

    def write(mask: np.ndarray, stem: Path) -> Path:
        large = Image.fromarray(mask.astype(np.uint8) * high).resize((4 * SIDE, 4 * SIDE), 0)
        moved = large.transform(large.size, Image.Transform.AFFINE, (1, 0.02, 0.6, 0.03, 1, -0.4))
        moved.resize((SIDE, SIDE), Image.Resampling.BOX).save(stem.with_suffix(".png"))
        return stem.with_suffix(".png")

    return write


def palette(
    colours: Sequence[int], indices: tuple[int, int] = (0, 1), suffix: str = ".png", **options: int
) -> Writer:
    def write(mask: np.ndarray, stem: Path) -> Path:
        image = Image.fromarray(np.where(mask, indices[1], indices[0]).astype(np.uint8), "P")
        image.putpalette(colours)
        image.save(stem.with_suffix(suffix), **options)
        return stem.with_suffix(suffix)

    return write


def bilevel(mask: np.ndarray, stem: Path) -> Path:
    Image.fromarray(mask).save(stem.with_suffix(".png"))
    return stem.with_suffix(".png")


def with_alpha(colours: Callable[[np.ndarray], np.ndarray], alpha: Callable) -> Writer:
    def write(mask: np.ndarray, stem: Path) -> Path:
        layers = np.dstack([colours(mask), alpha(mask)]).astype(np.uint8)
        Image.fromarray(layers, "RGBA").save(stem.with_suffix(".png"))
        return stem.with_suffix(".png")

    return write


def on_black(mask: np.ndarray, stem: Path) -> Path:
    """Cut out, but with black around it in place of transparency."""
    Image.fromarray(a_picture(mask) * mask[..., None]).save(stem.with_suffix(".png"))
    return stem.with_suffix(".png")


def a_picture(mask: np.ndarray) -> np.ndarray:
    return np.asarray(picture((150, 90, 160), int(mask.sum()), (SIDE, SIDE)))


def one_colour(*colour: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda mask: np.broadcast_to(np.array(colour), (*mask.shape, 3))


def black_and_white(mask: np.ndarray) -> np.ndarray:
    return np.repeat(nucleus(mask)[..., None], 3, 2) * 255


def opaque_inside(mask: np.ndarray) -> np.ndarray:
    return mask * 255


#: Encodings whose meaning is plain.
PLAIN: dict[str, Writer] = {
    **{f"grey 0 {high}": grey(0, high) for high in (1, 2, 38, 127, 128, 254, 255)},
    **{f"grey 0 1 {suffix}": grey(0, 1, suffix=suffix) for suffix in (".bmp", ".tif", ".gif")},
    "16 bits 0 1": grey(0, 1, np.uint16),
    "16 bits 0 65535": grey(0, 65535, np.uint16, ".tif"),
    "32 bits 0 1": grey(0, 1, np.int32, ".tif"),
    "float 0 1": grey(0, 1, np.float32, ".tif"),
    "float 0 255": grey(0, 255, np.float32, ".tif"),
    "bilevel": bilevel,
    "palette red": palette([0, 0, 0, 128, 0, 0]),
    "palette bright background": palette([255, 255, 0, 0, 0, 90]),
    "palette of greys": palette([0, 0, 0, 255, 255, 255]),
    "palette of greys, white first": palette([255, 255, 255, 0, 0, 0], (1, 0)),
    "palette gif": palette([0, 0, 0, 128, 0, 0], suffix=".gif"),
    **{f"jpeg 0 255 {quality}": jpeg(0, 255, quality) for quality in (50, 75, 95)},
    "jpeg 0 255 in colour": jpeg(0, 255, 85, "RGB"),
    **{f"jpeg 0 127 {quality}": jpeg(0, 127, quality) for quality in (75, 95)},
    "smooth 255": smooth(255),
    "smooth 127": smooth(127),
    "cut-out": with_alpha(a_picture, opaque_inside),
    "cut-out on black": with_alpha(lambda mask: a_picture(mask) * mask[..., None], opaque_inside),
    "red on transparent": with_alpha(one_colour(255, 0, 0), opaque_inside),
    "white on transparent": with_alpha(one_colour(255, 255, 255), opaque_inside),
    "palette, transparent background": palette([0, 0, 0, 255, 0, 0], transparency=0),
    "constant alpha": with_alpha(
        lambda mask: np.repeat(mask[..., None], 3, 2) * 255, lambda m: m * 0 + 255
    ),
    "all transparent": with_alpha(
        lambda mask: np.repeat(mask[..., None], 3, 2) * 255, lambda m: m * 0
    ),
}
LOSSY = {name for name in PLAIN if name.startswith(("jpeg", "smooth"))}


def write_set(folder: Path, write: Writer, masks: Sequence[np.ndarray]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return {f"{n}.png": write(mask, folder / f"mask{n}") for n, mask in enumerate(masks)}


def three_levels(
    write: Callable[[np.ndarray], Image.Image], suffix: str = ".png", **options
) -> Writer:
    def save(mask: np.ndarray, stem: Path) -> Path:
        levels = mask.astype(np.uint8) + nucleus(mask)
        write(levels).save(stem.with_suffix(suffix), **options)
        return stem.with_suffix(suffix)

    return save


def looked_up(*values: int) -> Callable[[np.ndarray], Image.Image]:
    return lambda levels: Image.fromarray(np.array(values, np.uint8)[levels])


def coloured(levels: np.ndarray) -> Image.Image:
    image = Image.fromarray(levels, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return image


def blurred(levels: np.ndarray) -> Image.Image:
    rows, columns = np.mgrid[: levels.shape[0], : levels.shape[1]]
    distance = np.hypot(rows - 20, columns - 20)
    return Image.fromarray((255 / (1 + np.exp((distance - 11) / 3))).astype(np.uint8))


def drawn(levels: np.ndarray) -> Image.Image:
    """Instance labels."""
    labels = np.zeros(levels.shape, np.uint16)
    for number in range(1, 8):
        labels[4 * number : 4 * number + 3, 5:30] = number
    return Image.fromarray(labels)


#: Encodings that say nothing certain, and what the message must name.
UNCLEAR: dict[str, tuple[Writer, str]] = {
    "1 2": (grey(1, 2), r"1, 2, but no 0"),
    "100 200 jpeg": (jpeg(100, 200, 90), r"none of 0"),
    "0 127 255": (three_levels(looked_up(0, 127, 255)), r"0, 127, 255.*\[127, 255\]"),
    "0 128 255": (three_levels(looked_up(0, 128, 255)), r"0, 128, 255"),
    "0 1 2": (three_levels(looked_up(0, 1, 2)), r"0, 1, 2"),
    "0 1 255": (three_levels(looked_up(0, 1, 255)), r"0, 1, 255"),
    "three levels, jpeg": (
        three_levels(looked_up(0, 127, 255), ".jpg", quality=90),
        r"levels 0, 12\d, 25\d",
    ),
    "three levels, poor jpeg": (
        three_levels(looked_up(0, 110, 255), ".jpg", quality=60),
        r"levels \d, 1\d\d, 25\d",
    ),
    "three indices": (three_levels(coloured), r"0, 1, 2"),
    "labels": (three_levels(drawn), r"0, 1, 2, 3"),
    "probabilities": (three_levels(blurred), r"no two levels"),
    "pictures on black": (on_black, r"level near 0, and values near|no two levels"),
    "black on transparent": (
        with_alpha(one_colour(0, 0, 0), opaque_inside),
        r"is black where it is opaque",
    ),
    "two colours on transparent": (
        with_alpha(
            lambda mask: np.where(nucleus(mask), 200, 100)[..., None].repeat(3, 2), opaque_inside
        ),
        r"100, 200 where it is opaque",
    ),
}


def probabilities(mask: np.ndarray, stem: Path) -> Path:
    values = np.asarray(blurred(mask), np.float32) / 255
    Image.fromarray(values).save(stem.with_suffix(".tif"))
    return stem.with_suffix(".tif")
