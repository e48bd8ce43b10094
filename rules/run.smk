# What is looked at before the first job, told while jobs run, and said and tidied behind the last one. No rules here.
import contextlib
import functools
import time

from fewlabels.core.fingerprints import config_hash, scripts_hash
from fewlabels.core.verdict import read_verdict
from fewlabels.workflow.closing import failure_lines, success_lines
from fewlabels.workflow.disk_needs import check_results_disk, full_disk_lines
from fewlabels.workflow.failed_runs import FailedRuns, tolerate, try_again
from fewlabels.workflow.heeded import put_back_heeded
from fewlabels.workflow.leaving import leave_when_asked
from fewlabels.workflow.leftovers import noted_states, remove_leftovers
from fewlabels.workflow.locks import clear_dead, write_down, write_locks
from fewlabels.workflow.machine_checks import check_device
from fewlabels.workflow.missing_logs import do_without_logs
from fewlabels.workflow.outdated import outdate_all, outdate_tables, remove_states
from fewlabels.workflow.progress import Snapshot, Step
from fewlabels.workflow.progress_reporter import TOLD_EVERY, Reporter
from fewlabels.workflow.results_owner import (
    WorkingCopy,
    check_owner,
    settle_owner,
    write_owner,
)
from fewlabels.workflow.slurm_states import report_every_end
from fewlabels.workflow.start_checks import check_inputs


def folders_written():
    """Key of the config -> folder that the workflow writes to."""
    return {
        f"pathvars.{name}": workflow.pathvars.apply(path)
        for name, path in config["pathvars"].items()
    }


if workflow.is_main_process:
    try:
        for line in check_inputs(RAW_DATA, EXPERIMENT, folders_written()):
            print(f"warning: {line}", file=sys.stderr)
    except UserError as error:
        sys.exit(f"error: {error}")

WORKING_COPY = WorkingCopy(Path.cwd())
# What results are made by; found out where it is asked for alone.
MADE_BY = {}
if workflow.is_main_process:
    report_every_end()
    MADE_BY["config"] = config_hash(json.loads(as_json(config)))
    MADE_BY["scripts"] = scripts_hash(REPOSITORY / "scripts")
    try:
        check_owner(pathvar("results"), WORKING_COPY, MADE_BY)
        put_back_heeded(pathvar("results"))
    except UserError as error:
        sys.exit(f"error: {error}")


def say(line):
    if line:
        print(line, file=sys.stderr)


# Before Snakemake looks for locks: who runs here, and who ran.
if workflow.is_main_process:
    for line in clear_dead(Path.cwd()):
        say(line)
    try:
        OWNER = write_down(Path.cwd())
    except UserError as error:
        sys.exit(f"error: {error}")


FAILED_RUNS = FailedRuns(
    Path(pathvar("results")),
    RUNS,
    CONFIG.experiment.failed_runs,
    CONFIG.datasets[TARGET].classes,
)
if workflow.is_main_process:
    do_without_logs()
    tolerate(FAILED_RUNS, say)
    try_again(FAILED_RUNS)


def step_of(job):
    """What is told of a job."""
    log = str(job.log[0]) if job.log else ""
    benchmark = str(job.benchmark) if job.benchmark else ""
    below = folders_written()["pathvars.benchmarks"]
    parts = (
        Path(os.path.relpath(benchmark, below)).with_suffix("").parts
        if benchmark
        else ()
    )
    return Step(job.rule.name, "/".join(parts[1:]), log, benchmark)


def single_jobs(jobs):
    """Jobs, those of groups one by one."""
    for job in jobs:
        yield from job.jobs if job.is_group() else [job]


