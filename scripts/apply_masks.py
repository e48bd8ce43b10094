"""Apply the masks of one data set: background pixels become black.

Writes
  masked         uint8 array (.npy) of shape (k, size, size, 3): the images whose mask was applied
  its table      CSV beside it, with one row per mask: id, kind (masked), row, label, foreground (share of the image),
                 state: applied | kept (a mask without foreground: the image stays as it is, and has no row here)
  contact sheet  PNG, before and after
"""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, read_csv, write_csv
from fewlabels.data.mapped_arrays import new_array
from fewlabels.data.pictures import COLUMNS, open_pictures, table_of
from fewlabels.reporting.figures import contact_sheet

SHEET_PAIRS = 12


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--masks", required=True, help=".npy of pack_images")
    parser.add_argument(
        "--empty",
        choices=["keep", "apply", "stop"],
        default="keep",
        help="a mask without foreground: keep the image unmasked, apply it all the same, or stop",
    )
    parser.add_argument("--masked", required=True, help=".npy to write, and its table beside it")
    parser.add_argument("--contact-sheet", required=True, help="PNG to write")
    return parser


def apply_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Blacken the background: uint8 (h, w, 3) where bool (h, w) is False."""
    return image * mask[..., None]


def run(arguments: argparse.Namespace) -> None:
    label_of = {row["id"]: row["label"] for row in read_csv(arguments.index)}
    images = open_pictures([arguments.images])
    masks = open_pictures([arguments.masks])
    rows: list[dict] = []
    applied: list[str] = []
    for (name, _), place in masks.row_of.items():
        foreground = float(masks.arrays[0][place].mean())
        if foreground == 0 and arguments.empty == "stop":
            raise UserError(
                f"the mask of {name} has no foreground: mend it, or set masks.empty to keep or apply"
            )
        use = foreground > 0 or arguments.empty == "apply"
        rows.append(
            {
                "id": name,
                "kind": "masked",
                "row": len(applied) if use else None,
                "label": label_of[name],
                "foreground": foreground,
                "state": "applied" if use else "kept",
            }
        )
        if use:
            applied.append(name)
    empty = sum(row["foreground"] == 0 for row in rows)
    logging.info(
        "%d masks, %d applied, %d without foreground (%s)",
        *(len(rows), len(applied), empty, arguments.empty),
    )
    with atomic_path(arguments.masked) as temporary:
        masked = new_array(temporary, (len(applied), *images.arrays[0].shape[1:]), np.uint8)
        for place, name in enumerate(applied):
            masked[place] = apply_mask(
                images.arrays[0][images.row_of[name, "plain"]],
                masks.arrays[0][masks.row_of[name, "mask"]],
            )
        masked.flush()
        # Spread over all masks, so that every class is seen.
        shown = np.unique(np.linspace(0, len(applied) - 1, SHEET_PAIRS).astype(int))
        pairs = [
            (applied[place], [images.rows([(applied[place], "plain")])[0], masked[place]])
            for place in (shown if applied else [])
        ]
        contact_sheet(
            arguments.contact_sheet, pairs, ["image", "masked"], empty_text="no mask was applied"
        )
        del masked
    write_csv(table_of(arguments.masked), [*COLUMNS, "label", "foreground", "state"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
