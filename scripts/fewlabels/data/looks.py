"""What an image shows at a first look: whether nothing can be seen, and whether it looks like a mask."""

import numpy as np

#: Pixels looked at first, per side; only what they leave open is looked at in full.
SAMPLE = 32
#: A picture is nearly black, white or constant by the grey values that all but this share of its pixels, at either
#: end, lie between. It does not matter what a few hot pixels or a speck of dust show.
TAIL = 0.0005
RICH_TAIL = 0.01  # of the sample
BLACK, WHITE, CONSTANT = 16, 239, 8
#: A mask has two or three levels, of this width each, far from each other; the others are few.
LEVELS, LEVEL_WIDTH, LEVEL_DISTANCE = 3, 17, 24
ELSEWHERE, SMALLEST_LEVEL = 0.05, 0.005
COLOURLESS = 3  # greatest difference of a grey pixel's channels, which JPEG leaves


def _sample(pixels: np.ndarray) -> np.ndarray:
    """Some pixels, uint8 (3, n)."""
    height, width = pixels.shape[:2]
    sample = pixels[:: max(1, height // SAMPLE), :: max(1, width // SAMPLE)]
    return np.ascontiguousarray(sample.reshape(-1, 3).T)


def _is_rich(sample: np.ndarray) -> bool:
    """Whether even without a larger tail the values are neither black nor white nor constant."""
    last = sample.shape[1] - 1
    tail = int(RICH_TAIL * last)
    ordered = np.partition(sample, (tail, last - tail), axis=1)
    low, high = ordered[:, tail].astype(int), ordered[:, last - tail].astype(int)
    return bool(high.max() > BLACK and low.min() < WHITE and (high - low).max() > CONSTANT)


def blankness(pixels: np.ndarray) -> str:
    """Say why nothing can be seen in uint8 (height, width, 3); empty where something can.

    >>> blankness(np.full((4, 4, 3), 7, np.uint8))
    'nearly black: grey values 7 to 7'
    """
    if _is_rich(_sample(pixels)):
        return ""
    lows, highs = [], []
    for channel in range(3):
        counts = np.bincount(pixels[..., channel].ravel(), minlength=256)
        share = np.cumsum(counts) / counts.sum()
        lows.append(int(np.searchsorted(share, TAIL, side="right")))
        highs.append(int(np.searchsorted(share, 1 - TAIL)))
    between = f"grey values {min(lows)} to {max(highs)}"
    if max(highs) <= BLACK:
        return f"nearly black: {between}"
    if min(lows) >= WHITE:
        return f"nearly white: {between}"
    if max(high - low for low, high in zip(lows, highs, strict=True)) <= CONSTANT:
        return f"nearly constant: {between}"
    return ""


def _has_few_colours(sample: np.ndarray) -> bool:
    """Whether there are two or three colours, exactly."""
    red, green, blue = sample.astype(np.uint32)
    left = (red << 16) | (green << 8) | blue
    for number in range(LEVELS):
        left = left[left != left[0]]
        if not left.size:
            return number > 0
    return False


def looks_like_mask(pixels: np.ndarray) -> bool:
    """Whether nearly all pixels of uint8 (height, width, 3) are of two or three grey levels, or colours."""
    sample = _sample(pixels)
    if _has_few_colours(sample):
        return True
    colourful = sample.max(axis=0) - sample.min(axis=0) > COLOURLESS
    if np.count_nonzero(colourful) > ELSEWHERE * colourful.size:
        return False
    share = np.bincount(sample[1], minlength=256) / colourful.size
    centres: list[int] = []
    held = 0.0
    for _ in range(LEVELS):
        windows = np.convolve(share, np.ones(LEVEL_WIDTH), "same")
        centre = int(windows.argmax())
        if windows[centre] < SMALLEST_LEVEL or (held >= 1 - ELSEWHERE and len(centres) > 1):
            break
        held += windows[centre]
        share[max(0, centre - LEVEL_WIDTH // 2) : centre + LEVEL_WIDTH // 2 + 1] = 0
        centres.append(centre)
    apart = np.diff(sorted(centres))
    return held >= 1 - ELSEWHERE and apart.size > 0 and bool(apart.min() >= LEVEL_DISTANCE)
