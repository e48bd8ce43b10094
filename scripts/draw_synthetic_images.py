"""Draw synthetic images in the layout of the real data sets.

Below --folder:

  WBC_100/train/data/<class>/*.jpg            white blood cells of five classes
  WBC_100/train/mask/<class>/*.jpg            masks for a share of them: white is the cell
  WBC_100/val/data/<class>/*.jpg
  CAM16_100cls_10mask/train/data/<class>/*.jpg    lymph node patches: normal, tumor
  CAM16_100cls_10mask/train/mask/<class>/*.jpg    white is the tumour; black for normal patches
  CAM16_100cls_10mask/{val,test}/data/<class>/*.jpg
  pRCC_nolabel/*.jpg                          kidney regions of two types, without labels

A mask has the name of its image. WBC names tell the origin, <slide>_<field>_<cell>.jpg, such as
95-8-27-1_12_3.jpg or 20190527_111443_0.jpg. Train and val share slides, but no fields.

The class lies in the morphology. Stain and light vary alike for all classes, and every image's
mean colour is drawn from one distribution, so that colour alone tells nothing.

A seed gives the same files, byte for byte, for any --threads; the first images of a class do not
change when more are asked for. The folder is made whole or not at all. A folder from an earlier
run (it holds a file .synthetic with the parameters) is replaced, any other folder is refused.

Example:
  python scripts/draw_synthetic_images.py --folder data --seed 1 --wbc-train 200 --wbc-val 50 \\
      --truth resources/prcc_truth.csv --manifest resources/synthetic_manifest.csv
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.synthetic.blood import plan_blood
from fewlabels.synthetic.drawing import write_folder
from fewlabels.synthetic.tissue import plan_cam16, plan_prcc

SMALLEST_SIDE = 16


def build_parser() -> argparse.ArgumentParser:
    """Give the command line's parser."""
    parser = make_parser(__doc__)
    default = "(default: %(default)s)"
    files = parser.add_argument_group("files")
    files.add_argument("--folder", type=Path, required=True, help="folder to make")
    files.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="CSV",
        help="hidden types of the pRCC images, columns id (file name) and type (type1, type2); "
        "must lie outside --folder",
    )
    files.add_argument(
        "--manifest",
        type=Path,
        required=True,
        metavar="CSV",
        help="list of the images and masks, sorted: path relative to --folder, bytes, sha256; "
        "must lie outside --folder",
    )
    counts = parser.add_argument_group("numbers of images", "0 leaves a part out")
    for option, number, text in (
        ("--wbc-train", 400, "WBC training images, all classes together"),
        ("--wbc-val", 100, "WBC validation images, all classes together"),
        ("--cam16-train", 100, "CAM16 training patches, half of them with a tumour"),
        ("--cam16-val", 20, "CAM16 validation patches"),
        ("--cam16-test", 20, "CAM16 test patches"),
        ("--prcc", 50, "pRCC regions, three of five of type 1"),
    ):
        counts.add_argument(option, type=int, default=number, metavar="N", help=f"{text} {default}")
    counts.add_argument(
        "--balance",
        type=float,
        default=0.0,
        metavar="X",
        help="WBC class shares: 0 as in the real set, 1 equal, or between; each class has at "
        f"least one image {default}",
    )
    counts.add_argument(
        "--mask-share",
        type=float,
        default=0.1,
        metavar="X",
        help=f"share of each class's training images with a mask, rounded down {default}",
    )
    sizes = parser.add_argument_group("sizes in pixels", "a small picture shows what a large does")
    sizes.add_argument("--wbc-size", type=int, default=575, metavar="PX", help=f"side {default}")
    sizes.add_argument("--cam16-size", type=int, default=384, metavar="PX", help=f"side {default}")
    sizes.add_argument(
        "--prcc-size",
        type=int,
        default=2000,
        metavar="PX",
        help=f"usual side; it varies from 0.95 to 1.025 times that {default}",
    )
    parser.add_argument("--seed", type=int, default=0, help=f"seed of all drawings {default}")
    parser.add_argument("--threads", type=int, default=1, help=f"processes that draw {default}")
    return parser


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse values that make no sense.

    Raises:
        UserError: names the option and what it may be.
    """
    least = {"threads": 1, "wbc_size": SMALLEST_SIDE, "cam16_size": SMALLEST_SIDE}
    least |= {"prcc_size": 2 * SMALLEST_SIDE}
    for name, value in vars(args).items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, int) and value < least.get(name, 0):
            raise UserError(f"{option} is {value}: it must be at least {least.get(name, 0)}")
        if isinstance(value, float) and not 0 <= value <= 1:
            raise UserError(f"{option} is {value:g}: it must lie between 0 and 1")
    folder = args.folder.resolve()
    for option, path in (("--truth", args.truth), ("--manifest", args.manifest)):
        if path.resolve().is_relative_to(folder):
            raise UserError(f"{option} {path} lies inside --folder {args.folder}: put it elsewhere")


def run(args: argparse.Namespace) -> None:
    """Draw the folder, then write the truth and the manifest."""
    check_arguments(args)
    wbc_totals = (args.wbc_train, args.wbc_val)
    cam16_totals = (args.cam16_train, args.cam16_val, args.cam16_test)
    tasks = plan_blood(args.seed, wbc_totals, args.balance, args.wbc_size, args.mask_share)
    tasks += plan_cam16(args.seed, cam16_totals, args.cam16_size, args.mask_share)
    kidney, truth = plan_prcc(args.seed, args.prcc, args.prcc_size)
    tasks += kidney
    if not tasks:
        raise UserError("no images asked for: give at least one of the numbers above 0")
    elsewhere = ("folder", "truth", "manifest", "threads")
    parameters = {name: value for name, value in vars(args).items() if name not in elsewhere}
    # A link to a folder, say on a larger disk, stays a link: the folder it names is replaced.
    manifest = write_folder(args.folder.resolve(), tasks, parameters, args.threads)
    write_csv(args.truth, ["id", "type"], truth)
    write_csv(args.manifest, ["path", "bytes", "sha256"], manifest)
    size = sum(row["bytes"] for row in manifest) / 1e6
    logging.info("%s: %d files, %.1f MB", args.folder, len(manifest), size)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
