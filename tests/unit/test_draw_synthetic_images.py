"""The synthetic data: layout, determinism, safety of the user's files, and what can be learnt."""

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from draw_synthetic_images import main
from fewlabels.core.errors import UserError
from fewlabels.synthetic.blood import CLASSES, MOST_PER_CLASS, class_counts, draw_cell, name_cell
from fewlabels.synthetic.drawing import masked_count
from fewlabels.synthetic.tissue import draw_kidney, draw_lymph_node, prcc_type

NAME = re.compile(r"^(?P<slide>[0-9-]+)_(?P<field>[0-9]+)_[0-9]+$")
SMALL = {
    "--seed": 7,
    "--wbc-train": 60,
    "--wbc-val": 20,
    "--balance": 1,
    "--wbc-size": 96,
    "--cam16-train": 21,
    "--cam16-val": 4,
    "--cam16-test": 5,
    "--cam16-size": 64,
    "--prcc": 3,
    "--prcc-size": 200,
}
TINY = {
    "--seed": 7,
    "--wbc-train": 12,
    "--wbc-val": 0,
    "--wbc-size": 32,
    "--cam16-train": 2,
    "--cam16-val": 0,
    "--cam16-test": 0,
    "--cam16-size": 32,
    "--prcc": 0,
    "--mask-share": 0.5,
}


