"""Memory is asked for before a library does that would wait for it without end."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from fewlabels.core.memory import require_memory_for_products

SCRIPTS = Path(__file__).parents[2] / "scripts"
#: Has PCA under a limit of the address space, so many megabytes above what is taken by then.
LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from fewlabels.core.errors import is_out_of_memory
from fewlabels.pretraining.clustering import cluster
features = np.random.default_rng(0).random((200, 100), np.float32)
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = size + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    cluster(features, 10, 2, 0)
except OSError as error:
    sys.exit(7 if is_out_of_memory(error) else 1)
"""
#: Multiplies matrices under such a limit, with only 4 MB left for them.
PRODUCTS = """
import resource, sys
from pathlib import Path
import numpy as np
from fewlabels.core.memory import take_memory_for_products
def size():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
def limit(megabytes):
    resource.setrlimit(resource.RLIMIT_AS, (size() + megabytes * 2**20, -1))
limit(int(sys.argv[1]))
try:
    take_memory_for_products()
except OSError:
    sys.exit(7)
limit(4)
values = np.ones((300, 300))
sys.exit(0 if (values @ values).sum() == 300**3 else 1)
"""


def code_of(source: str, megabytes: int) -> int:
    words = [sys.executable, "-c", source, str(megabytes)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=SCRIPTS, env=environment, timeout=100, check=False).returncode


def test_with_enough_memory_nothing_is_taken():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    require_memory_for_products(64 * 2**20)
    # Kilobytes; of 384 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


def test_too_little_memory_is_an_error_and_no_endless_wait():
    assert code_of(LIMITED, 20) == 7
    assert code_of(LIMITED, 1000) == 0


def test_what_was_taken_serves_later_products():
    assert code_of(PRODUCTS, 20) == 7
    assert code_of(PRODUCTS, 60) == 0
    # Without it OpenBLAS ends the process.
    assert code_of(PRODUCTS.replace("    take_memory_for_products()", "    pass"), 60) == 1
