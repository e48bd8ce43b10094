"""Drawings of tissue sections in haematoxylin and eosin, and the layout of their data sets.

CAM16: patches of a lymph node, with or without a tumour. pRCC: regions of papillary kidney
carcinoma of two types. As in the blood cells, the class lies in the morphology alone: stains come
from one distribution, and the mean colour of each image is settled on a value that knows no class.
"""

import numpy as np

from fewlabels.synthetic.drawing import (
    Task,
    band_noise,
    generator,
    jittered_grid,
    masked_count,
    paint,
    photograph,
    resize_field,
    resize_mask,
    sample,
    settle_mean,
    soft_noise,
    stain,
    wavy_polygons,
)

CAM16_CLASSES = ("normal", "tumor")
CAM16_SPLITS = ("train", "val", "test")
CAM16_FOLDER = "CAM16_100cls_10mask"
CAM16_DATASET = 2
_CAM16_CANVAS = 384
_CAM16_MEAN = (160.0, 107.0, 166.0)

PRCC_TYPES = ("type1", "type2")
PRCC_FOLDER = "pRCC_nolabel"
PRCC_DATASET = 3
_PRCC_CANVAS = 1000
_PRCC_MEAN = (201.0, 166.0, 202.0)
# Three of type 1 in every five images: the real set has 870 and 547.
_PRCC_BLOCK = (0, 0, 0, 1, 1)

_IMAGE, _TYPES = 1, 2  # streams of random numbers, one for each purpose


# --- layout -----------------------------------------------------------------------------------


def plan_cam16(seed: int, totals: tuple[int, int, int], size: int, mask_share: float) -> list[Task]:
    """List the patches of CAM16: ``totals`` of train, val and test, half of them with a tumour."""
    tasks = []
    for split, total in enumerate(totals):
        where = f"{CAM16_FOLDER}/{CAM16_SPLITS[split]}"
        for label, name in enumerate(CAM16_CLASSES):
            count = (total + 1 - label) // 2
            masks = masked_count(count, mask_share) if split == 0 else 0
            for index in range(count):
                place = f"{name}/{CAM16_SPLITS[split]}_{name}_{index + 1:03d}.jpg"
                tasks.append(
                    Task(
                        path=f"{where}/data/{place}",
                        draw=draw_lymph_node,
                        arguments=(seed, split, label, index, size),
                        mask_path=f"{where}/mask/{place}" if index < masks else None,
                    )
                )
    return tasks


def prcc_type(seed: int, index: int) -> int:
    """Give the hidden type, 0 or 1, of region ``index``: shuffled within every five images."""
    block, place = divmod(index, len(_PRCC_BLOCK))
    return int(generator(seed, PRCC_DATASET, _TYPES, block).permutation(_PRCC_BLOCK)[place])


def plan_prcc(seed: int, total: int, size: int) -> tuple[list[Task], list[dict[str, str]]]:
    """List the pRCC regions, and their hidden types as rows of ``id`` (file name) and ``type``."""
    tasks, truth = [], []
    for index in range(total):
        name, label = f"prcc_{index + 1:04d}.jpg", prcc_type(seed, index)
        arguments = (seed, label, index, size)
        tasks.append(Task(path=f"{PRCC_FOLDER}/{name}", draw=draw_kidney, arguments=arguments))
        truth.append({"id": name, "type": PRCC_TYPES[label]})
    return tasks, truth


# --- drawing ----------------------------------------------------------------------------------


