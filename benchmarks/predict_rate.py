"""How much of its network's own rate scripts/predict.py reaches, and how much memory it takes.

  python benchmarks/predict_rate.py --model results/models/replicate1/lite_cells_100.pt --images FOLDER
  python benchmarks/predict_rate.py --model ... --copies 1000 10000

The first: in turns, the network alone on images that lie decoded in memory, and all of it (files decoded, predicted,
thumbnails kept, table written), on the same images; each turn's ratio, and their median. Both have the same threads.
Beside it the same ratio without the time for which the network's thread (with --threads 1) was ready and got no core,
as Linux tells it: what is left where other work takes cores is due to rows, thumbnails, and waiting for images.
The second: the peak memory of the whole script on so many small drawn images, one process each.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from fewlabels.core.files import write_csv  # noqa: E402
from fewlabels.deployment.answers import Rule  # noqa: E402
from fewlabels.deployment.ensemble import Ensemble  # noqa: E402
from fewlabels.deployment.new_images import Decoding, decode, decode_ahead, find_images  # noqa: E402
from fewlabels.deployment.prediction import Outcome, predicted_rows, usable  # noqa: E402
from fewlabels.deployment.thumbnails import ClassSample  # noqa: E402
from fewlabels.deployment.trained_model import load  # noqa: E402
from fewlabels.training.runtime import start  # noqa: E402

BATCH, THUMBNAILS, SIDE = 64, 12, 96


def kept_waiting() -> float:
    """Seconds for which this thread was ready to run and got no core."""
    return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def rates(arguments: argparse.Namespace) -> None:
    runtime = start("cpu", "auto", arguments.threads)
    model = load(arguments.model)
    ensemble = Ensemble([model], runtime, calibrated=True)
    images = find_images(arguments.images).images[: arguments.most]
    how = Decoding(model.size, model.resize)
    decoders, ahead = arguments.decoders, 2 * BATCH
    ready = [one.pixels for one in decode_ahead(images, partial(decode, how=how), decoders, ahead)]
    pixels = np.stack([one for one in ready if one is not None])

    def alone() -> tuple[float, float]:
        began = time.perf_counter(), kept_waiting()
        for first in range(0, len(pixels), BATCH):
            ensemble.probabilities(pixels[first : first + BATCH])
        return rates_since(began)

    def rates_since(began: tuple[float, float]) -> tuple[float, float]:
        now = time.perf_counter(), kept_waiting()
        wall, waited = (end - start for start, end in zip(began, now, strict=True))
        return len(pixels) / wall, len(pixels) / (wall - waited)

    def whole(out: Path) -> tuple[float, float]:
        began = time.perf_counter(), kept_waiting()
        outcome = Outcome({name: ClassSample(THUMBNAILS) for name in model.classes}, [])
        found = decode_ahead(images, partial(decode, how=how), decoders, ahead)
        rows = predicted_rows(
            usable(found, outcome, lambda: None), ensemble, Rule(None, "", None, ""), BATCH, outcome
        )
        columns = [f"p_{name}" for name in model.classes]
        write_csv(out, columns, ({name: row[name] for name in columns} for row in rows))
        return rates_since(began)

    print(
        f"{len(pixels)} images, {os.cpu_count()} cores, {arguments.threads} threads of the network, "
        f"{decoders} decoders\n\n| turn | network alone, images/s | all, images/s | ratio | had it a core |\n"
        "|---|---:|---:|---:|---:|"
    )
    alone()
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(1, arguments.turns + 1):
            own, both = alone(), whole(Path(scratch) / "predictions.csv")
            found.append([ours / networks for ours, networks in zip(both, own, strict=True)])
            shown = [f"{own[0]:.1f}", f"{both[0]:.1f}", *(f"{ratio:.3f}" for ratio in found[-1])]
            print(f"| {' | '.join([str(turn), *shown])} |", flush=True)
    medians = (statistics.median(ratios) for ratios in zip(*found, strict=True))
    print("\nmedian ratios: " + ", ".join(f"{median:.3f}" for median in medians))


def memory(arguments: argparse.Namespace, copies: int) -> None:
    """One process, and the peak of its memory."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in range(copies):
            drawn = generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(drawn).save(folder / f"{place:06}.jpg", quality=80)
        options = ["--model", arguments.model, "--images", folder, "--device", "cpu"]
        options += ["--out", folder / "out/p.csv", "--page", folder / "out/p.html"]
        command = [sys.executable, SCRIPTS / "predict.py", *options]
        command += ["--threads", arguments.threads, "--decoders", arguments.decoders]
        began = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
    # Of all children so far: sizes go up, and so a later one's is not hidden by an earlier one's.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{copies} images: peak {peak:.0f} MB, {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--model", required=True, help=".pt of train_classifier")
    parser.add_argument("--images", type=Path, help="folder of images")
    parser.add_argument("--most", type=int, default=1000, help="images of it, at most")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=max(1, cores - round(cores / 3)))
    parser.add_argument("--decoders", type=int, default=max(1, round(cores / 3)))
    parser.add_argument("--copies", type=int, nargs="+", default=[], help="drawn images")
    arguments = parser.parse_args()
    if arguments.images:
        rates(arguments)
    for copies in sorted(arguments.copies):
        memory(arguments, copies)


if __name__ == "__main__":
    main()
