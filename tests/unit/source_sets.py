"""Small data sets for the methods that train on several, and the options that these methods share."""

from pathlib import Path

import numpy as np
from builders import AUTOENCODER_TRAINING, COLOURS, ON_CPU, picture, write_autoencoder

from fewlabels.core.files import write_csv
from fewlabels.data.pictures import COLUMNS, table_rows

#: What the methods write.
RESULTS = ("checkpoint.pt", "history.csv", "record.json")


def write_source(folder: Path, name: str, per_class: int, labelled: bool = True) -> dict[str, Path]:
    """Write the index and the packed training images of a set of three classes, by their colours.

    Only training images are packed: whoever asks for the pixels of the others finds none. An unlabelled set's index
    has no labels at all.
    """
    rows, pixels = [], []
    for split, count in (("train", per_class), ("validation", 2), ("test", 2)):
        for label, colour in COLOURS.items():
            for number in range(count):
                row = {"id": f"{split}/{label}/{number}", "split": split, "slide": "", "mask": ""}
                row["pixel_sha256"] = row["id"]
                rows.append(row | {"label": label} if labelled else row)
                if split == "train":
                    pixels.append(np.asarray(picture(colour, 100 * len(name) + number)))
    images = folder / f"{name}.npy"
    np.save(images, np.stack(pixels))
    ids = [row["id"] for row in rows if row["split"] == "train"]
    write_csv(folder / f"{name}.csv", COLUMNS, table_rows(ids, "plain"))
    write_csv(folder / f"{name}_index.csv", list(rows[0]), rows)
    return {"index": folder / f"{name}_index.csv", "images": images}


def options_of(
    sets: dict[str, dict[str, Path]], classes: dict[str, list[str]], out: Path, **changes: object
) -> dict[str, object]:
    """The options of a run from a small convolutional encoder, which writes RESULTS into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    return {
        "datasets": list(sets),
        "indexes": [paths["index"] for paths in sets.values()],
        "images": [paths["images"] for paths in sets.values()],
        "classes": classes,
        "held_out": 0.25,
        "start": write_autoencoder(out / "start.pt"),
        "encoder": {"encoder": "small", "trained": "all", "batch_norm": "trained"},
        "training": AUTOENCODER_TRAINING | {"learning_rate": 0.01},
        "seed": 3,
        "resize": "stretch",
        **ON_CPU,
        **{name.split(".")[0]: out / name for name in RESULTS},
        **changes,
    }
