"""Every kind of problem that raw images can have: what it is, what happens then, and which key settles it.

The config's section `problems` and the table in docs/raw_images.md are made from this list.
"""

from dataclasses import dataclass
from typing import Literal

Policy = Literal["stop", "warn"]


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        meaning: what is wrong, as a phrase that starts with a noun.
        remains: what the run goes on with where it does not stop.
        default: what the config says at first.
        choice: whether the config may say otherwise (`problems.<kind>`).
        key: another key that settles it, below the data set's section; empty where there is none.
    """

    meaning: str
    remains: str
    default: Policy
    choice: bool = True
    key: str = ""


#: In the order in which they are told: the cause before what follows from it.
KINDS = {
    "unreadable_folder": Kind(
        "a folder that this user may not read", "", default="stop", choice=False
    ),
    "undecodable_name": Kind(
        "a file or folder whose name is not in UTF-8", "", default="stop", choice=False
    ),
    "unknown_class_folder": Kind(
        "a folder, or a label in a table, of no known class",
        "its files are left out",
        default="stop",
        key="classes, aliases",
    ),
    "same_name": Kind(
        "two images with one id: in folders of a class and its alias, or with names that differ in their Unicode "
        "form alone",
        "",
        default="stop",
        choice=False,
    ),
    "ignored_image": Kind(
        "a picture that lies where the layout does not lead, such as in a subfolder of a class, or is of a format "
        "that is not read",
        "it is left out",
        default="stop",
        key="images",
    ),
    "path_outside": Kind(
        "a path in a table that leads out of data_root and of the table's own folder",
        "the file is used",
        default="stop",
    ),
    "unread_pages": Kind(
        "a file of several pages or frames", "its first page is used", default="stop"
    ),
    "mask_among_images": Kind(
        "a picture of a few levels of grey among the images, called after one of them",
        "it is left out",
        default="stop",
        key="masks, mask_name",
    ),
    "undecodable_image": Kind(
        "a file that is no image, a link to nothing, or an image larger than images.max_megapixels",
        "it is left out",
        default="stop",
    ),
    "damaged_image": Kind(
        "an image that decoders forgive though a part of it is lost",
        "it is left out",
        default="stop",
    ),
    "unclear_intensities": Kind(
        "values of more than 8 bits that no rule can scale",
        "",
        default="stop",
        choice=False,
        key="white_level",
    ),
    "blank_image": Kind(
        "an image that comes out nearly constant, black or white",
        "it is used as it is",
        default="stop",
    ),
    "label_conflict": Kind(
        "the same picture in two classes", "all its copies are left out", default="stop"
    ),
    "undecodable_mask": Kind(
        "a mask's file that is no image, or damaged",
        "its image is used without a mask",
        default="stop",
    ),
    "mask_without_image": Kind(
        "a mask whose name is no image's", "it is left out", default="stop", key="mask_name"
    ),
    "ambiguous_mask": Kind(
        "a mask that may belong to several images, or one of several masks of an image",
        "it is left out",
        default="stop",
    ),
    "mask_of_another_size": Kind(
        "a mask that does not fit its image",
        "its image is used without a mask",
        default="stop",
    ),
    "unclear_mask_orientation": Kind(
        "a mask of an image that its camera had turned (EXIF), for which the sizes do not tell whether it was "
        "drawn on the upright image",
        "its image is used without a mask",
        default="stop",
        key="mask_orientation",
    ),
    "unclear_masks": Kind(
        "masks whose values do not tell what is foreground",
        "",
        default="stop",
        choice=False,
        key="mask_foreground",
    ),
    "masks_all_alike": Kind(
        "a data set whose masks are all empty, or all full",
        "they are used as they are",
        default="stop",
        key="mask_foreground",
    ),
    "class_masks_all_alike": Kind(
        "a class whose masks are all empty, or all full, where other classes' are not",
        "they are used as they are",
        default="warn",
        key="mask_foreground",
    ),
    "empty_class": Kind("a class without images", "", default="stop", choice=False),
    "class_without_test_images": Kind(
        "a class without test images",
        "the class is trained on, and can't be tested",
        default="stop",
    ),
    "given_differs": Kind(
        "an image or mask of a given subset that is another picture than that of its name in the full set, "
        "or is a test image's",
        "",
        default="stop",
        choice=False,
    ),
    "given_mask": Kind(
        "a mask in a given subset whose image has none in the full set",
        "its image is used without a mask",
        default="stop",
    ),
    "given_share": Kind(
        "a given subset that holds another share of the images than its fraction says",
        "it is used as it is",
        default="stop",
    ),
}

#: Files that no one can take for images of the set: left out, listed and counted, and never told as a problem.
LISTED = {
    "no_picture": "a file that is no picture, such as a text or a table",
    "litter": "a file that a system or a program left, such as .DS_Store or Thumbs.db, or any hidden file",
    "special_file": "a pipe, socket or device, which is never opened",
    "link_loop": "a link to a folder above itself",
    "mask_of_unused": "a mask whose image is left out",
}


def order_of(kind: str) -> int:
    """Place of a kind in the order in which problems are told."""
    return list(KINDS).index(kind)
