# Where jobs run: container images, memory and time, the GPUs of this machine; start and end of a run. No rules here.
from snakemake.settings.types import DeploymentMethod

from fewlabels.workflow.ancient_inputs import check_behind_ancient_files
from fewlabels.workflow.containers import IMAGES, check_image, container_of
from fewlabels.core.gpus import visible_gpus
from fewlabels.data.decoding_room import decoding_mb


def image_of(name):
    return container_of(REPOSITORY, name, getattr(CONFIG.containers, name))


TORCH_IMAGE = image_of("torch")
TOOLS_IMAGE = image_of("tools")


def growing(base):
    """A resource that grows with the attempt: what was killed for it is tried again with more."""

    def value(wildcards, attempt):
        return base * attempt

    return value


def memory_to_decode(wildcards, threads, attempt):
    """Of a job that decodes files in threads."""
    return attempt * decoding_mb(threads, CONFIG.images.max_megapixels)


def outside(folders):
    """Those of some folders, as written and with links followed, that don't lie in the working folder."""
    paths = {
        path
        for folder in folders
        for path in (os.path.abspath(folder), os.path.realpath(folder))
    }
    inside = os.path.join(os.getcwd(), "")
    return sorted(
        path for path in paths if not os.path.join(path, "").startswith(inside)
    )


def existing_part(path):
    """A path, or the nearest folder above it that exists."""
    return path if os.path.exists(path) else existing_part(os.path.dirname(path))


def folders_of(dataset):
    """The folders of a data set's files; none where its table is missing, which the job will say."""
    root, layout = folder_of(dataset), layout_of(dataset)
    if layout.table and not os.path.isfile(os.path.join(root, layout.table)):
        return []
    return folders_read(root, layout)


def binds():
    """What a container does not see by itself, as it sees the working folder alone: the folders and files
    that the config names, for reading, and where it sends results, for writing."""
    used = [*DATASETS, *EXTERNAL]
    read = [data_root(), *(folder for name in used for folder in folders_of(name))]
    read += [os.path.join(data_root(), name) for name in CONFIG.subsets.given.values()]
    read += [CONFIG.backbones[name].file or "." for name in EXPERIMENT.backbones]
    read += [CONFIG.datasets[name].true_types or "." for name in DATASETS]
    written = [folder for folder in config["pathvars"].values() if "<" not in folder]
    return [
        *(
            f"--bind {shlex.quote(path)}:{shlex.quote(path)}:ro"
            for path in outside(read)
            if os.path.exists(path)
        ),
        *(
            f"--bind {shlex.quote(path)}"
            for path in map(existing_part, outside(written))
            if path != "/"
        ),
    ]


def complete_apptainer_arguments():
    """Give every container the GPU (without one, --nv does nothing) and what lies outside."""
    arguments = workflow.deployment_settings.apptainer_args
    missing = [argument for argument in ["--nv", *binds()] if argument not in arguments]
    workflow.deployment_settings.apptainer_args = " ".join(
        [arguments, *missing]
    ).strip()


if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    try:
        # Once, before the first job; a job on a compute node takes it as checked.
        if workflow.is_main_process:
            for name in IMAGES:
                check_image(REPOSITORY, name, getattr(CONFIG.containers, name))
    except UserError as error:
        sys.exit(f"error: {error}")
    complete_apptainer_arguments()

# On one machine no more GPU jobs at a time than it shows GPUs, and no limit without any. A cluster, for
# which the number of `nodes` (--jobs) is set, does that itself.
if (
    workflow.resource_settings.nodes is None
    and "gpu" not in workflow.global_resources
    and visible_gpus()
):
    workflow.register_resource("gpu", len(visible_gpus()))

check_behind_ancient_files()
