"""Small pictures inside a page: WebP as data URIs, and heat maps laid over images."""

import base64
import io

import numpy as np
from PIL import Image

#: Longer side of a thumbnail in pixels, at most, and WebP's quality: 2 to 4 kB each.
SIDE = 128
QUALITY = 75
#: For the answer and against it: orange and blue, which differ in brightness as well.
FOR, AGAINST = (255, 140, 0), (0, 60, 200)
#: How strongly the largest value covers the image, and the exponent that lifts smaller ones.
COVER, LIFT = 0.8, 0.7
#: Grey that the image is paled by beneath a heat map, and how far.
PALE, PALING = 180, 0.4


def data_uri(pixels: np.ndarray, side: int = SIDE) -> str:
    """A picture, uint8 (h, w, 3), as a WebP within a data URI; made smaller where its longer side is above ``side``."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def overlay(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """An image in pale grey under its heat map, uint8 (h, w, 3).

    Args:
        pixels: uint8 (h, w, 3).
        values: float (h, w) in -1 ... 1; above 0 orange, below 0 blue.
    """
    grey = pixels.mean(2, keepdims=True) * (1 - PALING) + PALE * PALING
    strength = COVER * np.clip(abs(values), 0, 1)[..., None] ** LIFT
    colours = np.where(values[..., None] > 0, np.array(FOR), np.array(AGAINST))
    return (grey * (1 - strength) + colours * strength).round().astype(np.uint8)
