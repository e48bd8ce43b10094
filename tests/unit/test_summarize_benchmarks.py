"""What every step took, by hand."""

import json

import pytest
from builders import call

from fewlabels.core.files import read_csv

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def folders(tmp_path):
    benchmarks, records = tmp_path / "benchmarks", tmp_path / "records"

    def benchmark(name, line):
        path = benchmarks / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + line)

    def record(name, **facts):
        path = records / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts))

    work = {"images": 200, "flops": 4e12, "matrix_product_flops_per_second": 1e12}
    benchmark("train_classifier/replicate1/a", "10.0\t0:00:10\t500\t-\t-\t-\t0\t0\t90\t9.0\n")
    benchmark("train_classifier/replicate2/a", "6.0\t0:00:06\t700\t-\t-\t-\t0\t0\t90\t5.0\n")
    record("replicate1/a", **work)
    record("replicate2/a", **work | {"flops": 2e12})
    benchmark("cache_features/all/e", "3.0\t0:00:03\t400\t-\t-\t-\t0\t0\t90\t3.0\n")
    record("feature_cache/all/e", **work)
    # Too brief for Snakemake to measure more than the time.
    benchmark("evaluate/evaluate", "0.4\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n")
    (benchmarks / "evaluate/cut_off.tsv").write_text("")
    return {"benchmarks": benchmarks, "records": records, "table": tmp_path / "t.csv"}


def test_rules_and_jobs(folders):
    assert call("summarize_benchmarks", **folders) == 0
    rows = {(row["rule"], row["job"]): row for row in read_csv(folders["table"])}
    assert len(rows) == 3 + 4
    job = rows["train_classifier", "replicate1/a"]
    assert (job["seconds"], job["images_per_second"], job["tflop"]) == ("10", "20", "4")
    assert (job["floor_seconds"], job["times_floor"], job["peak_memory_mb"]) == ("4", "2.5", "500")
    rule = rows["train_classifier", "all"]
    assert (rule["jobs"], rule["seconds"], rule["cpu_seconds"]) == ("2", "16", "14")
    # 400 pictures in 16 s; 16 s for a floor of 6 s.
    assert (rule["images_per_second"], rule["floor_seconds"]) == ("25", "6")
    assert float(rule["times_floor"]) == pytest.approx(16 / 6)
    assert rule["peak_memory_mb"] == "700"
    assert rows["cache_features", "all/e"]["times_floor"] == "0.75"
    brief = rows["evaluate", "evaluate"]
    assert (brief["seconds"], brief["peak_memory_mb"], brief["times_floor"]) == ("0.4", "", "")
