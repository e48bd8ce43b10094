"""Hashing what a folder of pictures contains: the first time, and again with nothing changed (medians of --repeats).

Files of --size bytes of JPEG in 100 folders; what the system keeps of them in memory stays there.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))

from fewlabels.data.content_hashes import REST, folder_hash  # noqa: E402


def seconds(root: Path, cache: Path) -> float:
    started = time.perf_counter()
    folder_hash(root, cache)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("| files | first time s | nothing changed s |\n| ---: | ---: | ---: |")
    for images in arguments.images:
        with tempfile.TemporaryDirectory() as name:
            root, cache = Path(name, "images"), Path(name, "cache")
            for number in range(images):
                folder = root / f"slide{number % 100}"
                folder.mkdir(parents=True, exist_ok=True)
                content = b"\xff\xd8\xff" + number.to_bytes(4) + bytes(arguments.size - 7)
                (folder / f"{number}.jpg").write_bytes(content)
            # Files that were only just written are read again.
            time.sleep(2 * REST)
            first = seconds(root, cache)
            again = statistics.median(seconds(root, cache) for _ in range(arguments.repeats))
            print(f"| {images} | {first:.2f} | {again:.2f} |", flush=True)


if __name__ == "__main__":
    main()
