"""How much may be decoded at a time, so that memory stays bounded however many threads decode."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Megapixels that may be decoded at a time by one process; a larger image is decoded alone.
MEGAPIXELS = 100
#: Bytes that a pixel takes at most while it is decoded and looked at: that of a 16-bit image on its way to 8-bit RGB.
BYTES_PER_PIXEL = 32
#: And as the file that waits to be decoded, which is read whole up to so many megabytes (`image_files.MAPPED_BYTES`).
FILE_BYTES_PER_PIXEL = 4
FILE_MB = 128
#: Python and its libraries, in megabytes.
BASE_MB = 500


class Room:
    """Hands out megapixels, as many as there are; whoever asks for more than are left waits."""

    def __init__(self, megapixels: float) -> None:
        self.megapixels = megapixels
        self.taken = 0.0
        self.changed = threading.Condition()

    @contextmanager
    def take(self, megapixels: float) -> Iterator[None]:
        """Hold as many megapixels for as long as the block lasts; never asked for by who holds some."""
        with self.changed:
            self.changed.wait_for(
                lambda: not self.taken or self.taken + megapixels <= self.megapixels
            )
            self.taken += megapixels
        try:
            yield
        finally:
            with self.changed:
                self.taken -= megapixels
                self.changed.notify_all()


ROOM = Room(MEGAPIXELS)


def decoding_mb(threads: int, max_megapixels: float) -> int:
    """Megabytes that a process needs whose threads decode images of at most so many megapixels."""
    at_once = min(threads * max_megapixels, max(MEGAPIXELS, max_megapixels))
    waiting = threads * min(FILE_BYTES_PER_PIXEL * max_megapixels, FILE_MB)
    return round(BASE_MB + at_once * BYTES_PER_PIXEL + waiting)
