"""Test images held out of the training images of a data set without a test split."""

import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import train_test_split

from fewlabels.core.errors import UserError
from fewlabels.data.slides import Row, held_out, slides_of

#: Whole slides are held out where at least this share of the images has a known one.
LEAST_SHARE_WITH_SLIDE = 0.5


def draw_places(
    count: int, share: float, seed: int, labels: Sequence[str] | None = None
) -> tuple[list[int], list[int]]:
    """Draw places 0 ... count - 1 for training and for testing, both in the order in which they are drawn.

    Args:
        share: of the places, for testing.
        labels: one per place; given, the classes' shares are kept.

    Raises:
        UserError: nothing would be left on one side, or no image of a class.
    """
    try:
        train, test = train_test_split(
            range(count), test_size=share, random_state=seed, stratify=labels
        )
    except ValueError as error:
        raise UserError(
            f"{count} images can't be split into train and test ({error}): "
            "use more images, or another datasets.*.holdout"
        ) from error
    return list(train), list(test)


def hold_out(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Give ``share`` of the training rows of an index the split ``test``.

    Unlabelled images are drawn by :func:`draw_places` in the rows' order. Labelled ones are stratified by
    class, with whole slides where most have a known one and no class would be lost by it; the only image of a
    class stays in train. Rows of other splits stay as they are.

    Raises:
        UserError: there are test images already, or no split is possible.
    """
    if any(row["split"] == "test" for row in rows):
        raise UserError("there are test images already: set datasets.*.holdout to null")
    train = [place for place, row in enumerate(rows) if row["split"] == "train"]
    counts = Counter(rows[place]["label"] for place in train)
    if set(counts) <= {""}:
        test = [train[drawn] for drawn in draw_places(len(train), share, seed)[1]]
    else:
        for label in sorted(label for label, count in counts.items() if count == 1):
            logging.info("%s has a single image: it stays in train", label)
        usable = [place for place in train if counts[rows[place]["label"]] > 1]
        chosen = _draw_labelled([rows[place] for place in usable], share, seed)
        test = [usable[drawn] for drawn in chosen]
        kept = {rows[place]["label"] for place in test}
        for label in sorted(set(counts) - kept):
            logging.info("warning: no image of %s is held out", label)
    held = set(test)
    return [
        {**row, "split": "test"} if place in held else dict(row) for place, row in enumerate(rows)
    ]


def _draw_labelled(rows: Sequence[Row], share: float, seed: int) -> list[int]:
    labels = [row["label"] for row in rows]
    with_slide = sum(bool(row["slide"]) for row in rows)
    if rows and with_slide >= LEAST_SHARE_WITH_SLIDE * len(rows):
        whole = held_out(labels, slides_of(rows, unknown="pixel_sha256"), share, seed)
        if whole is not None:
            return np.flatnonzero(whole).tolist()
        logging.info("warning: whole slides would lose a class: single images are held out")
    return draw_places(len(rows), share, seed, labels)[1]
