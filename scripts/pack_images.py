"""Pack one data set into arrays, so that training never decodes an image.

Writes
  images      uint8 array (.npy) of shape (n, size, size, 3), RGB, rows in the index's order
  masks       bool array (.npy) of shape (m, size, size), True = foreground (nearest neighbour)
and beside each, under its name with the ending .csv, the table of its rows: id (of the image), kind (plain, mask), row.
The files are decoded once more here, streamed image by image: memory does not grow with their number. JPEGs much
larger than --size are decoded at reduced scale.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, read_csv, write_csv
from fewlabels.data.content_hashes import add_content_arguments, check_content
from fewlabels.data.images import UnusableImageError, decode_square, make_mask_square
from fewlabels.data.intensities import FULL_RANGE, Intensities, read_intensities
from fewlabels.data.layouts import Layout
from fewlabels.data.mask_reading import MaskReading
from fewlabels.data.masks import decode_mask
from fewlabels.data.pictures import COLUMNS, table_of, table_rows

#: Images in flight at a time, per thread.
CHUNK = 16


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--folder", required=True, help="the data set's raw folder")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--size", type=int, required=True, help="pixels, of the square arrays")
    parser.add_argument("--resize", choices=["stretch", "crop", "pad"], default="stretch")
    parser.add_argument("--reading", required=True, help="JSON of index_images")
    parser.add_argument("--max-megapixels", type=float, default=50)
    parser.add_argument("--threads", type=int, default=1, help="files decoded at a time")
    parser.add_argument("--images", required=True, help=".npy to write, and its table beside it")
    parser.add_argument("--masks", required=True, help=".npy to write, and its table beside it")
    parser.add_argument("--layout", type=Layout.from_json, help="JSON, as index_images takes it")
    add_content_arguments(parser)
    return parser


def square_pixels(
    row: dict[str, str],
    root: Path,
    size: int,
    how: str,
    max_megapixels: float,
    intensities: Intensities,
) -> np.ndarray:
    """Decode the image of a row of the index to (size, size, 3) uint8."""
    return np.asarray(decode_square(root / row["path"], size, how, max_megapixels, intensities))


def square_mask(
    row: dict[str, str],
    root: Path,
    size: int,
    how: str,
    max_megapixels: float,
    reading: MaskReading | None,
) -> np.ndarray:
    """Decode the mask of a row of the index to (size, size) bool.

    Raises:
        UserError: there is a mask, and it is not known how masks are read.
    """
    if reading is None:
        raise UserError(f"{row['mask']}: how masks are read is not told: run index_images again")
    mask = decode_mask(root / row["mask"], reading, max_megapixels, int(row["mask_turn"]))
    return make_mask_square(mask, size, how)


def readings(path: str) -> tuple[MaskReading | None, Intensities]:
    """How masks (None: there are none) and intensities are read.

    Raises:
        UserError: the file does not exist.
    """
    intensities = read_intensities(path) or FULL_RANGE
    masks = json.loads(Path(path).read_text(encoding="utf-8"))["masks"]
    known = {key: masks[key] for key in MaskReading.model_fields if key in masks} if masks else None
    return MaskReading(**known) if known else None, intensities


def pack(
    output: str,
    rows: Sequence[dict[str, str]],
    decode: Callable[[dict[str, str]], np.ndarray],
    shape: tuple[int, ...],
    dtype: type,
    threads: int,
) -> None:
    """Decode a file of every row of the index into its row of one array on disk.

    Raises:
        UserError: a file changed since it was indexed.
    """
    with (
        atomic_path(output) as temporary,
        temporary.open("wb") as handle,
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(rows), desc=Path(output).stem, mininterval=5) as progress,
    ):
        description = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False,
            "shape": (len(rows), *shape),
        }
        np.lib.format.write_array_header_1_0(handle, description)
        for start in range(0, len(rows), CHUNK * threads):
            chunk = rows[start : start + CHUNK * threads]
            for picture in decoded(pool.map(decode, chunk), output):
                handle.write(picture.tobytes())
            progress.update(len(chunk))


def decoded(pictures: Iterable[np.ndarray], output: str) -> Iterator[np.ndarray]:
    """Pictures as they are decoded.

    Raises:
        UserError: a file changed since it was indexed.
    """
    try:
        yield from pictures
    except (UnusableImageError, OSError) as error:
        raise UserError(
            f"{output}: a file changed since index_images read it ({error}): "
            "run again with --forcerun index_images"
        ) from error


def run(arguments: argparse.Namespace) -> None:
    root = Path(arguments.folder)
    index = read_csv(arguments.index)
    masked = [row for row in index if row["mask"]]
    masks, intensities = readings(arguments.reading)
    square = {
        "root": root,
        "size": arguments.size,
        "how": arguments.resize,
        "max_megapixels": arguments.max_megapixels,
    }
    side = (arguments.size, arguments.size)
    pack(
        arguments.images,
        index,
        partial(square_pixels, **square, intensities=intensities),
        (*side, 3),
        np.uint8,
        arguments.threads,
    )
    pack(
        arguments.masks,
        masked,
        partial(square_mask, **square, reading=masks),
        side,
        np.bool_,
        arguments.threads,
    )
    check_content(arguments)
    for array, rows, kind in (
        (arguments.images, index, "plain"),
        (arguments.masks, masked, "mask"),
    ):
        write_csv(table_of(array), COLUMNS, table_rows((row["id"] for row in rows), kind))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
