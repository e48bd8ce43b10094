"""Slides: what file names tell of them, what a slide alone gives away, and splits that keep slides whole.

An image whose name tells no slide is a slide of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import homogeneity_score
from sklearn.model_selection import StratifiedGroupKFold

from fewlabels.core.errors import UserError

Row = dict[str, str]


def slides_of(rows: Sequence[Row], unknown: str = "id") -> list[str]:
    """Each image's slide; one of its own, named after its column ``unknown``, where it has none."""
    return [
        f"slide {row['slide']}" if row["slide"] else f"{unknown} {row[unknown]}" for row in rows
    ]


def check_slides(rows: Sequence[Row], dataset: str) -> None:
    """Refuse slides of a data set that are class names in disguise, such as a file name's cell type.

    They are when each holds a single class (homogeneity 1: Rosenberg & Hirschberg 2007, EMNLP-CoNLL, p. 410)
    and there are at most twice as many as classes.

    Raises:
        UserError: names the pattern to mend.
    """
    known = [row for row in rows if row["slide"]]
    labels = [row["label"] for row in known]
    slides = [row["slide"] for row in known]
    classes = len(set(labels))
    if classes < 2 or len(set(slides)) > 2 * classes:
        return
    if homogeneity_score(labels, slides) > 1 - 1e-9:
        raise UserError(
            f"datasets.{dataset}.group_pattern: what it takes for a slide ({sorted(set(slides))[0]!r}, ...) is "
            f"the class itself: each of its {len(set(slides))} 'slides' holds one class. Mend the pattern, "
            "or set it to null"
        )


def majority(labels: Sequence[str]) -> str:
    """The most frequent label; of equally frequent ones the first by name.

    >>> majority(["b", "a", "b", "a", "c"])
    'a'
    """
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def predict_from_slides(
    train_labels: Sequence[str], train_slides: Sequence[str], slides: Sequence[str]
) -> list[str]:
    """Predict each slide's majority among the training images; the overall majority for an unseen slide."""
    labels_of = defaultdict(list)
    for label, slide in zip(train_labels, train_slides, strict=True):
        labels_of[slide].append(label)
    majority_of = {slide: majority(labels) for slide, labels in labels_of.items()}
    overall = majority(train_labels)
    return [majority_of.get(slide, overall) for slide in slides]


def held_out(
    labels: Sequence[str], groups: Sequence[str], share: float, seed: int
) -> np.ndarray | None:
    """Hold out about ``share`` of the images, whole groups, with the classes' shares kept as far as groups allow.

    The fold of scikit-learn's StratifiedGroupKFold, of round(1 / share) folds, whose classes' shares come
    nearest to ``share``.

    Returns:
        bool (n,), True where held out; None where no fold leaves every class on both sides.
    """
    class_of, group_of = np.asarray(labels), np.asarray(groups)
    classes, counts = np.unique(class_of, return_counts=True)
    folds = max(2, round(1 / share))
    if len(np.unique(group_of)) < folds or counts.max() < folds:
        return None
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    best, least = None, np.inf
    for _, rows in splitter.split(class_of, class_of, group_of):
        inside = np.array([np.sum(class_of[rows] == label) for label in classes])
        if (inside == 0).any() or (inside == counts).any():
            continue
        deviation = np.abs(inside / counts - share).mean() + abs(len(rows) / len(class_of) - share)
        if deviation < least:
            best, least = np.isin(np.arange(len(class_of)), rows), deviation
    return best
