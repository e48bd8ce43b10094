"""Experiments with known truth: whether each image was classified rightly, drawn from a latent probit model.

A run is right on an image where a sum of normal effects is above a threshold: of the image (its difficulty), of its
slide, of arm and image, of arm and slide, of the subset (shared by the arms), of the arm's replicate, and noise. The
effects' variances add up to 1, so that the expected accuracy of every run is exactly what is asked for, whatever the
mixture; differences of arms are known as exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import norm, t

from fewlabels.statistics.comparison import Comparison, compare, decide
from fewlabels.statistics.evaluation import Scored
from fewlabels.statistics.predictions import Predictions, Units, units_of
from fewlabels.statistics.variance_components import Estimate

#: Latent effects in memory at a time.
LARGEST = 20_000_000


@dataclass(frozen=True)
class Setting:
    """What is simulated. Spreads of replicates are in points of accuracy, other effects in shares of the variance.

    Attributes:
        replicates, images: sizes of a run's table.
        level: expected accuracy of the baseline, per cent.
        replicate: standard deviation over an arm's own replicates, in points near ``level`` (or ``near``).
        subset: the same of what all arms share in a replicate.
        image, arm_image, slide, arm_slide: shares of the latent variance.
        slides: images of each slide; the remaining images have none.
        arms: how many are compared with the baseline.
        fractions: how many tests there are of each arm.
        difference: expected accuracy of the other arms minus that of the baseline, in points.
        common: share of an arm's effects on images and slides that is the same at all fractions.
        near: the accuracy near which spreads of replicates are given, where it is not ``level``.
    """

    replicates: int = 5
    images: int = 994
    level: float = 90.0
    replicate: float = 2.0
    subset: float = 1.0
    image: float = 0.4
    arm_image: float = 0.1
    slide: float = 0.0
    arm_slide: float = 0.0
    slides: tuple[int, ...] = ()
    arms: int = 1
    fractions: int = 4
    difference: float = 0.0
    common: float = 0.5
    near: float | None = None

    @cached_property
    def ids(self) -> list[str]:
        return [f"{place:05}" for place in range(self.images)]

    @cached_property
    def groups(self) -> dict[str, str]:
        """Image -> slide; without the images that have none."""
        names = np.repeat([f"{place:03}" for place in range(len(self.slides))], self.slides)
        return dict(zip(self.ids, names.tolist(), strict=False))

    @cached_property
    def units(self) -> Units:
        """The units that the workflow finds."""
        return units_of(self.ids, self.groups)


#: Images of slides of which few hold most.
UNEVEN = (300, 200, 150, 100, 80, 60, 40, 30, 20, 10, 4)


def with_slides(count: int, **others: Any) -> Setting:
    """994 images of ``count`` slides, alike in size, or of ``slides``; an arm's effect on a slide has 2.6 % of the
    variance."""
    sizes = [len(part) for part in np.array_split(np.arange(994), count)] if count else []
    effects = {"replicate": 0.5, "subset": 0.5, "slide": 0.05, "arm_slide": 0.026}
    return Setting(**effects | {"slides": tuple(sizes)} | others)


def drawn(setting: Setting, tables: int, seed: int) -> np.ndarray:
    """Whether each image was classified rightly, bool (tables, 1 + arms, fractions, replicates, images).

    Arm 0 is the baseline. Everything is redrawn in every table.

    Raises:
        ValueError: the effects ask for more than all of the variance, or an arm is to be right more than always.
    """
    generator = np.random.default_rng(seed)
    arms, fractions = 1 + setting.arms, setting.fractions
    replicates, images = setting.replicates, setting.images
    # A point of accuracy is so much of the latent scale.
    point = 0.01 / norm.pdf(norm.ppf((setting.near or setting.level) / 100))
    shares = {
        **{"image": setting.image, "arm_image": setting.arm_image},
        **{"slide": setting.slide, "arm_slide": setting.arm_slide},
        **{"subset": (setting.subset * point) ** 2, "replicate": (setting.replicate * point) ** 2},
    }
    noise = 1 - sum(shares.values())
    if noise < 0:
        raise ValueError(f"effects of {1 - noise:.2f} times the variance: {setting}")

    def effect(share: float, *shape: int) -> np.ndarray:
        scale = np.float32(np.sqrt(share))
        return scale * generator.standard_normal((tables, *shape), dtype=np.float32)

    def of_arms(share: float, places: int) -> np.ndarray:
        shared = effect(share * setting.common, arms, 1, 1, places)
        return shared + effect(share * (1 - setting.common), arms, fractions, 1, places)

    accuracy = np.array([setting.level] + [setting.level + setting.difference] * setting.arms)
    if accuracy.max() >= 100:
        raise ValueError(f"right on more than all images: {setting}")
    latent = norm.ppf(accuracy / 100).astype(np.float32)[:, None, None, None] + effect(
        noise, arms, fractions, replicates, images
    )
    latent += effect(shares["image"], 1, 1, 1, images) + of_arms(shares["arm_image"], images)
    if setting.slide or setting.arm_slide:
        # An image without slide is one of its own, so that all images have the same variance.
        codes = setting.units.codes
        slides = setting.units.count
        by_slide = effect(shares["slide"], 1, 1, 1, slides) + of_arms(shares["arm_slide"], slides)
        latent += by_slide[..., codes]
    latent += effect(shares["subset"], 1, fractions, replicates, 1)
    latent += effect(shares["replicate"], arms, fractions, replicates, 1)
    return latent > 0


def experiments(setting: Setting, tables: int, seed: int) -> Iterator[np.ndarray]:
    """As :func:`drawn`, some tables at a time, each bool (1 + arms, fractions, replicates, images)."""
    size = (1 + setting.arms) * setting.fractions * setting.replicates * setting.images
    step = max(1, LARGEST // size)
    for part, first in enumerate(range(0, tables, step)):
        yield from drawn(setting, min(step, tables - first), 1000 * seed + part)


def unit_pseudovalues(right: np.ndarray, units: Units) -> np.ndarray:
    """Jackknife pseudovalues of an accuracy over units, per cent, float (..., units).

    What ``fewlabels.statistics.variance_components.pseudovalues`` gives for one run; here for all runs at once.

    Args:
        right: bool (..., images).
    """
    images, sizes = len(units.codes), np.bincount(units.codes)
    order = np.argsort(units.codes, kind="stable")
    firsts = np.concatenate([[0], sizes.cumsum()[:-1]])
    hits = np.add.reduceat(right[..., order].astype(float), firsts, axis=-1)
    total = hits.sum(-1, keepdims=True)
    return 100 * (
        units.count * total / images - (units.count - 1) * (total - hits) / (images - sizes)
    )


def scored_runs(right: np.ndarray, setting: Setting, units: Units) -> np.ndarray:
    """The runs of an experiment, ``Scored`` (1 + arms, fractions, replicates), by their accuracy alone.

    Args:
        right: as of :func:`experiments`.
    """
    none = np.zeros(setting.images, dtype=np.int64)
    predictions = Predictions(tuple(setting.ids), none, none, None, ("right", "wrong"))
    data, values = unit_pseudovalues(right, units), 100 * right.mean(-1)
    found = np.empty(values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        of_accuracy = {"accuracy": float(values[place])}, {"accuracy": data[place]}
        found[place] = Scored(predictions, units, np.empty((0, 2, 2)), *of_accuracy)
    return found


def family(runs: np.ndarray, alpha: float, margin: float) -> list[Comparison]:
    """Comparisons of scored runs, arm by arm and fraction by fraction, decided by the code that the workflow runs."""
    comparisons = [
        compare(arm[place], runs[0, place], "accuracy")
        for arm in runs[1:]
        for place in range(len(arm))
    ]
    decide(comparisons, alpha, margin)
    return comparisons


class HillisEstimate(Estimate):
    """An estimate with the degrees of freedom of Hillis, Berbaum & Metz (2008), to compare with."""

    def critical(self, tail: float) -> float:
        return float(t.isf(tail, self._df))

    def tail(self, errors: float) -> float:
        return float(t.sf(errors, self._df))

    @property
    def _df(self) -> float:
        return min((self.replicates - 1) / max(self.replicate_share, 1e-6) ** 2, 1e6)


#: Settings by the kind of spread that rules: replicates, images, few slides, few errors.
SETTINGS = {
    "R=2, 994 images, sd 2": Setting(replicates=2),
    "R=2, 994 images, sd 5": Setting(replicates=2, replicate=5.0),
    "R=3, 994 images, sd 2": Setting(replicates=3),
    "R=3, 994 images, sd 3": Setting(replicates=3, replicate=3.0),
    "R=3, 994 images, sd 5": Setting(replicates=3, replicate=5.0),
    "R=3, 994 images, sd 2, two arms": Setting(replicates=3, arms=2),
    "R=5, 994 images, sd 2": Setting(),
    "R=5, 994 images, sd 3": Setting(replicate=3.0),
    "R=5, 994 images, sd 5": Setting(replicate=5.0),
    "R=5, 1,728 images, sd 2": Setting(images=1728),
    "R=5, 1,728 images, sd 3": Setting(images=1728, replicate=3.0),
    "R=5, 1,728 images, sd 3, 80 %": Setting(images=1728, replicate=3.0, level=80.0),
    "R=3, 200 images, sd 0.5": Setting(replicates=3, images=200, replicate=0.5, arm_image=0.3),
    "R=5, 200 images, sd 0.5": Setting(images=200, replicate=0.5, arm_image=0.3),
    "R=3, 10 slides": with_slides(10, replicates=3),
    "R=5, 10 slides": with_slides(10),
    "R=5, 19 slides": with_slides(19),
    "R=5, 30 slides": with_slides(30),
    "R=5, 11 slides of 300 to 4 images": with_slides(0, slides=UNEVEN),
    "R=5, 4 slides of 200, 194 without": with_slides(0, slides=(200,) * 4),
    "R=5, 994 images, 98 %": Setting(level=98.0, replicate=0.5, subset=0.3),
    "R=5, 994 images, 99.5 %": Setting(level=99.5, replicate=0.15, subset=0.1),
    "R=3, 200 images, 99 %": Setting(
        replicates=3, images=200, level=99.0, replicate=0.3, subset=0.2
    ),
}