def _stains(
    rng: np.random.Generator, usual: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Absorption of haematoxylin and of eosin, and a mean RGB around the ``usual``; class-free."""
    haematoxylin = np.array([1.05, 1.45, 0.62]) * rng.normal(1, 0.08, 3) * rng.normal(1, 0.06)
    eosin = np.array([0.1, 0.62, 0.27]) * rng.normal(1, 0.08, 3) * rng.normal(1, 0.08)
    mean = np.array(usual) + rng.normal(0, 8) + rng.normal(0, 3, 3)
    return haematoxylin, eosin, mean


def _tumour_region(rng: np.random.Generator, canvas: int) -> np.ndarray:
    """Boolean ``(canvas, canvas)``: a region with a wavy border over 20 to 80 % of the patch."""
    y, x = np.mgrid[0:canvas, 0:canvas].astype(np.float32) / canvas
    place = rng.uniform(0.2, 0.8, 2)
    height = 0.16 * soft_noise(rng, (canvas, canvas), 5) - np.hypot(x - place[0], y - place[1])
    return height > np.quantile(height[::4, ::4], 1 - rng.uniform(0.2, 0.8))


def draw_lymph_node(
    seed: int, split: int, label: int, index: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw lymph node patch ``index`` of a class (0 normal, 1 tumour) in a split.

    Returns:
        RGB ``(size, size, 3)`` uint8, and the mask of the tumour ``(size, size)`` uint8, 0 or 255;
        without a tumour it is all 0.
    """
    rng = generator(seed, CAM16_DATASET, _IMAGE, split, label, index)
    haematoxylin, eosin, mean = _stains(rng, _CAM16_MEAN)
    canvas = _CAM16_CANVAS
    shape = (canvas, canvas)
    region = _tumour_region(rng, canvas) if label else np.zeros(shape, bool)

    # Small round lymphocytes everywhere, few of them within the tumour; sinuses hold fewer.
    small = canvas * rng.uniform(0.0145, 0.0175)
    places = jittered_grid(rng, shape, 2.45 * small, 0.16)
    sinus = soft_noise(rng, shape, 4) > rng.uniform(0.9, 2.2)
    inside, thin = sample(region, places), sample(sinus, places)
    chance = np.where(inside, 0.1, np.where(thin, 0.35, 0.93))
    places = places[rng.uniform(0, 1, len(places)) < chance]
    radii = small * rng.normal(1, 0.08, len(places))
    outlines = list(wavy_polygons(rng, places, radii, 0.04, rng.uniform(1, 1.2, len(places))))
    fills = list(np.clip(rng.normal(0.82, 0.08, len(places)), 0.5, 1))
    rims = list(np.clip(np.array(fills) + 0.1, 0, 1))

    # Large, irregular, paler nuclei with a dark membrane and nucleoli, for the tumour alone.
    large = canvas * rng.uniform(0.03, 0.038)
    places = jittered_grid(rng, shape, 2.2 * large, 0.2)
    places = places[sample(region, places)]
    count = len(places)
    radii = large * np.clip(rng.lognormal(0, 0.22, count), 0.6, 1.6)
    big = wavy_polygons(rng, places, radii, 0.1, rng.uniform(1, 1.7, count), points=20)
    pale = np.clip(rng.normal(0.43, 0.11, count), 0.22, 0.75)
    spots = places + rng.normal(0, 0.3, (count, 2)) * radii[:, None]
    nucleoli = wavy_polygons(rng, spots, 0.2 * radii, 0.08, points=8)
    outlines = list(big) + list(nucleoli) + outlines
    fills = list(pale) + [0.9] * count + fills
    rims = list(np.clip(pale + 0.3, 0, 1)) + [0.9] * count + rims
    nuclei = paint(shape, outlines, fills, rims, blur=0.75)
    nuclei *= np.clip(1 + 0.16 * band_noise(rng, shape, 6, 0.5), 0.4, 1.6)

    # Pink ground with fibres; the tumour's cytoplasm is even, lymphoid tissue is looser.
    edge = np.asarray(region, np.float32)
    ground = 0.6 + 0.12 * band_noise(rng, shape, 14, 0.6) * (1 - 0.5 * edge)
    ground += 0.12 * soft_noise(rng, shape, 6) - 0.25 * sinus * (1 - edge)
    glass = np.array([243, 238, 243], np.float32)
    layers = [(np.clip(ground, 0.05, 1.2), eosin), (nuclei, haematoxylin)]
    picture = settle_mean(stain(glass, layers), mean)
    return photograph(rng, picture, (size, size)), resize_mask(edge, (size, size))


def _contour_points(
    rng: np.random.Generator,
    depth: np.ndarray,
    slope: tuple[np.ndarray, np.ndarray],
    level: float,
    spacing: float,
) -> np.ndarray:
    """Give points ``(n, 2)`` on the line where ``depth`` is ``level``, about ``spacing`` apart.

    Args:
        rng: where the numbers come from.
        depth: distance in pixels from the surface of the tissue ``(h, w)``, positive inside.
        slope: its gradient along x and along y.
        level: depth of the line in pixels.
        spacing: least distance between two points in pixels.
    """
    points = jittered_grid(rng, depth.shape, 0.5 * spacing, 0.3)
    points = points[np.abs(sample(depth, points) - level) < 0.8 * spacing]
    for _ in range(3):
        x, y = sample(slope[0], points), sample(slope[1], points)
        step = (level - sample(depth, points)) / np.maximum(x * x + y * y, 0.1)
        step = np.clip(step, -spacing, spacing)
        points = points + np.stack([x * step, y * step], axis=-1)
    points = points[np.abs(sample(depth, points) - level) < 1.0]
    return _thin_out(points, depth.shape, spacing)


def _thin_out(points: np.ndarray, shape: tuple[int, int], spacing: float) -> np.ndarray:
    """Keep those points ``(n, 2)`` that are ``spacing`` pixels away from all kept before them."""
    height, width = shape
    cell = spacing / 2**0.5  # so small that no two kept points share a cell
    rows, columns = int(height / cell) + 6, int(width / cell) + 6
    kept: list[list[tuple[float, float] | None]] = [[None] * columns for _ in range(rows)]
    result = []
    square = spacing * spacing
    for x, y in points.tolist():
        column, row = int(x / cell) + 2, int(y / cell) + 2
        if not (2 <= column < columns - 2 and 2 <= row < rows - 2):
            continue
        lines = kept[row - 2 : row + 3]
        near = (other for line in lines for other in line[column - 2 : column + 3] if other)
        if any((other[0] - x) ** 2 + (other[1] - y) ** 2 < square for other in near):
            continue
        kept[row][column] = (x, y)
        result.append((x, y))
    return np.array(result).reshape(-1, 2)


def draw_kidney(seed: int, label: int, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw region ``index`` of papillary kidney carcinoma, of type 1 (``label`` 0) or 2 (1).

    Type 1: slender branching papillae under a single row of small nuclei with little cytoplasm.
    Type 2: broad papillae under several rows of large nuclei with much pink cytoplasm.

    Returns:
        RGB ``(height, width, 3)`` uint8 with sides of about ``size`` pixels, and an empty mask.
    """
    rng = generator(seed, PRCC_DATASET, _IMAGE, index)
    haematoxylin, eosin, mean = _stains(rng, _PRCC_MEAN)
    width, height = np.rint(size * rng.uniform(0.95, 1.025, 2)).astype(int).tolist()
    canvas = _PRCC_CANVAS
    shape = (round(canvas * height / size), round(canvas * width / size))
    period = canvas * (rng.uniform(0.15, 0.21) if label else rng.uniform(0.1, 0.14))
    nucleus = canvas * (rng.uniform(0.0085, 0.0105) if label else rng.uniform(0.0052, 0.0064))
    lining = nucleus * (rng.uniform(5.2, 6.4) if label else rng.uniform(3.2, 3.8))

    # The papillae are the high ground of a stripe-like random field; its slope turns heights
    # into distances from the surface.
    half = (shape[0] // 2, shape[1] // 2)
    field = band_noise(rng, half, period / 2, 0.22)
    field += np.clip(
        rng.normal(0.05 if label else 0.2, 0.2), -0.3, 0.5
    )  # how much of the region is tissue
    slope_y, slope_x = np.gradient(field)
    depth = 2 * field / np.maximum(np.hypot(slope_x, slope_y), 0.35 * 2 * np.pi / (period / 2))
    depth = resize_field(depth, shape)
    slope_y, slope_x = np.gradient(depth)

    levels = (0.36, 0.6, 0.84) if label else (0.52,)
    spacing = nucleus * (2.0 if label else 2.25)
    rows = [_contour_points(rng, depth, (slope_x, slope_y), f * lining, spacing) for f in levels]
    places = np.concatenate(rows)
    inwards = np.arctan2(sample(slope_y, places), sample(slope_x, places))
    places = places + rng.normal(0, (0.5 if label else 0.16) * nucleus, places.shape)
    count = len(places)
    spread, roughness, longest = (0.2, 0.075, 1.6) if label else (0.08, 0.04, 1.25)
    radii = nucleus * np.clip(rng.lognormal(0, spread, count), 0.6, 1.6)
    stretch = rng.uniform(1, longest, count)
    outlines = wavy_polygons(rng, places, radii, roughness, stretch, inwards, points=12)
    fills = np.clip(rng.normal(0.72, 0.09, count), 0.4, 1)
    # Nucleoli are prominent in type 2 and lacking in type 1.
    spots = places[: count if label else 0]
    nucleoli = wavy_polygons(rng, spots, 0.25 * radii[: len(spots)], 0, points=6)

    # Sparse slender nuclei in the cores of the papillae, and red cells in their capillaries.
    loose = jittered_grid(rng, shape, 0.028 * canvas, 0.35)
    loose = loose[sample(depth, loose) > 1.3 * lining]
    stroma, vessels = loose[::2], loose[1::2]
    slender = wavy_polygons(rng, stroma, 0.0042 * canvas, 0.05, rng.uniform(1.5, 3, len(stroma)))
    rest = np.concatenate([np.full(len(spots), 1.0), np.full(len(stroma), 0.7)])
    nuclei = paint(
        shape,
        [*outlines, *nucleoli, *slender],
        np.concatenate([fills, rest]),
        np.concatenate([np.minimum(fills + 0.12, 1), rest]),
        blur=0.7,
    )
    red_cells = paint(shape, wavy_polygons(rng, vessels, 0.005 * canvas, 0.04, points=10))

    tissue = np.clip(depth + 0.5, 0, 1)
    cytoplasm = tissue * np.clip((lining - depth) / 2 + 0.5, 0, 1)
    core = tissue - cytoplasm
    fibres = resize_field(band_noise(rng, half, 7, 0.6), shape)
    pink = (0.75 if label else 0.55) * rng.uniform(0.85, 1.15)
    ground = cytoplasm * pink * (1 + 0.1 * fibres) + core * (0.6 + 0.15 * fibres)
    ground += core * 0.7 * red_cells + 0.05 * tissue * soft_noise(rng, shape, 8)
    bluish = nuclei * (1 + 0.1 * fibres) + (0.05 if label else 0.22) * cytoplasm
    glass = np.array([244, 240, 244], np.float32)
    picture = settle_mean(stain(glass, [(ground, eosin), (bluish, haematoxylin)]), mean)
    mask = np.zeros((height, width), np.uint8)
    return photograph(rng, picture, (width, height)), mask
