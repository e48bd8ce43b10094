"""Do mutated image files ever crash, hang or flood the decoding? 100,000 of them, of every format that is read.

Each file must be decoded or be refused by one line (UnusableImageError), within a time and a memory. Everything else is
a finding: the file is kept, and its name says how to make it again.
"""

import argparse
import io
import multiprocessing
import os
import random
import resource
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from fewlabels.data.damage import UnreadableFileError, UnusableImageError
from fewlabels.data.images import decode_square, read_deep_range, read_image
from fewlabels.data.masks import read_mask

#: Of images, in megapixels: what the fuzzed config allows.
MAX_MEGAPIXELS = 10.0
#: Values of lengths and counts that break decoders.
ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
FINDINGS = ("crash", "hang", "memory", "other error", "wrong result")


def _pixels(mode: str, size: tuple[int, int], seed: int) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    values = np.repeat(np.repeat(values[::4, ::4], 4, 0), 4, 1)[: size[1], : size[0]]
    image = Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    return image.convert(mode)


def _encoded(mode: str, name: str, **options: object) -> bytes:
    held = io.BytesIO()
    if options.pop("frames", 1) == 3:
        options |= {
            "save_all": True,
            "append_images": [_pixels(mode, (24, 20), seed) for seed in (2, 3)],
        }
    _pixels(mode, (24, 20), 1).save(held, name, **options)
    return held.getvalue()


def seed_files() -> dict[str, bytes]:
    """Small files of every format and kind, by name."""
    return {
        "baseline.jpg": _encoded("RGB", "JPEG"),
        "progressive.jpg": _encoded("RGB", "JPEG", progressive=True),
        "grey.jpg": _encoded("L", "JPEG"),
        "cmyk.jpg": _encoded("CMYK", "JPEG"),
        "turned.jpg": _encoded("RGB", "JPEG", exif=_turned()),
        "rgb.png": _encoded("RGB", "PNG"),
        "rgba.png": _encoded("RGBA", "PNG"),
        "palette.png": _encoded("P", "PNG"),
        "bits.png": _encoded("1", "PNG"),
        "deep.png": _encoded("I;16", "PNG"),
        "raw.tif": _encoded("RGB", "TIFF"),
        "deflate.tif": _encoded("RGB", "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tif": _encoded("L", "TIFF", compression="tiff_lzw"),
        "jpeg.tif": _encoded("RGB", "TIFF", compression="jpeg"),
        "deep.tif": _encoded("I;16", "TIFF"),
        "pages.tif": _encoded("RGB", "TIFF", frames=3),
        "float.tif": _encoded("F", "TIFF"),
        "rgb.bmp": _encoded("RGB", "BMP"),
        "palette.bmp": _encoded("P", "BMP"),
        "lossy.webp": _encoded("RGB", "WEBP"),
        "lossless.webp": _encoded("RGBA", "WEBP", lossless=True),
        "moving.webp": _encoded("RGB", "WEBP", frames=3),
        "still.gif": _encoded("P", "GIF"),
        "moving.gif": _encoded("P", "GIF", frames=3),
        "rgb.jp2": _encoded("RGB", "JPEG2000"),
    }


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def mutated(seeds: dict[str, bytes], number: int, run_seed: int) -> tuple[str, bytes]:
    """The file of this number: the same for the same numbers, whatever came before.

    Returns:
        The name of the file that it was made of, and its bytes.
    """
    draw = random.Random(run_seed * 1_000_003 + number)
    name = draw.choice(sorted(seeds))
    content = bytearray(seeds[name])
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8, 20))):
        _change(content, draw, seeds)
    return name, bytes(content)


def _change(content: bytearray, draw: random.Random, seeds: dict[str, bytes]) -> None:
    """One mutation in place: most within the first bytes, where headers are."""
    if not content:
        return
    span = len(content) if draw.random() < 0.5 else min(len(content), 160)
    place = draw.randrange(span)
    end = min(len(content), place + draw.choice((1, 2, 4, 8, 64)))
    kind = draw.randrange(8)
    if kind == 0:
        content[place] ^= 1 << draw.randrange(8)
    elif kind == 1:
        content[place] = draw.randrange(256)
    elif kind == 2:
        width = draw.choice((2, 4))
        number = draw.choice(ODD_NUMBERS) & (0xFFFF if width == 2 else 0xFFFFFFFF)
        order = draw.choice("<>")
        content[place : place + width] = struct.pack(order + ("H" if width == 2 else "I"), number)
    elif kind == 3:
        del content[place:end]
    elif kind == 4:
        content[place:place] = content[place:end] * draw.choice((1, 2, 50))
    elif kind == 5:
        del content[place:]
    elif kind == 6:
        other = seeds[draw.choice(sorted(seeds))]
        start = draw.randrange(len(other))
        content[place:end] = other[start : start + end - place]
    else:
        content[place:end] = bytes(end - place)


