"""Drawings of white blood cells in a stained blood smear, and the layout of their data set.

The class lies in the morphology alone: lobes of the nucleus, granules, chromatin and size of the
cell. Stain, light, position and rotation come from the same distributions for every class, and
the mean colour of each image is settled on a value that knows no class.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.synthetic.drawing import (
    Task,
    band_noise,
    defocus,
    generator,
    masked_count,
    paint,
    photograph,
    resize_field,
    resize_mask,
    settle_mean,
    soft_noise,
    stain,
    wavy_polygons,
)

CLASSES = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")
REAL_COUNTS = (176, 618, 2015, 466, 5172)
SPLITS = ("train", "val")
SLIDES = 16
DATASET = 1
_IMAGE, _SLIDE, _FIELD, _NAMES = 1, 2, 3, 4  # streams of random numbers, one for each purpose
_CANVAS = 384
_SHAPE = (_CANVAS, _CANVAS)
# Radius of the cell relative to the side of the image, in the order of CLASSES.
_CELL_RADIUS = (0.22, 0.235, 0.185, 0.25, 0.23)
_MOST_DEFOCUS = 2.2  # pixels of the canvas
_FIELD_PRIME = 86381  # a prime just below the number of seconds of a day
MOST_PER_CLASS = 8600


# --- layout -----------------------------------------------------------------------------------


def class_counts(total: int, balance: float = 0.0) -> list[int]:
    """Share ``total`` images among the classes, at least one each.

    ``balance`` mixes the real imbalance (0) with equal shares (1).

    Raises:
        UserError: ``total`` is neither 0 nor at least the number of classes.
    """
    if total == 0:
        return [0] * len(CLASSES)
    if total < len(CLASSES):
        raise UserError(f"{total} WBC images are too few: ask for 0 or at least {len(CLASSES)}")
    shares = (1 - balance) * np.array(REAL_COUNTS) / sum(REAL_COUNTS) + balance / len(CLASSES)
    exact = shares * total
    counts = np.maximum(np.floor(exact), 1).astype(int)
    while counts.sum() > total:  # a class was raised to 1: take it from the largest
        counts[np.argmax(counts)] -= 1
    while counts.sum() < total:
        counts[np.argmax(exact - counts)] += 1
    return counts.tolist()


@lru_cache
def slide_names(seed: int) -> tuple[str, ...]:
    """Name the slides of a seed; even ones like ``95-8-27-1``, odd ones like ``20190527``."""
    rng = generator(seed, DATASET, _NAMES)
    days = rng.choice(12 * 28, SLIDES, replace=False)
    names = []
    for slide, day in enumerate(days.tolist()):
        month, date = 1 + day // 28, 1 + day % 28
        if slide % 2:
            names.append(f"2019{month:02d}{date:02d}")
        else:
            names.append(f"95-{month}-{date}-{rng.integers(1, 4)}")
    return tuple(names)


def name_cell(seed: int, split: int, label: int, index: int) -> tuple[str, int]:
    """Name image ``index`` of a class in a split; give the name's stem and the slide's number.

    Most cells are alone in their field. Every eighth shares the field of the cell before it, and
    some lymphocytes that of a neutrophil. A field never lies in two splits.
    """
    owner_label, owner_index, cell = label, index, 0
    if index % 8 == 7:
        owner_index, cell = index - 1, 1
    elif index % 8 == 3 and CLASSES[label] == "Lymphocyte":
        owner_label, cell = CLASSES.index("Neutrophil"), 1
    # Ten fields for each index (classes times splits) in random order: no number tells the class.
    fields = len(CLASSES) * len(SPLITS)
    rng = generator(seed, DATASET, _FIELD, owner_index)
    order, slides = rng.permutation(fields), rng.integers(0, SLIDES, fields)
    place = owner_label * len(SPLITS) + split
    field, slide = owner_index * fields + int(order[place]), int(slides[place])
    if slide % 2 == 0:
        return f"{slide_names(seed)[slide]}_{field + 1}_{cell + 1}", slide
    # The other form names the field by the time of day; the prime keeps the times distinct.
    second = field * 48271 % _FIELD_PRIME
    clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
    return f"{slide_names(seed)[slide]}_{clock}_{cell}", slide


def plan_blood(
    seed: int, totals: tuple[int, int], balance: float, size: int, mask_share: float
) -> list[Task]:
    """List the images of WBC_100: ``totals`` of train and val, ``size`` pixels a side.

    Raises:
        UserError: a total is too small or too large.
    """
    tasks = []
    for split, total in enumerate(totals):
        for label, count in enumerate(class_counts(total, balance)):
            if count > MOST_PER_CLASS:
                raise UserError(f"{count} images of {CLASSES[label]}: at most {MOST_PER_CLASS}")
            masks = masked_count(count, mask_share) if SPLITS[split] == "train" else 0
            for index in range(count):
                stem, slide = name_cell(seed, split, label, index)
                place = f"{CLASSES[label]}/{stem}.jpg"
                mask_path = f"WBC_100/train/mask/{place}" if index < masks else None
                tasks.append(
                    Task(
                        path=f"WBC_100/{SPLITS[split]}/data/{place}",
                        draw=draw_cell,
                        arguments=(seed, split, label, index, slide, size),
                        mask_path=mask_path,
                    )
                )
    return tasks


# --- drawing ----------------------------------------------------------------------------------


def _point(centre: np.ndarray, distance: float, angle: float) -> np.ndarray:
    return centre + distance * np.array([np.cos(angle), np.sin(angle)])


def _strand(start: np.ndarray, end: np.ndarray, width: float) -> np.ndarray:
    """Outline ``(4, 2)`` of a straight bridge of chromatin between two points."""
    across = (end - start)[::-1] * [-1, 1]
    across = across / max(np.hypot(*across), 1e-6) * width / 2
    return np.stack([start + across, end + across, end - across, start - across])


def _lobes(
    rng: np.random.Generator, centre: np.ndarray, radius: float, count: int, size: float
) -> list[np.ndarray]:
    """Lobes of relative ``size`` on an arc around the cell's centre, joined by strands."""
    orbit = {2: 0.43, 3: 0.4, 4: 0.45, 5: 0.48}[count] * radius
    step = 2 * np.arcsin(np.clip(size * radius * 1.12 / orbit, 0, 0.98))
    step = min(step, 2 * np.pi / (count + 0.25)) if count > 2 else step
    start = rng.uniform(0, 2 * np.pi)
    angles = start + step * np.arange(count) + rng.normal(0, 0.08, count)
    orbits = orbit * rng.uniform(0.85, 1.12, count)
    places = [_point(centre, *pair) for pair in zip(orbits, angles, strict=True)]
    shapes = [
        wavy_polygons(
            rng,
            place,
            size * radius * rng.uniform(0.88, 1.12),
            roughness=0.06,
            stretch=rng.uniform(1.0, 1.45),
            angles=angle + np.pi / 2 + rng.normal(0, 0.35),
            points=28,
        )[0]
        for place, angle in zip(places, angles, strict=True)
    ]
    shapes += [
        _strand(start, end, radius * rng.uniform(0.09, 0.16)) for start, end in pairwise(places)
    ]
    return shapes


