"""Are the images and the weights of a config there?"""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from fewlabels.core.errors import UserError
from fewlabels.workflow.containers import IMAGES, check_image, container_of, is_address
from fewlabels.workflow.experiment import Experiment
from fewlabels.workflow.findings import Finding, fault, ok, warning
from fewlabels.workflow.raw_data import RawData
from fewlabels.workflow.start_checks import check_inputs, given_fractions


def finding_of(subject: str, error: UserError) -> Finding:
    """A fault in the words of an error, which names the remedy itself."""
    return Finding("fault", subject, str(error))


def check_datasets(
    raw: RawData, experiment: Experiment, written: Mapping[str, str]
) -> list[Finding]:
    """Whether the folders and tables of images are there, and the workflow writes elsewhere."""
    found = []
    for name in [*experiment.datasets, *sorted(raw.config.external)]:
        try:
            where = "drawn by the workflow" if raw.is_drawn(name) else raw.check_dataset(name)
            found.append(ok("images", f"{name}: {where}"))
        except UserError as error:
            found.append(finding_of("images", error))
    for fraction in given_fractions(raw, experiment):
        try:
            folder = raw.given_folder_of(fraction)
            found.append(ok("given subset", raw.check_folder(folder, f"subsets.given.{fraction}")))
        except UserError as error:
            found.append(finding_of("given subset", error))
    try:
        for line in check_inputs(raw, experiment, written):
            found.append(warning("tables", line, "mend these ids"))
    except UserError as error:
        found.append(finding_of("folders", error))
    return found


def check_weights(
    raw: RawData,
    experiment: Experiment,
    resources: Path,
    facts: Mapping[str, Mapping[str, str]],
    reach: Callable[[str], str],
) -> list[Finding]:
    """Whether the weights of backbones are there, or can be had.

    Args:
        facts: of :mod:`fewlabels.networks.probe`; empty where it could not be asked.
        reach: address -> why it can't be reached; empty where it can.
    """
    found = []
    for name in experiment.backbones:
        declared = raw.config.backbones[name]
        kind = "given" if declared.file else declared.weights
        made = resources / "weights" / f"{name}_{raw.config.images.size}_{kind}.pth"
        known = facts.get(name, {})
        where = resources / "downloads" / known.get("file", "?")
        if "error" in known:
            found.append(Finding("fault", "weights", f"key 'backbones.{name}': {known['error']}"))
        elif declared.file and not Path(declared.file).is_file():
            text = f"key 'backbones.{name}.weights' is '{declared.file}', which is no file"
            found.append(fault("weights", text, "give the path of one"))
        elif kind != "default":
            found.append(ok("weights", f"{name}: {declared.file or kind}, no network needed"))
        elif made.is_file() or where.is_file():
            found.append(ok("weights", f"{name}: downloaded"))
        elif "url" not in known:
            found.append(ok("weights", f"{name}: will be downloaded; not tried"))
        elif why := reach(known["url"]):
            host = urlsplit(known["url"]).hostname
            by_hand = (
                f"put the file of {known['url']} into {where.parent}/, or "
                if "file" in known
                else ""
            )
            remedy = f"{by_hand}set backbones.{name}.weights to a path, packaged or random"
            found.append(
                fault(
                    "weights",
                    f"{name} must be downloaded, and {host} can't be reached ({why})",
                    remedy,
                )
            )
        else:
            host = urlsplit(known["url"]).hostname
            found.append(ok("weights", f"{name}: will be downloaded from {host}, which answers"))
    return found


def check_containers(repository: Path, choices: Mapping[str, str], wanted: bool) -> list[Finding]:
    """Whether the container images are built, current and whole.

    Args:
        choices: image -> value of the config.
        wanted: whether the run will use them.
    """
    found = []
    for name in IMAGES:
        container = container_of(repository, name, choices[name])
        try:
            check_image(repository, name, choices[name])
            state = (
                "an address, not tried" if is_address(container) else "built, its sha256 is right"
            )
            found.append(ok("container", f"{container}: {state}"))
        except UserError as error:
            if wanted:
                found.append(finding_of("container", error))
            else:
                found.append(
                    ok("container", f"{name} is not built; --use-apptainer alone needs it")
                )
    return found
