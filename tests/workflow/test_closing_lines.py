"""What a run says at its end, on machines of every kind."""

import json

import pytest


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("limit", [(), ("--resources", "gpu=3")])
def test_a_run_says_what_it_made(make_copy, device, limit):
    workflow = make_copy()
    done = workflow.snakemake(
        *("--cores", "2", "--configfile", "tests/tiny.yaml", *limit),
        *("--config", f"compute={{device: {device}}}", "--", "results/runs.csv"),
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Done: 1 step in " in done.stdout
    assert "Results are in results/." in done.stdout
    progress = json.loads((workflow.folder / "results/.progress.json").read_text())
    assert progress["state"] == "done"
    # No more than the least of cores and GPUs that may be used.
    assert 1 <= progress["at_once"] <= 2