def draw(base: Path, options: dict[str, object], folder: str = "data", **more: object) -> int:
    """Run the script below ``base``; give its exit code."""
    options = {
        "--folder": base / folder,
        "--truth": base / "truth.csv",
        "--manifest": base / "manifest.csv",
        **options,
        **{f"--{name.replace('_', '-')}": value for name, value in more.items()},
    }
    return main([str(word) for pair in options.items() for word in pair])


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds ``data``, ``truth.csv`` and ``manifest.csv``."""
    base = tmp_path_factory.mktemp("synthetic")
    assert draw(base, SMALL) == 0
    return base


def test_layout_and_counts(drawn: Path) -> None:
    files = contents(drawn / "data")
    assert set(files) >= {".synthetic"}
    counts = Counter(path.rsplit("/", 1)[0] for path in files if path != ".synthetic")
    cam16 = "CAM16_100cls_10mask"
    expected = {f"WBC_100/train/data/{name}": 12 for name in CLASSES}
    expected |= {f"WBC_100/train/mask/{name}": 1 for name in CLASSES}
    expected |= {f"WBC_100/val/data/{name}": 4 for name in CLASSES}
    expected |= {f"{cam16}/train/data/normal": 11, f"{cam16}/train/data/tumor": 10}
    expected |= {f"{cam16}/train/mask/normal": 1, f"{cam16}/train/mask/tumor": 1}
    expected |= {f"{cam16}/val/data/normal": 2, f"{cam16}/val/data/tumor": 2}
    expected |= {f"{cam16}/test/data/normal": 3, f"{cam16}/test/data/tumor": 2}
    expected |= {"pRCC_nolabel": 3}
    assert counts == expected
    assert not [path for path in drawn.iterdir() if path.name.startswith(".")]


def test_sizes_and_masks(drawn: Path) -> None:
    for path in (drawn / "data").rglob("*.jpg"):
        with Image.open(path) as image:
            assert image.format == "JPEG"
            is_mask = "/mask/" in path.as_posix()
            assert image.mode == ("L" if is_mask else "RGB")
            if "pRCC" in path.as_posix():
                assert all(190 <= side <= 205 for side in image.size)
                continue
            side = 96 if "WBC" in path.as_posix() else 64
            assert image.size == (side, side)
            if not is_mask:
                continue
            assert Path(path.as_posix().replace("/mask/", "/data/")).is_file()
            values = np.asarray(image)
        assert ((values < 40) | (values > 215)).mean() > 0.99
        share = (values > 127).mean()
        if path.parent.name == "normal":
            assert values.max() == 0
        elif path.parent.name == "tumor":
            assert 0.15 < share < 0.85
        else:
            assert 0.05 < share < 0.4 and values[48, 48] > 215


def test_names(drawn: Path) -> None:
    names, slides, fields, classes = [], defaultdict(set), defaultdict(list), defaultdict(set)
    for path in (drawn / "data/WBC_100").glob("*/data/*/*.jpg"):
        split, label = path.parts[-4], path.parts[-2]
        match = NAME.match(path.stem)
        assert match, path.stem
        names.append(path.name)
        slides[split].add(match["slide"])
        fields[match["slide"], match["field"]].append(split)
        classes[match["slide"]].add(label)
    assert len(set(names)) == len(names) == 80
    assert slides["train"] & slides["val"]
    assert max(len(labels) for labels in classes.values()) >= 3
    assert all(len(set(splits)) == 1 for splits in fields.values()), "a field in two splits"
    assert any(len(splits) == 2 for splits in fields.values()), "no two cells of one field"
    assert any("-" in slide for slide in classes) and any("-" not in slide for slide in classes)


def test_names_are_unique_at_the_real_size() -> None:
    stems, fields = set(), defaultdict(set)
    for split in (0, 1):
        for label in range(len(CLASSES)):
            for index in [*range(300), *range(MOST_PER_CLASS - 50, MOST_PER_CLASS)]:
                stem = name_cell(1, split, label, index)[0]
                assert NAME.match(stem) and stem not in stems
                stems.add(stem)
                fields[stem.rsplit("_", 1)[0]].add(split)
    assert all(len(splits) == 1 for splits in fields.values())


def test_truth_and_manifest(drawn: Path) -> None:
    truth = read_rows(drawn / "truth.csv")
    on_disk = sorted(path.name for path in (drawn / "data/pRCC_nolabel").iterdir())
    assert [row["id"] for row in truth] == on_disk
    assert {row["type"] for row in truth} <= {"type1", "type2"}
    assert not list((drawn / "data").rglob("*.csv"))
    files = contents(drawn / "data")
    assert "type" not in json.dumps(json.loads(files.pop(".synthetic")))
    rows = read_rows(drawn / "manifest.csv")
    assert [row["path"] for row in rows] == sorted(files)
    for row in rows:
        assert int(row["bytes"]) == len(files[row["path"]])
        assert row["sha256"] == hashlib.sha256(files[row["path"]]).hexdigest()


def test_same_bytes_for_any_number_of_threads(drawn: Path, tmp_path: Path) -> None:
    assert draw(tmp_path, SMALL, threads=2) == 0
    assert contents(tmp_path / "data") == contents(drawn / "data")
    assert (tmp_path / "manifest.csv").read_bytes() == (drawn / "manifest.csv").read_bytes()


def test_seed_and_growth(tmp_path: Path) -> None:
    assert draw(tmp_path, TINY, "small") == 0
    assert draw(tmp_path, TINY, "large", wbc_train=30, wbc_val=5, cam16_train=6) == 0
    assert draw(tmp_path, TINY, "other", seed=8) == 0
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    small.pop(".synthetic")
    assert small.items() <= large.items() and len(large) > len(small)
    other = contents(tmp_path / "other")
    pictures = [
        {content for path, content in files.items() if "/data/" in path} for files in (small, other)
    ]
    assert pictures[0] and not pictures[0] & pictures[1]


def test_own_folder_is_replaced(tmp_path: Path) -> None:
    assert draw(tmp_path, TINY) == 0
    before = contents(tmp_path / "data")
    assert draw(tmp_path, TINY, wbc_train=6) == 0
    after = contents(tmp_path / "data")
    assert set(after) < set(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "manifest.csv", "truth.csv"]


@pytest.mark.parametrize("marker", [None, "{}", "not JSON", '{"files": []}'])
def test_foreign_folder_is_refused(tmp_path: Path, capsys, marker: str | None) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine.txt").write_text("precious")
    if marker is not None:
        (data / ".synthetic").write_text(marker)
    before = contents(tmp_path)
    assert draw(tmp_path, TINY) == 1
    assert "error: " in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_file_added_to_own_folder_is_refused(tmp_path: Path, capsys) -> None:
    assert draw(tmp_path, TINY) == 0
    (tmp_path / "data/WBC_100/mine.jpg").write_bytes(b"precious")
    before = contents(tmp_path)
    assert draw(tmp_path, TINY) == 1
    assert "WBC_100/mine.jpg" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more disk")

    monkeypatch.setattr("fewlabels.synthetic.blood.photograph", fail)
    with pytest.raises(RuntimeError):
        draw(tmp_path, TINY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--truth", "data/truth.csv"),
        ("--truth", "data/pRCC_nolabel/../truth.csv"),
        ("--manifest", "data/manifest.csv"),
        ("--wbc-train", "4"),
        ("--prcc", "-1"),
        ("--balance", "1.5"),
        ("--wbc-size", "3"),
        ("--threads", "0"),
    ],
)
def test_wrong_options(tmp_path: Path, capsys, option: str, value: str) -> None:
    wrong = tmp_path / value if "data" in value else value
    assert draw(tmp_path, {**TINY, option: wrong}) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_class_counts() -> None:
    assert class_counts(8447) == [176, 618, 2015, 466, 5172]
    assert class_counts(5) == [1] * 5
    assert class_counts(0) == [0] * 5
    assert class_counts(50, balance=1) == [10] * 5
    for total in (6, 17, 100, 1001):
        for balance in (0, 0.3, 0.9):
            counts = class_counts(total, balance)
            assert sum(counts) == total and min(counts) >= 1
    with pytest.raises(UserError):
        class_counts(3)


def test_masked_count() -> None:
    assert [masked_count(n, 0.1) for n in (0, 9, 10, 19, 30, 70)] == [0, 0, 1, 1, 3, 7]
    assert masked_count(100, 0.29) == 29


def test_hidden_types_are_three_to_two() -> None:
    types = [prcc_type(5, index) for index in range(100)]
    assert types.count(0) == 60
    assert types[:50] != types[50:]


def score(model, features: np.ndarray, labels: np.ndarray) -> float:
    """Balanced accuracy of a classifier over 5 folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return balanced_accuracy_score(labels, cross_val_predict(model, features, labels, cv=folds))


