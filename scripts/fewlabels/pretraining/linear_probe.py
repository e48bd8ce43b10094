"""Linear probes (Alain & Bengio 2016, arXiv 1610.01644): how well frozen features tell classes apart."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fewlabels.networks.encoder import Encoder
from fewlabels.pretraining.several_sets import Source, Sources
from fewlabels.training.loop import EVALUATION_BATCH, ImageSet
from fewlabels.training.runtime import Runtime

ITERATIONS = 1000


@torch.inference_mode()
def features_of(encoder: Encoder, images: ImageSet, runtime: Runtime) -> np.ndarray:
    """Features of images as they are, float32 (n, feature_size); the encoder is left in eval mode."""
    encoder.eval()
    found = []
    for rows in torch.arange(len(images)).split(EVALUATION_BATCH):
        with runtime.meter.batch("probe", len(rows)), runtime.autocast(encoder):
            pixels = images.take_pixels(rows).float() / 255
            found.append(encoder(encoder.normalise(pixels)).float())
    return torch.cat(found).cpu().numpy()


def probe_accuracy(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> float:
    """Share of test features, float (n, f), whose class a logistic regression of the training features tells; nan where
    a feature is not finite, as of an encoder whose training diverged."""
    if not (np.isfinite(train).all() and np.isfinite(test).all()):
        return math.nan
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    probe.fit(train, train_labels)
    return float(probe.score(test, test_labels))


class LinearProbes:
    """Probes of an encoder on every source whose labels may be used: trained on its training images, tested on those
    held out."""

    def __init__(self, sources: Sources, runtime: Runtime) -> None:
        self.runtime = runtime
        self.parts = [
            (
                source,
                sources.images(source.train, runtime),
                sources.images(source.held_out, runtime),
            )
            for source in probed(sources.sets)
        ]

    def accuracies(self, encoder: Encoder) -> dict[str, float]:
        """``probe_<data set>`` -> accuracy, as columns of a history."""
        return {
            f"probe_{source.name}": probe_accuracy(
                features_of(encoder, train, self.runtime),
                source.train.labels,
                features_of(encoder, held_out, self.runtime),
                source.held_out.labels,
            )
            for source, train, held_out in self.parts
        }


def probed(sets: Sequence[Source]) -> list[Source]:
    """The sources that a probe can be trained and tested on: with two classes to train on, and held-out images."""
    return [s for s in sets if len(set(s.train.labels.tolist())) > 1 and len(s.held_out)]