def places():
    """How many jobs may run at a time."""
    limit = workflow.resource_settings.nodes
    if limit is not None:
        return limit
    places = max(1, (workflow.resource_settings.cores or 1) // THREADS)
    # Snakemake gives a value that is None where there is no limit.
    gpus = workflow.global_resources.get("gpu").value if GPU else None
    return min(places, max(1, gpus)) if gpus else places


def look_at_run():
    """What the run is at; called beside Snakemake's own work, so that it takes copies."""
    dag, scheduler = workflow.dag, workflow.scheduler
    running = set(single_jobs(list(scheduler.running))) if scheduler else set()
    left = [job for job in PLANNED if not dag.finished(job)]
    return Snapshot(
        time.time(),
        STARTED[0],
        len(PLANNED),
        len(PLANNED) - len(left),
        [step_of(job) for job in left if job in running],
        [step_of(job) for job in left if job not in running],
        at_once=places(),
    )


def remove_noted_states():
    """States of trainings that are done, now and then."""
    dag = workflow.dag
    jobs = list(dag.jobs)

    def is_noted(checkpoint):
        made = [job for job in jobs if checkpoint in map(Path, job.output)]
        # Of a training that this run does not ask for, nothing is known.
        return bool(made) and all(
            dag.finished(job) or not dag.needrun(job) for job in made
        )

    for path in noted_states(Path(pathvar("results")), is_noted):
        path.unlink(missing_ok=True)


def tidy_and_look():
    # On a disk that can't be written to they stay until the next run.
    with contextlib.suppress(OSError):
        remove_noted_states()
    return look_at_run()


# Of this run, as soon as it begins: its jobs but the target rule, and when that was.
PLANNED, STARTED = [], []
REPORTER = Reporter(
    tidy_and_look,
    Path(pathvar("results")),
    say,
    TOLD_EVERY["terminal" if sys.stderr.isatty() else "file"],
)


def check_machine():
    """What a job would stop at hours later is said now; a cluster's nodes are other machines."""
    results = Path(pathvar("results"))
    findings = [check_results_disk(EXPERIMENT, RAW_DATA, results)]
    if workflow.resource_settings.nodes is None:
        findings.append(check_device(CONFIG.compute.device, visible_gpus()))
    for finding in findings:
        if finding.level == "warning":
            say(f"warning: {finding.message}")
        if finding.level == "fault":
            sys.exit(f"error: {finding.message}")


def in_one_line(step):
    """Have the faults that a user can mend end the run in one line."""

    @functools.wraps(step)
    def run():
        try:
            step()
        except UserError as error:
            sys.exit(f"error: {error}")

    return run


@in_one_line
def begin_run():
    """Before the first job: whose the results are, what they were, and what the jobs need not find out again."""
    if workflow.touch:
        return
    leave_when_asked(workflow.scheduler.exit_gracefully)
    write_locks(Path.cwd(), OWNER, workflow.persistence._lockfile)
    results = Path(pathvar("results"))
    # They may be what fills the disk.
    remove_leftovers(
        results, [*(run.name for run in RUNS), *PRETRAINING, *mask_trainings()]
    )
    check_machine()
    planned = [job for job in workflow.dag.jobs if workflow.dag.needrun(job)]
    say(outdate_tables(results, {Path(file) for job in planned for file in job.output}))
    write_owner(pathvar("results"), WORKING_COPY, MADE_BY)
    CONTENTS.save()
    PLANNED.extend(job for job in planned if not job.rule.norun)
    STARTED.append(time.time())
    REPORTER.start()


@in_one_line
def end_run():
    """After the last job, if all went well: what was made of which images, and what to open."""
    if workflow.touch:
        return
    results = Path(pathvar("results"))
    settle_owner(pathvar("results"), WORKING_COPY, MADE_BY)
    asked = {
        job.wildcards.dataset
        for job in workflow.dag.jobs
        if job.rule.name == "publish_images"
    }
    remove_states(results, {name: content_of(name) for name in asked})
    data_report = results / "data.md"
    if data_report.is_file() and data_report in workflow_files():
        lines = data_report.read_text(encoding="utf-8").splitlines()
        say("\n".join(["", *lines[:25]]))
    last = REPORTER.end("done")
    took = last.time - last.started
    resources = Path(pathvar("resources"))
    made = workflow_files()
    say("\n".join(success_lines(results, resources, made, last.done, took)))


def fail_run():
    """After a failure: a summary that a check speaks against must not stay as if it were current."""
    verdicts = {
        str(job.input.verdict)
        for job in workflow.dag.jobs
        if job.rule.name == "heed_verdict"
    }
    try:
        if any(os.path.isfile(file) and read_verdict(file) for file in verdicts):
            say(outdate_all(Path(pathvar("results"))))
        put_back_heeded(pathvar("results"))
    except OSError as error:
        # A full disk, say. The next run puts them back before anything else.
        say(f"warning: {error}")
    last = REPORTER.end("failed")
    failed = [step_of(job) for job in single_jobs(workflow.scheduler.failed)]
    command = ["snakemake", *sys.argv[1:]]
    say("\n".join(failure_lines(failed, last.done, last.jobs, command)))
    say(
        "\n".join(
            full_disk_lines([Path(pathvar("results")), Path(pathvar("resources"))])
        )
    )


def workflow_files():
    """What the jobs of this run are there for, whether they ran or not."""
    return {Path(file) for job in workflow.dag.jobs for file in job.output}