def colour_score(pictures: list[np.ndarray], labels: np.ndarray) -> float:
    """How well the three mean colour values tell the classes."""
    means = np.array([picture.mean((0, 1)) for picture in pictures])
    return score(make_pipeline(StandardScaler(), LogisticRegression()), means, labels)


def texture_features(picture: np.ndarray) -> np.ndarray:
    """A small grey image around its mean, and statistics of the gradient at three scales."""
    grey = Image.fromarray(picture).convert("L")
    features = [np.asarray(grey.resize((12, 12), Image.Resampling.BOX), float).ravel()]
    features[0] -= features[0].mean()
    for side in (picture.shape[0], picture.shape[0] // 2, picture.shape[0] // 4):
        values = np.asarray(grey.resize((side, side), Image.Resampling.BOX), float)
        steps = np.hypot(*np.gradient(values))
        for part in (steps, steps[side // 4 : -side // 4, side // 4 : -side // 4]):
            features.append(np.percentile(part, [50, 75, 90, 95, 99]))
            features.append([part.mean(), part.std()])
    return np.concatenate(features)


def test_wbc_class_lies_in_morphology() -> None:
    labels = np.repeat(np.arange(5), 40)
    pictures = [draw_cell(11, 0, label, i % 40, i % 16, 96)[0] for i, label in enumerate(labels)]
    assert colour_score(pictures, labels) < 0.35
    features = np.array([texture_features(picture) for picture in pictures])
    forest = RandomForestClassifier(100, random_state=0)
    assert score(forest, features, labels) > 0.5


def test_tumour_lies_in_morphology() -> None:
    labels = np.repeat([0, 1], 40)
    pictures = [draw_lymph_node(11, 0, label, i % 40, 96)[0] for i, label in enumerate(labels)]
    assert colour_score(pictures, labels) < 0.7
    features = np.array([texture_features(picture) for picture in pictures])
    assert score(RandomForestClassifier(100, random_state=0), features, labels) > 0.8


def test_kidney_type_lies_in_morphology() -> None:
    labels = np.tile([0, 1], 9)
    pictures = [draw_kidney(11, label, i, 256)[0] for i, label in enumerate(labels)]
    assert colour_score(pictures, labels) < 0.8
    assert len({picture.shape for picture in pictures}) > 5
    square = [np.asarray(Image.fromarray(picture).resize((256, 256))) for picture in pictures]
    features = np.array([texture_features(picture) for picture in square])
    assert score(RandomForestClassifier(100, random_state=0), features, labels) > 0.8
