"""Pack one data set into arrays, so that training never decodes an image.

Writes
  images      uint8 array (.npy) of shape (n, size, size, 3), RGB, rows in the index's order
  masks       bool array (.npy) of shape (m, size, size), True = foreground (nearest neighbour)
and beside each, under its name with the ending .csv, the table of its rows: id (of the image), kind (plain, mask), row.
The files are decoded once more here, streamed image by image: memory does not grow with their number. JPEGs much
larger than --size are decoded at reduced scale.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, read_csv, write_csv
from fewlabels.data.images import UnusableImageError, decode_mask, decode_square, make_mask_square
from fewlabels.data.pictures import COLUMNS, table_of, table_rows

#: Images in flight at a time, per thread.
CHUNK = 16


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--folder", required=True, help="the data set's raw folder")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--size", type=int, required=True, help="pixels, of the square arrays")
    parser.add_argument("--resize", choices=["stretch", "crop", "pad"], default="stretch")
    parser.add_argument("--mask-threshold", type=int, default=128)
    parser.add_argument("--max-megapixels", type=float, default=50)
    parser.add_argument("--threads", type=int, default=1, help="files decoded at a time")
    parser.add_argument("--images", required=True, help=".npy to write, and its table beside it")
    parser.add_argument("--masks", required=True, help=".npy to write, and its table beside it")
    return parser


def square_pixels(path: Path, size: int, how: str, max_megapixels: float) -> np.ndarray:
    """Decode an image to (size, size, 3) uint8."""
    return np.asarray(decode_square(path, size, how, max_megapixels))


def square_mask(
    path: Path, size: int, how: str, max_megapixels: float, threshold: int
) -> np.ndarray:
    """Decode a mask to (size, size) bool."""
    return make_mask_square(decode_mask(path, threshold, max_megapixels), size, how)


def pack(
    output: str,
    paths: list[Path],
    decode: Callable[[Path], np.ndarray],
    shape: tuple[int, ...],
    dtype: type,
    threads: int,
) -> None:
    """Decode every path into its row of one array on disk.

    Raises:
        UserError: a file changed since it was indexed.
    """
    with (
        atomic_path(output) as temporary,
        temporary.open("wb") as handle,
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(paths), desc=Path(output).stem, mininterval=5) as progress,
    ):
        description = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False,
            "shape": (len(paths), *shape),
        }
        np.lib.format.write_array_header_1_0(handle, description)
        for start in range(0, len(paths), CHUNK * threads):
            chunk = paths[start : start + CHUNK * threads]
            try:
                for row in pool.map(decode, chunk):
                    handle.write(row.tobytes())
            except (UnusableImageError, OSError) as error:
                raise UserError(
                    f"{output}: a file changed since index_images read it ({error}): "
                    "run again with --forcerun index_images"
                ) from error
            progress.update(len(chunk))


def run(arguments: argparse.Namespace) -> None:
    root = Path(arguments.folder)
    index = read_csv(arguments.index)
    masked = [row for row in index if row["mask"]]
    square = {
        "size": arguments.size,
        "how": arguments.resize,
        "max_megapixels": arguments.max_megapixels,
    }
    side = (arguments.size, arguments.size)
    pack(
        arguments.images,
        [root / row["path"] for row in index],
        partial(square_pixels, **square),
        (*side, 3),
        np.uint8,
        arguments.threads,
    )
    pack(
        arguments.masks,
        [root / row["mask"] for row in masked],
        partial(square_mask, **square, threshold=arguments.mask_threshold),
        side,
        np.bool_,
        arguments.threads,
    )
    for array, rows, kind in (
        (arguments.images, index, "plain"),
        (arguments.masks, masked, "mask"),
    ):
        write_csv(table_of(array), COLUMNS, table_rows((row["id"] for row in rows), kind))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
