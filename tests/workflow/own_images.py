"""Tiny images of a user's own, in every layout that the overlays ask for, and what makes their runs short."""

import csv
import shutil
from pathlib import Path

import draw_synthetic_images

#: The user's class names -> those of the drawings. Not in alphabetical order, and some are numbers.
OWN_CLASSES = {"blast": "Basophil", "0": "Eosinophil", "1": "Lymphocyte", "giant": "Monocyte"}
SHORT = "short.yaml"
#: An overlay on top of every other.
SHORT_RUNS = """
data_root: images
images: {size: 32}
subsets: {fractions: [100]}
experiment: {replicates: [1], crossed: {replicates: []}}
training:
  defaults: {epochs: 1, batch_size: 8}
  classification: {epochs: 2, learning_rate: 0.001}
arms: {lite: {training: {epochs: 2, min_steps: 0, batch_size: 8, learning_rate: 0.001}}}
backbones: {imagenet_resnet18: {weights: random}}
compute: {device: cpu, precision: float32}
"""


def draw(folder: Path, seed: int, **counts: int) -> None:
    """Draw data sets in the real layout; what is not asked for is left out."""
    nothing = dict.fromkeys(
        ("wbc_train", "wbc_val", "cam16_train", "cam16_val", "cam16_test", "prcc"), 0
    )
    words = [
        *("--folder", folder, "--balance", 1, "--mask-share", 0.5, "--seed", seed),
        *("--truth", folder.with_suffix(".types.csv"), "--manifest", folder.with_suffix(".csv")),
        *("--wbc-size", 48, "--cam16-size", 48, "--prcc-size", 48, "--threads", 2),
    ]
    for name, count in (nothing | counts).items():
        words += [f"--{name.replace('_', '-')}", count]
    assert draw_synthetic_images.main([str(word) for word in words]) == 0


def draw_images(root: Path) -> None:
    """The three real layouts; below ``alone`` white blood cells and nothing else; ``marrow_nolabel``; ``cells``."""
    draw(root, 1, wbc_train=40, wbc_val=15, cam16_train=12, cam16_val=4, cam16_test=6, prcc=12)
    shutil.copytree(root / "WBC_100", root / "alone/WBC_100")
    draw(root.parent / "marrow", 2, prcc=10)
    shutil.move(root.parent / "marrow/pRCC_nolabel", root / "marrow_nolabel")
    rows = []
    for split, drawn_split in (("train", "train"), ("test", "val")):
        for name, drawn in OWN_CLASSES.items():
            for path in sorted((root / "WBC_100" / drawn_split / "data" / drawn).iterdir()):
                target = root / "cells" / split / name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
                rows.append((target.relative_to(root / "cells").as_posix(), name, split))
    # As a German Excel saves it: parted by semicolons, with a byte order mark and Windows' line ends.
    with (root / "cells/cells.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle, delimiter=";").writerows([("Path", "Label", "Split"), *rows])