def try_file(path: Path) -> str:
    """Decode a file as the steps of the workflow do.

    Returns:
        ``decoded`` or ``refused``; else what is wrong with the answer, after ``wrong result``.
    """
    outcomes = []
    steps: tuple[Callable[[], object], ...] = (
        lambda: read_image(path, MAX_MEGAPIXELS),
        lambda: read_deep_range(path, MAX_MEGAPIXELS),
        lambda: decode_square(path, 16, "stretch", MAX_MEGAPIXELS),
        lambda: read_mask(path, MAX_MEGAPIXELS),
    )
    for step in steps:
        try:
            result = step()
        except UnusableImageError as error:
            if "\n" in str(error) or not str(error):
                return f"wrong result: a message that is not one line: {str(error)!r}"
            outcomes.append("refused")
        else:
            pixels = np.asarray(result) if isinstance(result, (Image.Image, np.ndarray)) else None
            if pixels is not None and (pixels.shape != (16, 16, 3) or pixels.dtype != np.uint8):
                return f"wrong result: {pixels.dtype} {pixels.shape}"
            outcomes.append("decoded")
    return "decoded" if "decoded" in outcomes else "refused"


@dataclass(frozen=True)
class Limits:
    """What one file may take: seconds, and megabytes of the process's memory."""

    seconds: int
    memory_mb: int


def _try_numbers(pipe: Connection, run_seed: int, folder: Path, limits: Limits) -> None:
    """In a process of its own: try the files whose numbers are asked for, and answer with outcomes."""
    size = limits.memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff's warnings, one per file
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    seeds = seed_files()
    while (number := pipe.recv()) is not None:
        name, content = mutated(seeds, number, run_seed)
        path = folder / f"{os.getpid()}_{name}"
        path.write_bytes(content)
        signal.alarm(limits.seconds)
        try:
            outcome = try_file(path)
        except UnreadableFileError as error:
            outcome = f"memory: {error}"
        except Exception as error:
            outcome = f"other error: {type(error).__name__}: {error}"
        signal.alarm(0)
        pipe.send(outcome)


class Tester:
    """A process that tries files, started again when one of them ends it."""

    def __init__(self, run_seed: int, folder: Path, limits: Limits) -> None:
        self.arguments = (run_seed, folder, limits)
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self) -> None:
        self.pipe, theirs = self.context.Pipe()
        self.process = self.context.Process(target=_try_numbers, args=(theirs, *self.arguments))
        self.process.start()
        theirs.close()

    def try_number(self, number: int) -> str:
        self.pipe.send(number)
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            ended = self.process.exitcode
            self.start()
            return "hang" if ended == -signal.SIGALRM else f"crash: exit code {ended}"

    def stop(self) -> None:
        self.pipe.send(None)
        self.process.join()


def run(files: int, run_seed: int, folder: Path, limits: Limits) -> int:
    """Try so many files, tell what came of them, and keep those that are findings.

    Returns:
        How many findings there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seeds = seed_files()
    outcomes: Counter[str] = Counter()
    slowest = (0.0, 0)
    tester = Tester(run_seed, folder, limits)
    for number in tqdm(range(files), unit="file", mininterval=5):
        started = time.perf_counter()
        outcome = tester.try_number(number)
        slowest = max(slowest, (time.perf_counter() - started, number))
        kind = outcome.partition(":")[0]
        outcomes[kind] += 1
        if kind in FINDINGS:
            name, content = mutated(seeds, number, run_seed)
            (folder / f"{kind.replace(' ', '_')}_{run_seed}_{number}_{name}").write_bytes(content)
            tqdm.write(f"file {number} ({name}): {outcome}")
    tester.stop()
    for leftover in folder.glob("[0-9]*_*"):
        leftover.unlink()
    found = sum(outcomes[kind] for kind in FINDINGS)
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(outcomes.items()))
    print(f"{files:,} mutated files of {len(seeds)} kinds: {told}")
    print(f"slowest: {slowest[0]:.2f} s (file {slowest[1]}); findings: {found}")
    return found


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="how many are tried")
    parser.add_argument("--seed", type=int, default=1, help="another one, other files")
    parser.add_argument("--seconds", type=int, default=10, help="that one file may take")
    parser.add_argument("--memory-mb", type=int, default=1500, help="that the process may take")
    parser.add_argument(
        "--findings", type=Path, default=Path("fuzz"), help="folder for files that are findings"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(argv)
    limits = Limits(options.seconds, options.memory_mb)
    return min(1, run(options.files, options.seed, options.findings, limits))


if __name__ == "__main__":
    sys.exit(main())