def _kidney(rng: np.random.Generator, centre: np.ndarray, radius: float) -> np.ndarray:
    """Outline ``(64, 2)`` of a bean-shaped nucleus, its notch towards a random side."""
    turn = np.arange(64) * (2 * np.pi / 64)
    depth, width = rng.uniform(0.3, 0.72), rng.uniform(0.38, 0.6)
    from_notch = np.angle(np.exp(1j * turn))  # -pi..pi, 0 at the notch
    distance = 1.02 - depth * np.exp(-((from_notch / width) ** 2))
    distance += rng.normal(0, 0.03) * np.cos(3 * turn + rng.uniform(0, 6.3))
    angle = rng.uniform(0, 2 * np.pi)
    size = 0.7 * radius * rng.uniform(0.95, 1.06)
    middle = _point(centre, 0.1 * radius, angle + np.pi)
    along, across = size * distance * np.cos(turn) * 0.88, size * distance * np.sin(turn) * 1.1
    x = along * np.cos(angle) - across * np.sin(angle)
    y = along * np.sin(angle) + across * np.cos(angle)
    return middle + np.stack([x, y], axis=-1)


def _scatter(rng: np.random.Generator, centre: np.ndarray, radius: float, count: int) -> np.ndarray:
    """``(count, 2)`` random points, even over a disc."""
    distance = radius * np.sqrt(rng.uniform(0, 1, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    return centre + np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=-1)


def _nucleus(
    rng: np.random.Generator, name: str, centre: np.ndarray, radius: float
) -> tuple[list[np.ndarray], float, float, float]:
    """Outlines of the nucleus, and its chromatin: darkness, depth and grain of the texture."""
    if name == "Neutrophil":
        count = int(rng.choice([2, 3, 4, 5], p=[0.06, 0.42, 0.34, 0.18]))
        size = {2: 0.34, 3: 0.3, 4: 0.265, 5: 0.235}[count]
        return _lobes(rng, centre, radius, count, size), 1.0, 0.14, 0.25
    if name == "Eosinophil":
        count = int(rng.choice([2, 3], p=[0.88, 0.12]))
        return _lobes(rng, centre, radius, count, {2: 0.375, 3: 0.31}[count]), 1.0, 0.14, 0.25
    if name == "Basophil":
        count = int(rng.integers(2, 4))
        places = _scatter(rng, centre, 0.36 * radius, count)
        sizes = radius * rng.uniform(0.36, 0.48, count)
        return list(wavy_polygons(rng, places, sizes, 0.17, 1.3, points=28)), 0.68, 0.2, 0.3
    if name == "Lymphocyte":
        place = _point(centre, 0.07 * radius, rng.uniform(0, 2 * np.pi))
        size = radius * rng.uniform(0.7, 0.91)
        return list(wavy_polygons(rng, place, size, 0.035, 1.1, points=40)), 1.0, 0.08, 0.5
    return [_kidney(rng, centre, radius)], 0.88, rng.uniform(0.16, 0.3), 0.18


def _granules(
    rng: np.random.Generator, name: str, centre: np.ndarray, radius: float, nucleus: np.ndarray
) -> np.ndarray:
    """Layer of the granules, 0..1; coarse for two classes, fine or none for the others."""
    inner = 0.93 * radius
    if name == "Eosinophil":
        places = _scatter(rng, centre, inner, int(rng.integers(150, 260)))
        sizes = radius * rng.uniform(0.05, 0.075, len(places))
        beads = wavy_polygons(rng, places, sizes, 0.05, points=9)
        layer = paint(_SHAPE, beads, rng.uniform(0.45, 0.9), 0.3)
        return layer * (1 - 0.9 * nucleus)
    if name == "Basophil":
        places = _scatter(rng, centre, inner, int(rng.integers(45, 120)))
        sizes = radius * rng.uniform(0.05, 0.1, len(places))
        fills = rng.uniform(0.85, 1.0, len(places))
        return rng.uniform(1.2, 1.9) * paint(
            _SHAPE, wavy_polygons(rng, places, sizes, 0.12, points=10), fills
        )
    if name == "Lymphocyte":
        return np.zeros(_SHAPE, np.float32)
    count, strength = (420, 0.5) if name == "Neutrophil" else (160, 0.3)
    places = _scatter(rng, centre, inner, count)
    layer = paint(_SHAPE, wavy_polygons(rng, places, 0.018 * radius, 0, points=6), strength)
    return layer * (1 - 0.9 * nucleus)


def _red_cells(rng: np.random.Generator, centre: np.ndarray, radius: float) -> np.ndarray:
    """Layer of the red cells around a white cell: discs with a pale middle; overlaps add up."""
    layer = np.zeros(_SHAPE, np.float32)
    size = _CANVAS * rng.uniform(0.105, 0.125)
    wanted = int(rng.integers(5, 13))
    placed: list[np.ndarray] = []
    for place in rng.uniform(-0.3 * size, _CANVAS + 0.3 * size, (60, 2)):
        gap = min((np.hypot(*(place - other)) for other in placed), default=np.inf)
        if np.hypot(*(place - centre)) < radius + 0.75 * size or gap < 1.55 * size:
            continue
        placed.append(place)
        if len(placed) == wanted:
            break
    for place in placed:
        reach = 1.35 * size
        x0, y0 = np.maximum(np.floor(place - reach), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(place + reach), _CANVAS).astype(int)
        dy, dx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        dx, dy = dx - place[0], dy - place[1]
        turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.9, 1.12)
        along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
        across = (dy * np.cos(turn) - dx * np.sin(turn)) * stretch
        dent = 1 + rng.normal(0, 0.04) * np.cos(2 * np.arctan2(across, along) + turn)
        distance = np.sqrt(along**2 + across**2) / (size * rng.uniform(0.93, 1.07) * dent)
        body = np.clip((1 - distance) * size / 1.6 + 0.5, 0, 1)
        pallor = rng.uniform(0.3, 0.65) * np.exp(-((distance / rng.uniform(0.4, 0.55)) ** 2))
        layer[y0:y1, x0:x1] += body * (1 - pallor)
    return layer


