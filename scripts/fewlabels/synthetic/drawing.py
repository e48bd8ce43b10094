"""What the synthetic drawings share: random fields, polygons, stains, and writing the folder.

A drawing is made of layers. A layer is a float32 array ``(height, width)`` that says how much of
one stain lies at each pixel; :func:`stain` lays them over the glass as light absorption does
(Beer-Lambert), so overlapping things grow darker. All drawings are made on a canvas of a fixed
number of pixels and resized at the end: a picture looks the same at every size asked for.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_json

MARKER = ".synthetic"
JPEG_QUALITY = 92
MASK_QUALITY = 97
SENSOR_NOISE = 2.5  # standard deviation in grey levels, 0..255


@dataclass(frozen=True)
class Task:
    """One image to draw: where it goes, and the call that draws it.

    ``draw(*arguments)`` gives an RGB array ``(height, width, 3)`` and a mask ``(height, width)``,
    both uint8; the mask is written (as 0 and 255) when ``mask_path`` is given. Paths are relative
    to the folder. ``draw`` must be a function of a module, so that other processes can import it.
    """

    path: str
    draw: Callable[..., tuple[np.ndarray, np.ndarray]]
    arguments: tuple[Any, ...]
    mask_path: str | None = None


def generator(*key: int) -> np.random.Generator:
    """Give the random generator of ``key``: the same key gives the same numbers everywhere."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def masked_count(count: int, share: float) -> int:
    """Give ``floor(count * share)``; the rounding mends products such as 0.29 * 100 = 28.99..."""
    return int(round(count * share, 9))


# --- random fields and shapes -----------------------------------------------------------------


