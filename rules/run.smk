# What is looked at before the first job, and what is said and tidied behind the last one. No rules here.
from fewlabels.core.fingerprints import config_hash, scripts_hash
from fewlabels.core.verdict import read_verdict
from fewlabels.workflow.heeded import put_back_heeded
from fewlabels.workflow.outdated import outdate_all, outdate_tables, remove_states
from fewlabels.workflow.results_owner import (
    WorkingCopy,
    check_owner,
    settle_owner,
    write_owner,
)
from fewlabels.workflow.slurm_states import report_every_end
from fewlabels.workflow.start_checks import check_places, check_true_types


def check_at_start():
    """What is wrong with folders and tables of the user's is said before the first job."""
    own = [name for name in [*DATASETS, *EXTERNAL] if not is_drawn(name)]
    read = {
        f"{section_of(name)}.folder": folder_of(name)
        for name in own
        if not layout_of(name).table
    }
    if CONFIG.subsets.source == "given":
        read |= {
            f"subsets.given.{fraction}": os.path.join(data_root(), folder)
            for fraction, folder in CONFIG.subsets.given.items()
            if fraction in FRACTIONS
        }
    written = {
        f"pathvars.{name}": workflow.pathvars.apply(path)
        for name, path in config["pathvars"].items()
    }
    check_places(written, read)
    for name in dict.fromkeys(DECLARED_AS.values()):
        dataset = dataset_of(CONFIG, name)
        table = CONFIG.datasets[dataset].true_types
        clusters = isinstance(CONFIG.pretraining[name], Cluster)
        if clusters and dataset in own and table:
            if os.path.isdir(folder_of(dataset)):
                key, layout = f"datasets.{dataset}.true_types", layout_of(dataset)
                unknown = check_true_types(key, table, folder_of(dataset), layout)
                if unknown:
                    print(
                        f"warning: {table} ({key}) has {len(unknown)} ids that are no image's, such as '{unknown[0]}'",
                        file=sys.stderr,
                    )


if workflow.is_main_process:
    try:
        check_at_start()
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


def begin_run():
    """Before the first job: whose the results are, what they were, and what the jobs need not find out again."""
    if workflow.touch:
        return
    results = Path(pathvar("results"))
    planned = [job for job in workflow.dag.jobs if workflow.dag.needrun(job)]
    say(outdate_tables(results, {Path(file) for job in planned for file in job.output}))
    write_owner(pathvar("results"), WORKING_COPY, MADE_BY)
    CONTENTS.save()


def end_run():
    """After the last job, if all went well: what was made of which images."""
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


def fail_run():
    """After a failure: a summary that a check speaks against must not stay as if it were current."""
    verdicts = {
        str(job.input.verdict)
        for job in workflow.dag.jobs
        if job.rule.name == "heed_verdict"
    }
    put_back_heeded(pathvar("results"))
    if any(os.path.isfile(file) and read_verdict(file) for file in verdicts):
        say(outdate_all(Path(pathvar("results"))))


def workflow_files():
    """What the jobs of this run are there for, whether they ran or not."""
    return {Path(file) for job in workflow.dag.jobs for file in job.output}
