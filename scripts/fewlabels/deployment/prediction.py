"""New images through an ensemble: rows of the table of predictions, and what is told of all of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch

from fewlabels.core.errors import UserError
from fewlabels.deployment.answers import CALIBRATED, Rule, entropy
from fewlabels.deployment.ensemble import Ensemble
from fewlabels.deployment.new_images import Decoded, LeftOut
from fewlabels.deployment.thumbnails import ClassSample


@dataclass
class Outcome:
    """What was done, beside the rows.

    Attributes:
        samples: per class, in the order of the outputs.
        left_out: files without a prediction.
        right, labelled: of the images whose label is one of the classes.
        unknown: labels that are none of them.
        noted: images with a note.
    """

    samples: dict[str, ClassSample]
    left_out: list[LeftOut]
    right: int = 0
    labelled: int = 0
    noted: int = 0
    unknown: set[str] = field(default_factory=set)

    @property
    def images(self) -> int:
        return sum(sample.count for sample in self.samples.values())

    @property
    def abstained(self) -> int:
        return sum(sample.abstained for sample in self.samples.values())


def usable(
    found: Iterator[Decoded], outcome: Outcome, tell: Callable[[], object]
) -> Iterator[Decoded]:
    """Those that could be decoded; the others are noted down.

    Args:
        tell: called for each file.
    """
    for one in found:
        tell()
        if one.pixels is None:
            outcome.left_out.append(LeftOut(one.image.path, one.problem))
        else:
            yield one


def predicted_rows(
    found: Iterator[Decoded],
    ensemble: Ensemble,
    rule: Rule,
    batch_size: int,
    outcome: Outcome,
) -> Iterator[dict[str, object]]:
    """The rows of the table of predictions, batch by batch.

    Raises:
        UserError: a batch does not fit the GPU.
    """
    classes = ensemble.classes
    calibrated = int(rule.temperature is not None or ensemble.has_temperatures)
    while batch := list(islice(found, batch_size)):
        pixels = np.stack([one.pixels for one in batch if one.pixels is not None])
        try:
            probabilities = rule.scaled(ensemble.probabilities(pixels))
        except torch.cuda.OutOfMemoryError:
            raise UserError(
                f"the GPU has no room for {batch_size} images at a time: lower --batch-size"
            ) from None
        likeliest = probabilities.argmax(1)
        entropies, abstains = entropy(probabilities), rule.abstains(probabilities)
        for place, one in enumerate(batch):
            label, predicted = one.image.label, classes[likeliest[place]]
            if label in classes:
                outcome.labelled += 1
                outcome.right += label == predicted
            elif label:
                outcome.unknown.add(label)
            outcome.noted += bool(one.note)
            outcome.samples[predicted].add(
                one.image.path,
                pixels[place],
                float(probabilities[place].max()),
                bool(abstains[place]),
                one.note,
                label,
            )
            yield {
                "path": one.image.path,
                "label": label,
                "predicted": predicted,
                **{f"p_{k}": float(p) for k, p in zip(classes, probabilities[place], strict=True)},
                "entropy": float(entropies[place]),
                "abstain": int(abstains[place]),
                CALIBRATED: calibrated,
                "note": one.note,
            }
