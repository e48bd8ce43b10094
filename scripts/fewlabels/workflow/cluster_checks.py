"""Are Apptainer and SLURM there, and set up as the workflow needs them? Each check is given what was found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fewlabels.workflow.findings import Finding, fault, ok, warning

INSTALL = "install it (https://apptainer.org/docs/admin/)"
#: What the kernel says of user namespaces, and what each must not be.
NAMESPACES = {
    "user/max_user_namespaces": "0",
    "kernel/unprivileged_userns_clone": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
}
#: Seconds that finished jobs must stay visible to squeue (profiles/slurm).
MIN_JOB_AGE = 300


@dataclass(frozen=True)
class Answer:
    """What a command said; ``status`` is None where it is not installed."""

    status: int | None
    output: str = ""

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.output.splitlines() if line.strip()), "")


def check_apptainer(version: Answer, wanted: bool) -> Finding:
    """Whether Apptainer can be called.

    Args:
        version: answer of ``apptainer --version``.
        wanted: whether the run will use containers.
    """
    if version.status is None:
        if wanted:
            return fault("Apptainer", "missing", f"{INSTALL}, or run without --use-apptainer")
        return ok("Apptainer", "not installed, and needed by --use-apptainer and SLURM alone")
    if version.status:
        return fault("Apptainer", f"does not run ({version.first_line})", INSTALL)
    return ok("Apptainer", version.first_line)


def check_user_namespaces(
    settings: Mapping[str, str], tried: Answer, root: bool, wanted: bool
) -> Finding:
    """Whether an ordinary user may start containers.

    Args:
        settings: those of :data:`NAMESPACES` that the kernel has.
        tried: answer of ``unshare --user --map-root-user true``.
    """
    subject = "user namespaces"
    if root:
        return ok(subject, "not needed by root")
    if tried.status == 0:
        return ok(subject, "may be made")
    bad = [
        f"{key.replace('/', '.')} is {settings[key].strip()}"
        for key in NAMESPACES
        if settings.get(key, "").strip() == NAMESPACES[key]
    ]
    if tried.status is None and not bad:
        return ok(subject, "nothing speaks against them (unshare is not there to try)")
    text = "can't be made" + (f" ({', '.join(bad)})" if bad else f" ({tried.first_line})")
    remedy = "ask an administrator to allow them, or to install apptainer-suid"
    return fault(subject, text, remedy) if wanted else warning(subject, text, remedy)


def check_subordinate_ids(files: Mapping[str, str], user: str, uid: int, root: bool) -> Finding:
    """Whether a user may build images (`make containers`); running them needs no such line.

    Args:
        files: ``/etc/subuid`` and ``/etc/subgid`` -> contents; a missing file is not in it.
    """
    subject = "subordinate ids"
    if root:
        return ok(subject, "not needed by root")
    lacking = []
    for name in ("/etc/subuid", "/etc/subgid"):
        owners = [line.split(":")[0] for line in files.get(name, "").splitlines()]
        if user not in owners and str(uid) not in owners:
            lacking.append(name)
    if not lacking:
        return ok(subject, f"{user} has some")
    return warning(
        subject,
        f"{' and '.join(lacking)} have no line for {user}, so `make containers` can't build images",
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user} as root, or copy "
        "containers/*.sif from elsewhere",
    )


def check_slurm(
    partitions: Answer, accounting: Answer, configuration: Answer, wanted: bool
) -> list[Finding]:
    """Whether SLURM takes jobs.

    Args:
        partitions: answer of ``sinfo --noheader --format "%P %a %D"``.
        accounting: answer of ``sacct --noheader --allocations``.
        configuration: answer of ``scontrol show config``.
        wanted: whether the run will submit jobs.
    """
    if partitions.status is None:
        if wanted:
            return [fault("SLURM", "sinfo is missing", "run on the cluster's head node")]
        return [ok("SLURM", "not here")]
    if partitions.status:
        text = f"its controller does not answer ({partitions.first_line})"
        remedy = "ask the cluster's administrators, or run without profiles/slurm"
        return [fault("SLURM", text, remedy) if wanted else warning("SLURM", text, remedy)]
    rows = [line.split() for line in partitions.output.splitlines()]
    up = [f"{row[0]} ({row[2]} nodes)" for row in rows if len(row) == 3 and row[1] == "up"]
    if not up:
        text, remedy = "no partition is up", "ask the cluster's administrators"
        return [fault("SLURM", text, remedy) if wanted else warning("SLURM", text, remedy)]
    found = [ok("SLURM", f"partitions: {', '.join(up)}; * is the default")]
    if not any(row[0].endswith("*") for row in rows if row):
        text = "there is no default partition"
        found.append(warning("SLURM", text, "set slurm_partition in profiles/slurm/config.yaml"))
    if accounting.status == 0:
        found.append(ok("SLURM accounting", "answers"))
    else:
        why = accounting.first_line or "sacct is missing"
        found.append(ok("SLURM accounting", f"off ({why}); profiles/slurm asks squeue instead"))
    age = re.search(r"^MinJobAge\s*=\s*(\d+)", configuration.output, re.MULTILINE)
    if age and int(age[1]) < MIN_JOB_AGE:
        found.append(
            warning(
                "SLURM",
                f"finished jobs are visible for {age[1]} s only (MinJobAge)",
                f"have it set to {MIN_JOB_AGE} s, or where accounting is on set slurm-status-command: sacct in "
                "profiles/slurm/config.yaml",
            )
        )
    return found