def resize_field(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize a float32 field ``(h, w)`` to ``shape`` (height, width) with cubic interpolation."""
    height, width = shape
    image = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def soft_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> np.ndarray:
    """Give a smooth field of mean 0 and roughly unit variance with ``cells`` bumps per side."""
    coarse = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    return resize_field(coarse, shape)


def band_noise(
    rng: np.random.Generator, shape: tuple[int, int], wavelength: float, width: float = 0.3
) -> np.ndarray:
    """Give noise of one grain size: float32 ``shape``, mean 0, variance 1.

    Args:
        rng: where the numbers come from.
        shape: height and width in pixels.
        wavelength: distance in pixels from one bump to the next.
        width: spread of the frequencies, relative; a small one gives even, stripe-like patterns.
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    rows = np.fft.fftfreq(shape[0])[:, None]
    columns = np.fft.rfftfreq(shape[1])[None, :]
    ring = np.exp(-0.5 * ((np.hypot(rows, columns) * wavelength - 1) / width) ** 2)
    ring[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(white) * ring, s=shape).astype(np.float32)
    return field / field.std()


def wavy_polygons(
    rng: np.random.Generator,
    centres: np.ndarray,
    radii: np.ndarray | float,
    roughness: float = 0.1,
    stretch: np.ndarray | float = 1.0,
    angles: np.ndarray | float | None = None,
    points: int = 14,
) -> np.ndarray:
    """Give rounded irregular outlines around ``centres``.

    Args:
        rng: where the numbers come from.
        centres: ``(n, 2)`` x and y in pixels.
        radii: mean radius in pixels, one or ``(n,)``.
        roughness: relative depth of the dents; 0 gives ellipses.
        stretch: length over width, one or ``(n,)``.
        angles: direction of the long axis in radians, one or ``(n,)``; random by default.
        points: corners per outline.

    Returns:
        ``(n, points, 2)`` float64 corners.
    """
    centres = np.atleast_2d(np.asarray(centres, dtype=np.float64))
    count = len(centres)
    if angles is None:
        angles = rng.uniform(0, 2 * np.pi, count)
    angles = np.broadcast_to(angles, (count,))[:, None]
    turn = np.arange(points) * (2 * np.pi / points)
    distance = np.ones((count, points))
    for harmonic in (2, 3, 4, 5):
        size = rng.normal(0, roughness / harmonic**0.5, (count, 1))
        distance += size * np.cos(harmonic * turn + rng.uniform(0, 2 * np.pi, (count, 1)))
    distance *= np.broadcast_to(radii, (count,))[:, None]
    root = np.sqrt(np.broadcast_to(stretch, (count,)))[:, None]
    along, across = distance * np.cos(turn) * root, distance * np.sin(turn) / root
    x = centres[:, :1] + along * np.cos(angles) - across * np.sin(angles)
    y = centres[:, 1:] + along * np.sin(angles) + across * np.cos(angles)
    return np.stack([x, y], axis=-1)


def jittered_grid(
    rng: np.random.Generator, shape: tuple[int, int], spacing: float, jitter: float = 0.3
) -> np.ndarray:
    """Give ``(n, 2)`` points x, y that cover ``shape`` evenly, ``spacing`` pixels apart on average.

    The rows are staggered as in a honeycomb; ``jitter`` is the standard deviation of the
    displacement relative to the spacing.
    """
    height, width = shape
    rows = np.arange(-spacing, height + spacing, spacing * 0.87)
    columns = np.arange(-spacing, width + spacing, spacing)
    x, y = np.meshgrid(columns, rows)
    x = x + (np.arange(len(rows)) % 2)[:, None] * spacing / 2
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    points += rng.uniform(0, spacing, 2)
    return points + rng.normal(0, jitter * spacing, points.shape)


def sample(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Read ``field`` at the pixels nearest to ``points`` ``(n, 2)`` x, y; outside: its border."""
    columns = np.clip(np.rint(points[:, 0]), 0, field.shape[1] - 1).astype(np.intp)
    rows = np.clip(np.rint(points[:, 1]), 0, field.shape[0] - 1).astype(np.intp)
    return field[rows, columns]


def paint(
    shape: tuple[int, int],
    polygons: Iterable[np.ndarray],
    fills: np.ndarray | Sequence[float] | float = 1.0,
    rims: np.ndarray | Sequence[float] | float | None = None,
    blur: float = 0.7,
) -> np.ndarray:
    """Fill polygons, later ones over earlier ones, and soften the edges.

    Args:
        shape: height and width of the layer in pixels.
        polygons: outlines ``(corners, 2)`` x, y in pixels.
        fills: amount inside each outline, 0..1, one or one per polygon.
        rims: amount on the outline itself; like the inside by default.
        blur: standard deviation of the softening in pixels.

    Returns:
        float32 ``shape``, 0..1.
    """
    polygons = list(polygons)
    image = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    inside = np.broadcast_to(np.rint(np.multiply(fills, 255)).astype(int), (len(polygons),))
    rim = inside if rims is None else np.rint(np.multiply(rims, 255)).astype(int)
    rim = np.broadcast_to(rim, (len(polygons),))
    for polygon, fill, outline in zip(polygons, inside.tolist(), rim.tolist(), strict=True):
        pen.polygon(polygon.ravel().tolist(), fill=fill, outline=outline)
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(image, dtype=np.float32) / 255


# --- from layers to an image ------------------------------------------------------------------


def stain(glass: np.ndarray, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Lay stains over a bright field.

    Args:
        glass: the empty field, 0..255: ``(3,)`` or ``(3, h, w)``.
        layers: pairs of an amount ``(h, w)`` and the stain's absorption ``(3,)`` for R, G, B.

    Returns:
        float32 ``(3, h, w)``, 0..255.
    """
    channels = []
    for channel in range(3):
        density = sum(amount * np.float32(-colour[channel]) for amount, colour in layers)
        channels.append(np.exp(density) * np.asarray(glass[channel], dtype=np.float32))
    return np.stack(channels)


def settle_mean(picture: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Shift a picture float32 ``(3, h, w)`` so that its mean RGB is ``target`` ``(3,)``.

    The target comes from a distribution that knows no class, so mean colour cannot give one away.

    Returns:
        uint8 ``(h, w, 3)``.
    """
    settled = np.empty((*picture.shape[1:], 3), np.uint8)
    for channel, value in enumerate(target.tolist()):
        plane = picture[channel]
        for _ in range(3):  # more than once, because clipping moves the mean again
            plane = plane + np.float32(value - np.clip(plane, 0, 255).mean())
        settled[..., channel] = np.rint(np.clip(plane, 0, 255))
    return settled


def defocus(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Blur a uint8 picture ``(h, w, 3)`` as a lens out of focus does, by ``sigma`` pixels."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(sigma)))


def photograph(rng: np.random.Generator, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a uint8 picture ``(h, w, 3)`` to ``size`` (width, height) and add sensor noise."""
    image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    width, height = size
    # A tile of noise repeated over the picture: nobody sees it, and it costs a fraction.
    tile = rng.standard_normal((min(height, 400), min(width, 400)), dtype=np.float32)
    tile = np.rint(SENSOR_NOISE * tile).astype(np.int16)
    repeats = (-(-height // tile.shape[0]), -(-width // tile.shape[1]))
    noise = np.repeat(np.tile(tile, repeats)[:height, :width], 3, axis=1)
    noisy = np.asarray(image).reshape(height, width * 3) + noise
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8).reshape(height, width, 3)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask ``(h, w)`` of 0..1 to ``size`` (width, height); uint8 with 0 and 255 only."""
    resized = resize_field(mask, (size[1], size[0]))
    return np.where(resized >= 0.5, 255, 0).astype(np.uint8)


# --- writing ----------------------------------------------------------------------------------


def _save(folder: Path, path: str, array: np.ndarray, quality: int) -> dict[str, Any]:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(target, format="JPEG", quality=quality)
    content = target.read_bytes()
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def draw_task(job: tuple[Path, Task]) -> list[dict[str, Any]]:
    """Draw and save one task below a folder; give a manifest row for each file written."""
    folder, task = job
    picture, mask = task.draw(*task.arguments)
    rows = [_save(folder, task.path, picture, JPEG_QUALITY)]
    if task.mask_path is not None:
        rows.append(_save(folder, task.mask_path, mask, MASK_QUALITY))
    return rows


def check_folder(folder: Path) -> None:
    """Make sure that ``folder`` may be replaced.

    Raises:
        UserError: it holds anything that :func:`write_folder` did not put there.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: name another --folder")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if not found and not any(folder.iterdir()):
        return
    try:
        known = set(json.loads((folder / MARKER).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{folder} exists and was not made by this script: "
            "move it away or name another --folder"
        ) from None
    foreign = sorted(found - known - {MARKER})
    if foreign:
        raise UserError(
            f"{folder} holds files that this script did not write, such as {foreign[0]}: "
            "move them away or name another --folder"
        )


def write_folder(
    folder: Path, tasks: Sequence[Task], parameters: dict[str, Any], threads: int
) -> list[dict[str, Any]]:
    """Draw all tasks into ``folder``, whole or not at all; replace an earlier synthetic folder.

    The files do not depend on ``threads``. A marker file at the top records the parameters and
    the files, so that a later run knows what it may replace.

    Returns:
        the manifest, sorted by path: ``path`` relative to the folder, ``bytes``, ``sha256``.

    Raises:
        UserError: the folder holds files of somebody else.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    stale = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    # A shuffled order mixes quick and slow drawings, so that the estimated time is honest.
    shuffled = sorted(tasks, key=lambda task: hashlib.sha256(task.path.encode()).digest())
    jobs = [(fresh, task) for task in shuffled]
    bar = tqdm(total=len(jobs), desc="drawing", unit="image", mininterval=2)
    try:
        fresh.mkdir()
        rows: list[dict[str, Any]] = []
        if threads == 1:
            for job in jobs:
                rows += draw_task(job)
                bar.update()
        else:
            with multiprocessing.get_context("spawn").Pool(threads) as pool:
                for result in pool.imap_unordered(draw_task, jobs, chunksize=4):
                    rows += result
                    bar.update()
        rows.sort(key=lambda row: row["path"])
        files = [row["path"] for row in rows]
        write_json(fresh / MARKER, {"parameters": parameters, "files": files})
        check_folder(folder)  # again: drawing took a while, and somebody may have used the folder
        if folder.exists():
            os.replace(folder, stale)
        os.replace(fresh, folder)
    finally:
        bar.close()
        shutil.rmtree(fresh, ignore_errors=True)
        if stale.exists() and not folder.exists():
            os.replace(stale, folder)
        shutil.rmtree(stale, ignore_errors=True)
    return rows
