"""Peak memory of indexing and packing eight large images at eight threads, by kind of file."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
LAYOUT = {"images": "{class}", "classes": ["a", "b"]}
KINDS = {"JPEG": ".jpg", "PNG": ".png", "TIFF of 16 bits": ".tif"}


def draw(folder: Path, kind: str, side: int) -> None:
    """Write eight smooth images of one kind."""
    generator = np.random.default_rng(0)
    for number in range(8):
        pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((side, side))
        if kind == "TIFF of 16 bits":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        path = folder / "ab"[number % 2] / f"{number}{KINDS[kind]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **({"compress_level": 1} if kind == "PNG" else {}))


#: Runs a script as the command line does, and prints the peak of its memory in kB.
WATCHED = """
import re, runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak_mb(script: str, *words: object) -> float:
    """Run a script in a process of its own, and give its peak memory."""
    scripts = REPOSITORY / "scripts"
    command = [sys.executable, "-c", WATCHED, scripts, scripts / script, *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=7000, help="pixels")
    side = parser.parse_args().side
    print("| eight files | index MB | pack MB |\n| --- | ---: | ---: |")
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            out = Path(name)
            draw(out / "raw", kind, side)
            shared = ("--folder", out / "raw", "--index", out / "index.csv", "--threads", 8)
            index = peak_mb(
                *("index_images.py", *shared, "--layout", json.dumps(LAYOUT)),
                *("--problems", out / "problems.csv", "--left-out", out / "left_out.csv"),
                *("--reading", out / "reading.json"),
            )
            pack = peak_mb(
                *("pack_images.py", *shared, "--size", 224),
                *("--reading", out / "reading.json"),
                *("--images", out / "images.npy", "--masks", out / "masks.npy"),
            )
            print(f"| {kind} | {index:.0f} | {pack:.0f} |", flush=True)


if __name__ == "__main__":
    main()
