"""How many labels a run trains on, as text: per cent of them (``10``, ``0.5``), or a number per class (``5perclass``).

The text stands in paths and tables; what it means is known here alone.
"""

import re
from collections.abc import Iterable
from fractions import Fraction

from fewlabels.core.errors import UserError

PER_CLASS = "perclass"
_PER_CENT_PATTERN = r"[0-9]+(?:\.[0-9]+)?"
_PER_CLASS_PATTERN = rf"[1-9][0-9]*{PER_CLASS}"
#: A regular expression without groups: what a fraction looks like.
PATTERN = f"(?:{_PER_CLASS_PATTERN}|{_PER_CENT_PATTERN})"


def per_cent_labels(shares: Iterable[float]) -> list[str]:
    """Shares in per cent as text.

    >>> per_cent_labels([100, 0.5])
    ['100', '0.5']
    """
    return [f"{share:.10g}" for share in shares]


def per_class_labels(counts: Iterable[int]) -> list[str]:
    """Numbers of images of each class as text.

    >>> per_class_labels([5])
    ['5perclass']
    """
    return [f"{count}{PER_CLASS}" for count in counts]


def per_class_of(fraction: str) -> int | None:
    """How many images of each class it is; None where it is in per cent.

    >>> per_class_of("5perclass"), per_class_of("5")
    (5, None)
    """
    return int(fraction.removesuffix(PER_CLASS)) if fraction.endswith(PER_CLASS) else None


def check_fraction(fraction: str) -> None:
    """Refuse what is no fraction.

    Raises:
        UserError: without the name of where it stands.
    """
    if re.fullmatch(_PER_CLASS_PATTERN, fraction):
        return
    if not re.fullmatch(_PER_CENT_PATTERN, fraction) or not 0 < Fraction(fraction) <= 100:
        raise UserError(
            f"{fraction}: must lie in (0, 100], in per cent, or be a number of images of each class, such as "
            f"5{PER_CLASS}"
        )


def fraction_text(fraction: str) -> str:
    """For tables.

    >>> fraction_text("0.5"), fraction_text("5perclass")
    ('0.5 %', '5 per class')
    """
    count = per_class_of(fraction)
    return f"{fraction} %" if count is None else f"{count} per class"


def of_labels(fraction: str) -> str:
    """For headings.

    >>> of_labels("10"), of_labels("5perclass"), of_labels("1perclass")
    ('10 % of labels', '5 labels per class', '1 label per class')
    """
    count = per_class_of(fraction)
    if count is None:
        return f"{fraction_text(fraction)} of labels"
    return f"{count} label{'s' if count > 1 else ''} per class"


def by_size(fractions: Iterable[str]) -> list[str]:
    """Each fraction once, in the order of tables: those in per cent, then those per class, from many images to few.

    >>> by_size(["1", "5perclass", "10", "50perclass", "1"])
    ['10', '1', '50perclass', '5perclass']
    """
    known = sorted(set(fractions))
    in_per_cent = [fraction for fraction in known if per_class_of(fraction) is None]
    per_class = [fraction for fraction in known if per_class_of(fraction) is not None]
    return [
        *sorted(in_per_cent, key=Fraction, reverse=True),
        *sorted(per_class, key=lambda fraction: per_class_of(fraction) or 0, reverse=True),
    ]


def holding_all(fractions: Iterable[str]) -> list[str]:
    """The fractions whose drawn images together are those of all: the largest of each kind, as subsets are nested.

    >>> holding_all(["10", "1", "5perclass", "50perclass"])
    ['10', '50perclass']
    """
    ordered = by_size(fractions)
    first_of_kind = {per_class_of(fraction) is None: fraction for fraction in reversed(ordered)}
    return [fraction for fraction in ordered if fraction in first_of_kind.values()]


def priority_of(fraction: str) -> float:
    """Higher for more images: of fractions in per cent these, of those per class, which are few images, below 1.

    >>> priority_of("100"), priority_of("1perclass"), priority_of("3perclass")
    (100.0, 0.5, 0.75)
    """
    count = per_class_of(fraction)
    return float(fraction) if count is None else count / (count + 1)


def share_of(fraction: str, count: int) -> int:
    """floor(fraction % of count), exactly.

    >>> share_of("10", 618), share_of("0.1", 1000)
    (61, 1)
    """
    return int(Fraction(fraction) * count / 100)


def images_of(fraction: str, images: int) -> int:
    """How many of a class's images a fraction holds: its share rounded down, or its number; at least one, at most all.

    >>> images_of("10", 618), images_of("0.1", 618), images_of("5perclass", 618), images_of("5perclass", 3)
    (61, 1, 5, 3)
    """
    count = per_class_of(fraction)
    return max(1, share_of(fraction, images)) if count is None else min(count, images)


def masks_of(fraction: str, images: int, masks: int) -> int:
    """How many masks it holds of a class of which so many of the images have one: their share, rounded down.

    >>> masks_of("10", 618, 61), masks_of("5perclass", 618, 61), masks_of("20perclass", 618, 61)
    (6, 0, 1)
    """
    if per_class_of(fraction) is None:
        return share_of(fraction, masks)
    return images_of(fraction, images) * masks // images
