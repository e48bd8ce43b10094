# Where jobs run: container images, memory and time, the GPUs of this machine. No rules here.
from snakemake.settings.types import DeploymentMethod

from wbc.containers import base_of, check_image, container_of
from wbc.gpus import visible_gpus
from wbc.slurm import report_every_end


def image_of(name):
    return container_of(REPOSITORY, name, config["containers"][name])


TORCH_IMAGE = image_of("torch")
TOOLS_IMAGE = image_of("tools")


def base_of_image(wildcards):
    """The base whose arguments give the hash in an image's file name."""
    return base_of(REPOSITORY, wildcards.image, wildcards.digest)


def growing(base):
    """A resource that grows with the attempt: what was killed for it is tried again with more."""

    def value(wildcards, attempt):
        return base * attempt

    return value


def folders_outside():
    """Folders of images that a container does not see by itself: it sees the working folder alone."""
    names = [dataset["folder"] for dataset in config["datasets"].values()]
    if config["subsets"]["source"] == "given":
        names += config["subsets"]["given"].values()
    folders = [data_root(), *(os.path.join(data_root(), name) for name in names)]
    folders += [
        value for value in config["weights"].values() if os.path.isfile(str(value))
    ]
    paths = {
        path
        for folder in folders
        if os.path.exists(folder)
        for path in (os.path.abspath(folder), os.path.realpath(folder))
    }
    inside = os.path.join(os.getcwd(), "")
    return sorted(path for path in paths if not path.startswith(inside))


def complete_apptainer_arguments():
    """Give every container the GPU (without one, --nv does nothing) and the folders of images."""
    arguments = workflow.deployment_settings.apptainer_args
    wanted = [
        "--nv",
        *(
            f"--bind {shlex.quote(path)}:{shlex.quote(path)}:ro"
            for path in folders_outside()
        ),
    ]
    missing = [argument for argument in wanted if argument not in arguments]
    workflow.deployment_settings.apptainer_args = " ".join(
        [arguments, *missing]
    ).strip()


if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    try:
        # Once, before the first job; a job on a compute node takes it as checked.
        if workflow.is_main_process:
            for name in ("torch", "tools"):
                check_image(REPOSITORY, name, config["containers"][name])
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

if workflow.is_main_process:
    report_every_end()
