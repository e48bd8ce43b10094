"""Two runs with one seed on the CPU write the same bytes, images and all, drawn anew; and the rule that checks it."""

import json
import re

import pytest

pytestmark = pytest.mark.long

PATTERNS = ("summary.csv", "comparisons.csv", "labels.csv", "label_efficiency.csv", "spread.csv")
PATTERNS += ("metrics/*.csv", "figures/label_efficiency.*")
PATTERNS += ("predictions/**/*.csv", "history/**/*.csv", "clusters/*.csv", "models/**/*.pt")


def without_seconds(text: str) -> list[str]:
    """Lines of the readable summary without its table of costs and the last column of others, the seconds per run."""
    text, costs = re.subn(r"^### Costs$.*?(?=^#)", "", text, flags=re.M | re.S)
    assert costs == 1
    return [line.rsplit("|", 2)[0] if line.startswith("|") else line for line in text.splitlines()]


def test_two_runs_are_byte_identical(finished, make_copy):
    second = make_copy()
    second.run()
    compared = 0
    for pattern in PATTERNS:
        for path in sorted((finished.folder / "results").glob(pattern)):
            name = path.relative_to(finished.folder)
            if "twoTissues" in path.name:  # of another test
                continue
            assert (second.folder / name).read_bytes() == path.read_bytes(), name
            compared += 1
    assert compared == 5 + 2 + 2 + (6 + 3) + (6 + 3) + 2 + (6 + 3)
    one, other = (folder.folder / "results" for folder in (finished, second))
    texts = [(folder / "summary.md").read_text() for folder in (one, other)]
    assert "| s per run |" in texts[0]
    assert without_seconds(texts[0]) == without_seconds(texts[1])
    records = [json.loads((folder / "provenance.json").read_text()) for folder in (one, other)]
    for key in ("tables", "config", "images"):
        assert records[0][key] == records[1][key]


def test_a_rule_trains_twice_and_compares(finished_copy):
    target = "results/determinism.json"
    assert finished_copy.planned("--", target) == {"check_determinism": 1}
    finished_copy.run("--", target)
    report = json.loads((finished_copy.folder / target).read_text())
    assert set(report["compared"]) == {"checkpoint.pt", "history.csv", "predictions.csv"}
    assert report["machine"]["device"] == "cpu"
    log = (
        finished_copy.folder / "results/logs/check_determinism/check_determinism.log"
    ).read_text()
    # Two processes, each with its epochs.
    assert log.count("epoch 3/3: ") == 2
    assert finished_copy.planned("--", target) == {}
    # A run does not train twice unless asked to.
    assert finished_copy.planned() == {}
