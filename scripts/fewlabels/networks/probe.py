"""What torch says of this machine, and where backbones' weights would come from, as JSON.

Called in a process of its own by `scripts/doctor.py`, which has to run where torch is missing or broken:
  python -m fewlabels.networks.probe '{"imagenet_resnet18": {"model": "torchvision/resnet18", "weights": "default"}}'
"""

import json
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import timm
import torch
from huggingface_hub.constants import ENDPOINT

from fewlabels.core.errors import UserError
from fewlabels.networks.library import check_model, split_model, torchvision_weights
from fewlabels.networks.packaged_weights import packaged_file, packaged_weights


def torch_facts() -> dict[str, Any]:
    """Version of torch and of the CUDA that it was built for, the GPUs that it can use, or why it can't."""
    facts: dict[str, Any] = {"version": torch.__version__, "cuda": torch.version.cuda}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        facts["available"] = torch.cuda.is_available()
    if facts["available"]:
        count = torch.cuda.device_count()
        facts["devices"] = [torch.cuda.get_device_name(place) for place in range(count)]
    elif caught:
        facts["error"] = str(caught[0].message).split(" (Triggered")[0]
    return facts


def weights_source(model: str, weights: str) -> dict[str, str]:
    """Where weights would come from: ``file`` of a download and its ``url``, or nothing where no network is needed.

    Raises:
        UserError: there are no such weights.
    """
    check_model(model)
    if weights == "packaged":
        packaged_file(packaged_weights(model))
    if weights != "default":
        return {}
    library, name = split_model(model)
    if library == "torchvision":
        known = torchvision_weights(name)
        if known is None:
            raise UserError(
                f"torchvision has no weights of {model}: set weights to random or a path"
            )
        return {"url": known.url, "file": known.url.rsplit("/", 1)[1]}
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise UserError(f"timm has no weights of {model}: set weights to random or a path")
    return {"url": f"{ENDPOINT}/{config.hf_hub_id}" if config.hf_hub_id else str(config.url)}


def backbone_facts(backbones: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Name -> where its weights come from, or the ``error`` that asking for them gives."""
    found = {}
    for name, declared in backbones.items():
        try:
            found[name] = weights_source(declared["model"], declared["weights"])
        except UserError as error:
            found[name] = {"error": str(error)}
    return found


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    json.dump({"torch": torch_facts(), "backbones": backbone_facts(asked)}, sys.stdout)
