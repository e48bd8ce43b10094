"""Picture files told by their first bytes, and by the endings that other formats have. Nothing is decoded here."""

from pathlib import Path
from typing import NamedTuple

#: Formats that are decoded, by Pillow's names, whatever the file's ending.
IMAGE_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000")
#: Endings of those formats, in lower case.
IMAGE_SUFFIXES = frozenset(
    {
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".png",
            ".tif",
            ".tiff",
            ".bmp",
            ".dib",
            ".webp",
            ".gif",
        ),
        *(".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
    }
)
#: Endings of formats of microscopes, scanners and cameras that are not read, in lower case.
FOREIGN_SUFFIXES = frozenset(
    {
        # Slides and microscopes.
        *(
            ".svs",
            ".ndpi",
            ".mrxs",
            ".scn",
            ".vms",
            ".vmu",
            ".bif",
            ".svslide",
            ".isyntax",
            ".kfb",
            ".sdpc",
        ),
        *(
            ".czi",
            ".zvi",
            ".lif",
            ".lsm",
            ".nd2",
            ".vsi",
            ".ets",
            ".oib",
            ".oif",
            ".oir",
            ".stk",
            ".ims",
            ".mrc",
        ),
        *(".dm3", ".dm4", ".qptiff", ".zarr", ".n5"),
        # Medicine, astronomy, arrays.
        *(".dcm", ".dicom", ".nii", ".nrrd", ".mha", ".mhd", ".fits", ".npy", ".npz"),
        # Cameras.
        *(
            ".raw",
            ".dng",
            ".cr2",
            ".cr3",
            ".nef",
            ".arw",
            ".orf",
            ".rw2",
            ".raf",
            ".pef",
            ".srw",
            ".x3f",
        ),
        # Other pictures.
        *(
            ".heic",
            ".heif",
            ".avif",
            ".jxl",
            ".jxr",
            ".wdp",
            ".jls",
            ".exr",
            ".psd",
            ".psb",
            ".xcf",
            ".tga",
        ),
        *(".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".qoi", ".apng"),
    }
)
#: As many first bytes as tell every format.
HEAD = 32
BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)}

TURNED = range(5, 9)  # orientations that exchange width and height


class Stored(NamedTuple):
    """Size and EXIF orientation (1 to 8; 1: upright) of a picture as its file stores it."""

    width: int
    height: int
    orientation: int

    def upright_size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        width, height = self.width, self.height
        return (height, width) if self.orientation in TURNED else (width, height)


def sniff(head: bytes) -> str | None:
    """The format of :data:`IMAGE_FORMATS` that a file's first :data:`HEAD` bytes tell; None for no such format.

    >>> sniff(b"GIF89a" + bytes(10)), sniff(b"%PDF-1.7")
    ('GIF', None)
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):  # the last two: BigTIFF
        return "TIFF"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "JPEG2000"
    # "BM" begins texts too; in a BMP the size of a known header follows.
    if head[:2] == b"BM" and head[14:18] in BMP_HEADERS:
        return "BMP"
    return None


def sniff_file(path: Path | str) -> str | None:
    """:func:`sniff` of a regular file; on a FIFO it would wait for ever.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as handle:
        return sniff(handle.read(HEAD))


def is_foreign(name: str) -> bool:
    """Whether a name ends as one of a picture format that is not read; ``.gz`` behind it does not matter.

    >>> is_foreign("slide.SVS"), is_foreign("brain.nii.gz"), is_foreign("cell.jpg")
    (True, True, False)
    """
    path = Path(name)
    if path.suffix.lower() == ".gz":
        path = path.with_suffix("")
    return path.suffix.lower() in FOREIGN_SUFFIXES
