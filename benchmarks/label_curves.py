"""Labels saved and gains of simulated arms whose truth is known: coverage, false finds and power, as Markdown."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from fewlabels.statistics.label_efficiency import (
    Curves,
    difference,
    fraction_shift,
    gain,
    is_flat,
    pooled_shift,
)

ALPHA = 0.05


@dataclass(frozen=True)
class Setting:
    """A simulated experiment.

    Attributes:
        labels: training images of each fraction, ascending.
        baseline: its accuracy at each fraction in the population, per cent.
        arms: the same of each arm.
        replicate: standard deviation of a run's accuracy over replicates of its own, in points.
        subset: the same of what an arm and the baseline share in a replicate and fraction.
        image, arm_image: shares of the latent variance of images, and of images within an arm.
        replicates, images: sizes.
    """

    labels: tuple[int, ...]
    baseline: tuple[float, ...]
    arms: tuple[tuple[float, ...], ...]
    replicate: float = 2.0
    subset: float = 1.0
    image: float = 0.5
    arm_image: float = 0.1
    replicates: int = 5
    images: int = 1000


STEEP = Setting((84, 845, 4223, 8447), (70, 84, 91, 94), ((78, 88, 92.5, 94.5),))
SETTINGS = {
    "four fractions, arm better": STEEP,
    "the same, replicate sd 1": Setting(STEEP.labels, STEEP.baseline, STEEP.arms, replicate=1),
    "the same, arm worse": Setting(STEEP.labels, STEEP.arms[0], (STEEP.baseline,)),
    "the same, arm equal": Setting(STEEP.labels, STEEP.baseline, (STEEP.baseline,)),
    "three fractions": Setting((50, 200, 800), (60, 75, 85), ((66, 79, 87),)),
    "a plateau": Setting((84, 845, 4223, 8447), (80, 93, 95.5, 96), ((86, 94, 95.5, 96),)),
    "few test images": Setting(STEEP.labels, STEEP.baseline, STEEP.arms, images=200),
}


def draw(setting: Setting, generator: np.random.Generator) -> np.ndarray:
    """Whether each image was classified rightly, bool (1 + arms, fractions, replicates, images).

    Arm 0 is the baseline. A latent probit model: effects of image, arm x image, subset, replicate and noise are normal
    with variances that sum up to 1, so that the accuracy expected at each fraction is just the one of the setting.
    """
    accuracy = np.array([setting.baseline, *setting.arms]) / 100
    shape = (*accuracy.shape, setting.replicates, setting.images)
    threshold = norm.ppf(accuracy)
    # A point of accuracy is so much of the latent scale.
    point = 0.01 / norm.pdf(threshold)[:, :, None, None]

    def effect(scale: object, *kept: int) -> np.ndarray:
        sizes = [size if axis in kept else 1 for axis, size in enumerate(shape)]
        return scale * generator.standard_normal(sizes, dtype=np.float32)

    spread = (setting.replicate**2 + setting.subset**2) * point**2
    noise = 1 - setting.image - setting.arm_image - spread
    latent = threshold[:, :, None, None] + effect(np.sqrt(noise), 0, 1, 2, 3)
    latent += effect(np.sqrt(setting.image), 3) + effect(np.sqrt(setting.arm_image), 0, 3)
    latent += effect(setting.subset * point, 1, 2) + effect(setting.replicate * point, 0, 1, 2)
    return latent > 0


def curves_of(setting: Setting, right: np.ndarray) -> list[Curves]:
    """The curves of each arm beside the baseline; images are the units."""
    data = 100 * right.astype(float)
    values = data.mean(-1)
    return [
        Curves(np.array(setting.labels), values[arm], values[0], data[arm], data[0])
        for arm in range(1, len(data))
    ]


def population(setting: Setting) -> Curves:
    """The curves of the first arm and of the baseline as they are in the population."""
    arm, baseline = (np.array(curve)[:, None] for curve in (setting.arms[0], setting.baseline))
    return Curves(np.array(setting.labels), arm, baseline, arm[..., None], baseline[..., None])


def coverage(setting: Setting, tables: int, seed: int) -> dict[str, float]:
    """Shares of simulated tables whose intervals hold the truth: of the gain, of ratios by fraction, of the pooled one.

    Only ratios within the range of labels have a truth to be held. An interval holds a ratio just if the test that
    it inverts accepts it.
    """
    true = population(setting)
    true_gain = gain(true).value
    moves = {}
    for place, labels in enumerate(setting.labels):
        ratio = fraction_shift(true, place).ratio(None).value
        if ratio is not None and not ratio.bound:
            moves[f"ratio at {labels}"] = np.log(ratio.value)
    pooled = pooled_shift(true).ratio(None).value
    held: dict[str, list[bool]] = {}
    generator = np.random.default_rng(seed)
    for _ in range(tables):
        (curves,) = curves_of(setting, draw(setting, generator))
        low, high = gain(curves).interval(ALPHA)
        held.setdefault("gain", []).append(low <= true_gain <= high)
        if is_flat(curves):
            continue
        for place, labels in enumerate(setting.labels):
            if (name := f"ratio at {labels}") in moves:
                possible = fraction_shift(curves, place).possible(moves[name], ALPHA)
                held.setdefault(name, []).append(possible)
        if pooled is not None and not pooled.bound:
            possible = pooled_shift(curves).possible(np.log(pooled.value), ALPHA)
            held.setdefault("pooled ratio", []).append(possible)
    return {name: float(np.mean(found)) for name, found in held.items()}


def finds(setting: Setting, tables: int, seed: int) -> tuple[float, float]:
    """Shares of tables with any significant arm, after Holm: by pooled tests, and by tests per arm and fraction."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(tables):
        arms = curves_of(setting, draw(setting, generator))
        pooled = [gain(curves).p_difference() for curves in arms]
        places = range(len(setting.labels))
        single = [difference(curves, place).p_difference() for curves in arms for place in places]
        # Holm's first step, on which all others wait.
        found.append([min(p) <= ALPHA / len(p) for p in (pooled, single)])
    by_pooled, by_fraction = np.mean(found, axis=0)
    return float(by_pooled), float(by_fraction)


def moved(points: float, arms: int, **more: float) -> Setting:
    """Arms that are so many points better at all fractions."""
    better = tuple(value + points for value in STEEP.baseline)
    return Setting(STEEP.labels, STEEP.baseline, (better,) * arms, **more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000, help="simulated experiments each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| coverage of 95 % intervals, per cent | gain | ratios by fraction | pooled ratio |")
    print("| --- | ---: | ---: | ---: |")
    for name, setting in SETTINGS.items():
        found = coverage(setting, options.tables, options.seed)
        single = [value for key, value in found.items() if key.startswith("ratio at")]
        pooled = f"{100 * found['pooled ratio']:.1f}" if "pooled ratio" in found else "-"
        by_fraction = ", ".join(f"{100 * value:.1f}" for value in single)
        print(f"| {name} | {100 * found['gain']:.1f} | {by_fraction} | {pooled} |", flush=True)
    print("\n| tables with a significant arm, per cent | pooled tests | a test per fraction |")
    print("| --- | ---: | ---: |")
    for points in (0.0, 1.0, 2.0, 3.0):
        for sd in (1.0, 2.0):
            setting = moved(points, 3, replicate=sd)
            shares = finds(setting, options.tables, options.seed)
            cells = " | ".join(f"{100 * share:.1f}" for share in shares)
            print(f"| three arms, {points:g} points better, sd {sd:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