def draw_cell(
    seed: int, split: int, label: int, index: int, slide: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw white cell ``index`` of class ``label`` in a split, on a slide.

    Returns:
        RGB ``(size, size, 3)`` uint8, and the mask of the white cell ``(size, size)`` uint8,
        0 or 255.
    """
    name = CLASSES[label]
    of_slide = generator(seed, DATASET, _SLIDE, slide)
    rng = generator(seed, DATASET, _IMAGE, split, label, index)
    # Absorption of R, G, B: what the slide's stain gives, and a little more variation per image.
    purple, pink, blue, red = (
        np.array(base) * of_slide.normal(1, 0.07, 3) * rng.normal(1, 0.05, 3)
        for base in ((0.95, 1.75, 0.62), (0.1, 0.42, 0.2), (0.28, 0.3, 0.07), (0.1, 0.42, 0.33))
    )
    mean = np.array([210.0, 185.0, 202.0]) + of_slide.normal(0, 7) + of_slide.normal(0, 2, 3)
    mean += rng.normal(0, 3) + rng.normal(0, 1.5, 3)

    radius = _CANVAS * _CELL_RADIUS[label] * np.clip(rng.normal(1, 0.1), 0.78, 1.22)
    centre = _CANVAS * (0.5 + np.clip(rng.normal(0, 0.04, 2), -0.09, 0.09))
    outline = wavy_polygons(rng, centre, radius, 0.022, rng.uniform(1, 1.12), points=48)
    cell = paint(_SHAPE, outline, blur=1.2)
    shapes, darkness, depth, grain = _nucleus(rng, name, centre, radius)
    nucleus = paint(_SHAPE, shapes, blur=1.0) * cell
    texture = band_noise(rng, (192, 192), max(grain * radius / 2, 3.0), width=0.5)
    texture = resize_field(texture, _SHAPE)
    chromatin = nucleus * darkness * np.clip(1 + depth * texture, 0.25, 1.8)
    granules = _granules(rng, name, centre, radius, nucleus) * cell

    body = cell * (1 + 0.12 * soft_noise(rng, _SHAPE, 24))
    if name == "Monocyte":
        places = _scatter(rng, centre, 0.85 * radius, int(rng.integers(0, 7)))
        holes = wavy_polygons(rng, places, 0.055 * radius, 0.05)
        body *= 1 - 0.8 * paint(_SHAPE, holes, blur=1.0)
    # Any class may have a bluish or a pinkish cytoplasm, and purple or reddish granules.
    tone, granule_tone = rng.uniform(0.15, 0.85, 2)
    cytoplasm = tone * blue + (1 - tone) * pink
    granule = 0.6 * (granule_tone * purple + (1 - granule_tone) * np.array([0.35, 1.3, 0.8]))
    light = rng.uniform(2, 5) * soft_noise(rng, _SHAPE, 3)
    glass = np.array([238, 232, 236], np.float32)[:, None, None] + light
    layers = [
        (_red_cells(rng, centre, radius) * (1 - cell), red),
        (body, cytoplasm),
        (chromatin, purple),
        (granules, granule),
    ]
    picture = settle_mean(stain(glass, layers), mean)
    picture = defocus(picture, rng.uniform(0, _MOST_DEFOCUS))
    return photograph(rng, picture, (size, size)), resize_mask(cell, (size, size))
