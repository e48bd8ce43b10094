"""Every step of the workflow under a limit of its address space (``ulimit -v``).

It keeps within the memory that its job asks for. With too little it ends in one line (rarely in a crash of native
code), leaves whole files alone and no half ones.
"""

import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from killing import half_files
from machines import checked, tables

from fewlabels.core.cli import OUT_OF_MEMORY

OPTIONS = ("--configfile", "tests/tiny.yaml", "--cores", "2")
#: Megabytes of jobs whose rule names none: profiles/slurm/config.yaml.
DEFAULT_MB = 4000
#: Where limits lie: shares of the way from a step's imports to its end.
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Begins what OpenBLAS says before it ends the process.
NATIVE = "OpenBLAS error: Memory allocation still failed"
#: Seconds that a step may take. SciPy's OpenBLAS asks for its 32 MB again and again, without end.
LONGEST = 200
#: Kilobytes that a step must take for itself to be tried: others fail before they have begun.
LEAST = 20_000
#: Imports a script, limits its address space to so many bytes (0: not at all), and runs it. Last it prints its address
#: space in kB: after the imports, and at most.
DRIVER = """
import importlib, resource, sys
from pathlib import Path
limit, script, *words = sys.argv[1:]
sys.path.insert(0, str(Path(script).parent))
sys.argv[:] = [script, *words]
module = importlib.import_module(Path(script).stem)
if module.__name__ == "pretrain":
    importlib.import_module(f"fewlabels.pretraining.{words[0]}")

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmPeak:")[1].split()[0])

imported = peak()
if int(limit):
    resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))
code = module.main(words)
print(imported, peak())
sys.exit(code)
"""


@dataclass(frozen=True)
class Step:
    """One command of the run, the megabytes that its job asks for, and the copy of the repository."""

    words: list[str]
    megabytes: int
    folder: Path

    def limited(self, kilobytes: int) -> subprocess.CompletedProcess:
        """Run it under a limit from its start on."""
        line = f"ulimit -v {kilobytes}; exec {shlex.quote(sys.executable)} {shlex.join(self.words)}"
        return self._run("bash", "-c", line)

    def driven(self, kilobytes: int = 0) -> subprocess.CompletedProcess:
        """Run it under a limit that begins behind its imports."""
        return self._run(sys.executable, "-c", DRIVER, str(1024 * kilobytes), *self.words)

    def _run(self, *words: str) -> subprocess.CompletedProcess:
        try:
            return subprocess.run(
                words, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, -signal.SIGKILL, "", f"over {LONGEST} s")


@pytest.fixture(scope="module")
def steps(undisturbed, tmp_path_factory) -> dict[str, Step]:
    """The first command of each script in a finished run."""
    folder = tmp_path_factory.mktemp("memory") / "run"
    shutil.copytree(undisturbed, folder, symlinks=True)
    plan = checked(
        *(sys.executable, "-m", "snakemake", *OPTIONS, "--forceall", "--dry-run"),
        *("--printshellcmds", "--quiet", "host"),
        folder=folder,
    )
    found: dict[str, Step] = {}
    for block in re.split(r"^(?:local)?rule ", plan, flags=re.MULTILINE)[1:]:
        command = re.search(r"python (scripts/.*?) > \S+ 2>&1", block, re.DOTALL)
        if command is None:
            continue
        megabytes = re.search(r"mem_mb=(\d+)", block)
        words = shlex.split(command[1])
        name = Path(words[0]).stem
        if name == "pretrain":
            name += f" {words[1]}"
        found.setdefault(name, Step(words, int(megabytes[1]) if megabytes else DEFAULT_MB, folder))
    assert len(found) > 25, plan[-3000:]
    assert {"train_classifier", "index_images", "pretrain autoencoder", "report"} <= set(found)
    return found


def test_steps_keep_within_the_memory_of_their_jobs(steps):
    before = tables(next(iter(steps.values())).folder / "results")
    for name, step in steps.items():
        done = step.limited(step.megabytes * 1000)
        assert done.returncode == 0, f"{name} with {step.megabytes} MB:\n{done.stderr[-3000:]}"
    folder = step.folder
    assert tables(folder / "results") == before
    print(f"{len(steps)} steps kept within the memory of their jobs")


def test_too_little_memory_is_one_line(steps):
    tried = refused = 0
    others: list[str] = []
    for name, step in steps.items():
        free = step.driven()
        assert free.returncode == 0, f"{name}:\n{free.stderr[-3000:]}"
        imported, peak = map(int, free.stdout.splitlines()[-1].split())
        if peak - imported < LEAST:
            continue
        before = tables(step.folder / "results")
        for share in SHARES:
            done = step.driven(int(imported + share * (peak - imported)))
            what = f"{name}, {share} of {(peak - imported) / 1024:.0f} MB:\n{done.stderr[-3000:]}"
            tried += 1
            refused += done.returncode != 0
            # Behind the line torch and worker processes may stumble while they are taken down.
            before_it, line, _ = done.stderr.partition(f"error: {OUT_OF_MEMORY}\n")
            if done.returncode and (not line or "Traceback" in before_it):
                others.append(what)
                if done.returncode != 1 or NATIVE in done.stderr:
                    # As after a kill; the next start removes them.
                    for path in half_files(step.folder):
                        path.unlink()
            assert half_files(step.folder) == [], what
            assert tables(step.folder / "results") == before, what
    print(
        f"{tried} limits tried, {refused} too low; of these not told in our line:",
        *others,
        sep="\n",
    )
    assert refused > 20
    # Libraries that do not look at what they were given, or do not know why it failed.
    assert len(others) < refused / 5
