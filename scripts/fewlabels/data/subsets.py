"""Nested, stratified subsets of the labelled training images.

For each class with n images, m of which have a mask, one seeded order of the images is made, and the
fraction f takes its first floor(f n), at least one; k per class takes its first k, or all where n < k. So of
each class every smaller subset lies in every larger one, whatever other fractions the config asks for. The i-th
masked image (i = 1 ... m, in a seeded order of its own) stands at place floor(i n / m): then the first floor(f n)
images hold at least floor(f m) masked ones for every f, the first k at least floor(k m / n), and so many of them,
the first ones, keep their mask in the subset.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from sklearn.model_selection import train_test_split

from fewlabels.core.errors import UserError
from fewlabels.core.fractions import images_of, masks_of
from fewlabels.data.slides import held_out, slides_of

#: Fewer images of a class than this in a subset: none of the subset is held out for validation.
LEAST_FOR_VALIDATION = 5


def seeded_order(masked: Sequence[bool], generator: np.random.Generator) -> list[int]:
    """Order the images of one class so that masked ones are spread evenly; see the module's text.

    Args:
        masked: for each image, whether it has a mask.

    Returns:
        Positions into ``masked``: a permutation.
    """
    with_mask = [place for place, has_mask in enumerate(masked) if has_mask]
    without = [place for place, has_mask in enumerate(masked) if not has_mask]
    with_mask = [with_mask[i] for i in generator.permutation(len(with_mask))]
    without = [without[i] for i in generator.permutation(len(without))]
    total = len(masked)
    order: list[int] = [-1] * total
    for index, place in enumerate(with_mask, start=1):
        order[index * total // len(with_mask) - 1] = place
    rest = iter(without)
    return [next(rest) if place < 0 else place for place in order]


def draw_subset(train: Sequence[dict[str, str]], fraction: str, seed: int) -> list[dict[str, str]]:
    """Draw one subset of the training rows of an index.

    Args:
        train: rows with ``id``, ``label``, ``mask`` (empty: none); their order does not matter.
        fraction: per cent, as text, so that 0.1 is exact; or a number per class (:mod:`fewlabels.core.fractions`).
        seed: of the replicate.

    Returns:
        Rows ``id, label, mask`` sorted by id; ``mask`` is "1" where the subset uses the image's mask.
    """
    classes: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in sorted(train, key=lambda row: row["id"]):
        classes[row["label"]].append(row)
    subset = []
    for label in sorted(classes):
        rows = classes[label]
        # A stream of its own for every class: one more class leaves the others' draws alone.
        generator = np.random.default_rng([seed, *label.encode()])
        masked = [bool(row["mask"]) for row in rows]
        chosen = seeded_order(masked, generator)[: images_of(fraction, len(rows))]
        masks_left = masks_of(fraction, len(rows), sum(masked))
        for place in chosen:
            uses_mask = masked[place] and masks_left > 0
            masks_left -= uses_mask
            subset.append({"id": rows[place]["id"], "label": label, "mask": str(int(uses_mask))})
    return sorted(subset, key=lambda row: row["id"])


def _check_share(share: float, images: int, classes: int) -> None:
    """Refuse a share for validation of which, or beside which, not every class could have an image."""
    held = ceil(share * images)
    for count, what, remedy in (
        (held, "for validation", f"give at least {-(-1000 * classes // images) / 1000:g}"),
        (
            images - held,
            "for training",
            f"give at most {1000 * (images - classes) // images / 1000:g}",
        ),
    ):
        if count < classes:
            raise UserError(
                f"{share:g} of {images} images leaves {count} {what}, of {classes} classes: {remedy}"
            )


def mark_validation(
    subset: Sequence[dict[str, str]],
    share: float,
    seed: int,
    index_of: Mapping[str, dict[str, str]] | None = None,
) -> list[dict[str, str]]:
    """Add the column ``part`` to a subset: ``validation`` for ``share`` of it, stratified by class, else ``train``.

    All are ``train`` where a class has fewer than five images in the subset, or where whole slides leave a
    class out of either part.

    Args:
        index_of: id -> row of the index; given, no slide is in both parts.

    Raises:
        UserError: the share leaves fewer images than classes in one of the parts.
    """
    labels = [row["label"] for row in subset]
    validation = np.zeros(len(subset), bool)
    if share and min(Counter(labels).values()) >= LEAST_FOR_VALIDATION:
        if index_of is None:
            _check_share(share, len(labels), len(set(labels)))
            places = np.arange(len(subset))
            _, chosen = train_test_split(
                places, test_size=share, random_state=seed, stratify=labels
            )
            validation[chosen] = True
        else:
            slides = slides_of([index_of[row["id"]] for row in subset])
            whole = held_out(labels, slides, share, seed)
            validation = validation if whole is None else whole
    return [
        {**row, "part": "validation" if held else "train"}
        for row, held in zip(subset, validation, strict=True)
    ]
