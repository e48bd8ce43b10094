"""One of the workflow's scripts in a process of its own: its time and its peak memory."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
#: Snakemake sets these to a job's threads: libraries that start more spend CPU time on waiting for each other.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: A process of its own: a child begins with the peak of what started it, here of one that may have imported torch.
STARTER = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Measured:
    """What a script took.

    Attributes:
        seconds: wall time; of a busy machine an upper bound.
        cpu_seconds: of all its threads.
        peak_mb: the most memory that it held at a time.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.cpu_seconds:.1f} s of CPU), {self.peak_mb:.0f} MB"


def measured(name: str, **options: object) -> Measured:
    """Run a script to its end; ``options`` as of its command line, with lists for several words.

    Its libraries have as many threads as its ``threads``, 1 where it has no such option, as in a job of Snakemake.
    """
    words = [sys.executable, "-c", STARTER, sys.executable]
    words.append(str(REPOSITORY / "scripts" / f"{name}.py"))
    for key, value in options.items():
        words.append("--" + key.replace("_", "-"))
        if isinstance(value, (list, tuple)):
            words += map(str, value)
        else:
            words.append(json.dumps(value) if isinstance(value, dict) else str(value))
    environment = os.environ | dict.fromkeys(THREADS, str(options.get("threads", 1)))
    started = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return Measured(seconds, *json.loads(done.stdout))
