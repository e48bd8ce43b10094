"""What it costs to read an image for the index, against a plain decoding with the same hashes.

Both ways run over the same files in turns, and the ratio is of the sums. The plain way decodes by Pillow, and gives the
SHA-256 of the file and of the pixels; the index's own looks for damage, blank images and masks besides.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from fewlabels.core.files import sha256_of_file
from fewlabels.data.images import read_image

#: Pictures that are drawn; the files are links to them.
DRAWN = 32
MAX_MEGAPIXELS = 50
ROUNDS = 3


def draw(folder: Path, size: int, suffix: str) -> list[Path]:
    """Pictures with detail at every scale, as photographs have."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(DRAWN):
        layers = []
        for cells in (4, 16, 64, 256):
            noise = generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
            layer = Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)
            layers.append(np.asarray(layer, float))
        paths.append(folder / f"{number}{suffix}")
        Image.fromarray(np.mean(layers, axis=0).astype(np.uint8)).save(paths[-1])
    return paths


def plain(path: Path) -> tuple[str, str]:
    """Decode by Pillow, and hash the file and the pixels."""
    with Image.open(path) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened).convert("RGB")
    file_sha256 = sha256_of_file(path)
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return file_sha256, digest.hexdigest()


def ours(path: Path) -> tuple[str, str]:
    """What index_images does for an image without a mask."""
    file = read_image(path, MAX_MEGAPIXELS)
    return file.file_sha256, file.pixel_sha256


def seconds(work: Callable[[Path], tuple[str, str]], paths: Sequence[Path], threads: int) -> float:
    """Wall time of some work on all files."""
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, paths):
            pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=575, help="pixels per side")
    parser.add_argument("--format", default=".jpg", help="ending of the files, such as .png")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = draw(folder, arguments.size, arguments.format)
        paths = []
        for number in range(arguments.images):
            paths.append(folder / f"image{number:06}{arguments.format}")
            os.link(drawn[number % DRAWN], paths[-1])
        for path in drawn:
            if plain(path) != ours(path):
                raise SystemExit(f"{path}: both ways must give the same hashes")
        total = {"plain": 0.0, "ours": 0.0}
        share = -(-len(paths) // ROUNDS)
        for start in range(0, len(paths), share):
            part = paths[start : start + share]
            total["plain"] += seconds(plain, part, arguments.threads)
            total["ours"] += seconds(ours, part, arguments.threads)
    print(
        f"{arguments.images} images {arguments.format} of {arguments.size} pixels, {arguments.threads} threads: "
        f"plain {total['plain']:.1f} s, index {total['ours']:.1f} s, ratio {total['ours'] / total['plain']:.2f}"
    )


if __name__ == "__main__":
    main()
