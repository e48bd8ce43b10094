"""Two runs with one seed on the CPU write the same bytes, images and all, drawn anew."""

import json

PATTERNS = ("summary.csv", "comparisons.csv", "labels.csv", "label_efficiency.csv", "spread.csv")
PATTERNS += ("metrics/*.csv", "figures/label_efficiency.*")
PATTERNS += ("predictions/**/*.csv", "history/**/*.csv", "clusters/*.csv", "models/**/*.pt")


def without_seconds(text: str) -> list[str]:
    """Lines of the readable summary without the last column of its tables, the seconds per run."""
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
