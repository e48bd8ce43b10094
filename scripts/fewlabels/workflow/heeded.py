"""Files of `heed_verdict` that are always there, so that nothing behind a check is made anew because one is missing.

All training takes such a file as an `ancient` input: it waits for it, and is not rerun by it. But Snakemake (9.27)
deletes the file where the verdict says stop, and takes a missing `ancient` file for a reason to rerun all that needs
it. So the file is put back, older than any verdict: then the verdict is heeded again, and no more than that.
"""

import os
from pathlib import Path

from fewlabels.core.files import write_text

#: Where checks leave their verdicts, below the results folder.
PLACES = ("leakage", "networks", "images/states/*")
#: Seconds since 1970; not 0, which some file systems take for no time at all.
LONG_AGO = 86400


def put_back_heeded(results: Path | str) -> None:
    """Put back every file that a verdict was heeded by, where there is a verdict and no such file."""
    for place in PLACES:
        for verdict in Path(results).glob(f"{place}/verdict.txt"):
            heeded = verdict.with_name("heeded.txt")
            if not heeded.exists():
                write_text(heeded, "not yet\n")
                os.utime(heeded, (LONG_AGO, LONG_AGO))
