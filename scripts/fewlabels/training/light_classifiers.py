"""Light classifiers on the features of frozen encoders: balanced logistic regression and nearest neighbours.

Nothing is learnt by optimiser steps: the features of the subset are computed once, averaged over the views that a
network would be trained on, and the one setting of the classifier is chosen by cross-validation within the subset.
Folds are stratified by class, as many as the rarest class has images, five at most; a masked copy is in the fold of
its image.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from torch import Tensor, nn
from torch.nn import functional

from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder
from fewlabels.networks.heads import (
    LOGISTIC_REGRESSION,
    NEAREST_NEIGHBOURS,
    LogisticHead,
    NeighboursHead,
)
from fewlabels.training.loop import (
    EVALUATION_BATCH,
    ImageSet,
    classify,
    loss_and_accuracy,
    predict,
)
from fewlabels.training.runtime import Runtime

FOLDS = 5
#: Inverse strengths of the penalty (scikit-learn's C) that are tried, and the one where nothing can be tried.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
FIXED_STRENGTH = 1e-1
#: Numbers of neighbours that are tried; one where nothing can be tried.
NEIGHBOURS = (1, 3, 5, 10, 20)
#: Of lbfgs, for each fit.
ITERATIONS = 1000
#: Logit of a class that the subset has no image of: practically never, and finite.
NEVER = -50.0

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Fitted:
    """A fitted head, and what a checkpoint and a record say of how it came about: kind, C or neighbours, folds."""

    head: nn.Module
    facts: dict[str, str | int | float]


@dataclass(frozen=True)
class LightRun:
    """A classifier with its fitted head, its history of one row, its logits for each evaluated set, and the facts of
    :class:`Fitted`."""

    model: Classifier
    history: list[dict[str, float]]
    logits: dict[str, Tensor]
    facts: dict[str, str | int | float]


@torch.inference_mode()
def mean_features(
    encoders: Mapping[str, Encoder], images: ImageSet, views: Sequence[int], runtime: Runtime
) -> Tensor:
    """Features of the encoders side by side, averaged over views: float32 (n, f) on the device."""
    bare = Classifier(encoders, 0, nn.Identity())
    runtime.place(bare)
    bare.eval()
    found = []
    for rows in torch.arange(len(images)).split(EVALUATION_BATCH):
        total: Tensor | float = 0.0
        for view in views:
            with runtime.meter.batch("features", len(rows)):
                total = total + classify(bare, images, rows, runtime, torch.full_like(rows, view))
        found.append(torch.as_tensor(total) / len(views))
    return torch.cat(found)


def folds_of(labels: np.ndarray, names: Sequence[str], seed: int) -> list[Split]:
    """Rows to fit and rows to test, int (n,), of each fold; none where a class has a single image.

    Args:
        labels: int (n,).
        names: of the images that the rows are of; equal ones stay together.
    """
    _, first, image_of = np.unique(names, return_index=True, return_inverse=True)
    of_images = labels[first]
    count = min(FOLDS, int(np.unique(of_images, return_counts=True)[1].min()))
    if count < 2:
        return []
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return [
        (np.flatnonzero(np.isin(image_of, fitted)), np.flatnonzero(np.isin(image_of, held)))
        for fitted, held in splitter.split(of_images, of_images)
    ]


def balanced_log_loss(model: LogisticRegression, features: np.ndarray, labels: np.ndarray) -> float:
    """Cross entropy in which each class counts as much as any other."""
    weights = compute_sample_weight("balanced", labels)
    shares = model.predict_proba(features)
    return float(log_loss(labels, shares, labels=model.classes_, sample_weight=weights))


def choose_strength(features: np.ndarray, labels: np.ndarray, folds: Sequence[Split]) -> float:
    """The C with the least balanced cross entropy over the folds; of equals the smallest."""
    if not folds:
        return FIXED_STRENGTH
    losses = np.zeros(len(STRENGTHS))
    for fitted, held in folds:
        model = LogisticRegression(class_weight="balanced", max_iter=ITERATIONS, warm_start=True)
        for place, strength in enumerate(STRENGTHS):
            model.set_params(C=strength).fit(features[fitted], labels[fitted])
            losses[place] += balanced_log_loss(model, features[held], labels[held])
    return STRENGTHS[int(losses.argmin())]


def fit_scaler(features: np.ndarray) -> StandardScaler:
    """Mean and scale of each feature, float (n, f): its standard deviation, but at least the median one.

    Few images leave many features of a network (nearly) constant; divided by their own deviation, these would outweigh
    all others on an image in which they are not.
    """
    scaler = StandardScaler().fit(features)
    spread = np.sqrt(scaler.var_)
    if spread.any():
        scaler.scale_ = np.maximum(spread, np.median(spread[spread > 0]))
    return scaler


def fit_logistic_regression(
    features: Tensor, labels: Tensor, classes: int, folds: Sequence[Split]
) -> Fitted:
    """Multinomial logistic regression with an L2 penalty, classes balanced, on standardised features; standardisation
    and coefficients are folded into one linear layer.

    Args:
        features: float (n, f).
        labels: int64 (n,).
    """
    raw, known = features.double().cpu().numpy(), labels.cpu().numpy()
    scaler = fit_scaler(raw)
    values = scaler.transform(raw)
    strength = choose_strength(values, known, folds)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=ITERATIONS)
    model.fit(values, known)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        # Of two classes scikit-learn keeps the second one's logit alone.
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    weight = np.zeros((classes, raw.shape[1]))
    bias = np.full(classes, NEVER)
    weight[model.classes_] = coefficients / scaler.scale_
    bias[model.classes_] = intercepts - weight[model.classes_] @ scaler.mean_
    head = LogisticHead(raw.shape[1], classes)
    head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    return Fitted(head, {"kind": LOGISTIC_REGRESSION, "C": strength, "folds": len(folds)})


def choose_neighbours(
    features: Tensor, labels: Tensor, classes: int, folds: Sequence[Split]
) -> int:
    """The number of neighbours with the highest mean balanced accuracy over the folds; of equals the smallest."""
    fewest = min((len(fitted) for fitted, _ in folds), default=1)
    tried = [count for count in NEIGHBOURS if count <= fewest]
    scores = np.zeros(len(tried))
    for split in folds:
        fitted, held = (torch.from_numpy(rows).to(features.device) for rows in split)
        for place, count in enumerate(tried):
            head = NeighboursHead(features[fitted], labels[fitted], count, classes)
            found = head(features[held]).argmax(1).cpu()
            scores[place] += balanced_accuracy_score(labels[held].cpu(), found)
    return tried[int(scores.argmax())]


def fit_nearest_neighbours(
    features: Tensor, labels: Tensor, classes: int, folds: Sequence[Split]
) -> Fitted:
    """The votes of the nearest images of the subset by cosine similarity; float (n, f), int64 (n,)."""
    count = choose_neighbours(features, labels, classes, folds)
    head = NeighboursHead(features, labels, count, classes)
    return Fitted(head, {"kind": NEAREST_NEIGHBOURS, "neighbours": count, "folds": len(folds)})


FITS = {
    LOGISTIC_REGRESSION: fit_logistic_regression,
    NEAREST_NEIGHBOURS: fit_nearest_neighbours,
}


def train_light_classifier(
    kind: str,
    encoders: Mapping[str, Encoder],
    classes: int,
    train: ImageSet,
    names: Sequence[str],
    evaluated: Mapping[str, ImageSet],
    views: Sequence[int],
    runtime: Runtime,
    seed: int,
) -> LightRun:
    """Fit a light classifier of some kind to the features of frozen encoders.

    Its history is one row, epoch 1 of 0 optimiser steps, with loss and accuracy of ``train`` (by the same mean features
    that it was fitted to) and of each of ``evaluated``.

    Args:
        names: of the images of ``train``, a masked copy's being that of its image.
        views: that features are averaged over.
        seed: of the folds.
    """
    with runtime.meter.part("training"):
        features = mean_features(encoders, train, views, runtime)
        folds = folds_of(train.labels.cpu().numpy(), names, seed)
        fitted = FITS[kind](features, train.labels, classes, folds)
        model = Classifier(encoders, classes, fitted.head)
        runtime.place(model)
        model.eval()
        with torch.inference_mode():
            outputs = model.head(features)
        row = {
            "epoch": 1,
            "steps": 0,
            "train_loss": functional.cross_entropy(outputs, train.labels).item(),
            "train_accuracy": (outputs.argmax(1) == train.labels).double().mean().item(),
        }
    chosen = ", ".join(f"{key} {value}" for key, value in fitted.facts.items())
    reason = "" if folds else "; a class has one image, so that nothing could be tried"
    logging.info("%s%s", chosen, reason)
    logits: dict[str, Tensor] = {}
    with runtime.meter.part("evaluation"):
        for name, images in evaluated.items():
            logits[name] = predict(model, images, runtime)
            of_all = loss_and_accuracy(logits[name], images.labels)
            row[f"{name}_loss"], row[f"{name}_accuracy"] = of_all
    return LightRun(model, [row], logits, fitted.facts)
