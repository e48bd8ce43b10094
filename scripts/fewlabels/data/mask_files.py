"""Which mask belongs to which image, by their names."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from fewlabels.data.found_images import Scan, plain_name
from fewlabels.data.layouts import NAME, STEM, fill_of


def placeholder_of(mask_name: str) -> str:
    """What stands for the image's name in a mask's."""
    return NAME if NAME in mask_name else STEM


def is_mask(name: str, mask_name: str) -> bool:
    """Whether a file is called like a mask.

    >>> is_mask("7_mask.png", "{stem}_mask"), is_mask("7.png", "{stem}_mask")
    (True, False)
    """
    return fill_of(PurePosixPath(name).stem, mask_name, placeholder_of(mask_name)) is not None


def stem_of_mask(image: str, mask_name: str) -> str:
    """Name, without its ending, that the mask of an image has."""
    path = PurePosixPath(image)
    text = mask_name.replace(NAME, path.name).replace(STEM, path.stem)
    return plain_name(text)


def match_masks(
    images: Sequence[str], masks: Sequence[str], mask_name: str, scan: Scan, where: str, key: str
) -> dict[str, str]:
    """Image -> mask, of those that belong together beyond doubt; what does not is told to ``scan``.

    A mask belongs to the image that its name is made of: where several have that stem, to the one of the mask's own
    ending; else to no one.

    Args:
        images, masks: paths.
        where: what the images are called in messages.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for image in images:
        wanted[stem_of_mask(image, mask_name)].append(image)
    found: dict[str, list[str]] = defaultdict(list)
    for mask in masks:
        found[plain_name(PurePosixPath(mask).stem)].append(mask)
    mask_of: dict[str, str] = {}
    lost: list[str] = []
    for stem, candidates in found.items():
        claimants = wanted.get(stem, [])
        pairs = _by_ending(claimants, candidates) if len(claimants) + len(candidates) > 2 else {}
        claimants = [image for image in claimants if image not in pairs]
        candidates = [mask for mask in candidates if mask not in pairs.values()]
        if len(claimants) == len(candidates) == 1:
            pairs[claimants[0]] = candidates[0]
        elif claimants and candidates:
            scan.tell("ambiguous_mask", candidates, _doubt(claimants, candidates))
        elif candidates and pairs:
            scan.tell(
                "ambiguous_mask",
                candidates,
                f"is a second mask of {next(iter(pairs))}: keep one of them",
            )
        else:
            lost += candidates
        mask_of |= pairs
    if lost:
        stems = {PurePosixPath(image).stem for image in images}
        names = {PurePosixPath(image).name for image in images}
        for mask in sorted(lost):
            hint = _hint(PurePosixPath(mask).stem, stems, names, key)
            scan.tell(
                "mask_without_image",
                [mask],
                f"has no image of that name in {where}: {hint or 'add the image or remove the mask'}",
            )
    return mask_of


def _by_ending(images: Sequence[str], masks: Sequence[str]) -> dict[str, str]:
    """Pairs of one ending, where it is that of one image and one mask alone."""
    pairs: dict[str, str] = {}
    by_suffix: Mapping[str, list[str]] = defaultdict(list)
    for image in images:
        by_suffix[PurePosixPath(image).suffix].append(image)
    for suffix, owners in by_suffix.items():
        fitting = [mask for mask in masks if PurePosixPath(mask).suffix == suffix]
        if len(owners) == len(fitting) == 1:
            pairs[owners[0]] = fitting[0]
    return pairs


def _doubt(images: Sequence[str], masks: Sequence[str]) -> str:
    if len(images) > 1:
        return (
            f"may be the mask of {images[0]} or of {images[1]}: give each image a name of its own, "
            "or the mask the ending of its image"
        )
    return f"is one of {len(masks)} masks of {images[0]}: keep one of them"


def _hint(stem: str, stems: set[str], names: set[str], key: str) -> str:
    """The key that would say how masks are called, if this one is called after an image."""
    for known, placeholder in ((names, NAME), (stems, STEM)):
        # The longest part of the mask's name that is an image's, at its start or its end.
        for length in range(len(stem), 0, -1):
            for part, template in (
                (stem[:length], placeholder + stem[length:]),
                (stem[-length:], stem[:-length] + placeholder),
            ):
                if part in known and template != STEM:
                    return f"if masks are called so, set {key}.mask_name to '{template}'; else remove the mask"
    return ""
