"""The declared ways of pretraining: one class per method, which says what a config may set and which files it gives.

A new method is a class here, a module of the method's name beside this one, and a test (CONTRIBUTING.md shows it).
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from fewlabels.core.settings import BatchNorm, Blocks, MaskUse, Section, Seed

Gives = Literal["encoder", "features", "labels"]


class Pretraining(Section):
    """What every method has.

    Attributes:
        gives: what others can start from.
        files: output flag -> path below the results folder.
        ignores: keys of training settings that the method does not use; None where it trains nothing.
    """

    gives: ClassVar[Gives]
    files: ClassVar[dict[str, str]]
    ignores: ClassVar[tuple[str, ...] | None] = None

    title: str = Field("", description="heading of its table")
    seed: Seed = Field(0, description="initialisation, order, views")
    training: dict[str, Any] = Field({}, description="what differs from `training.defaults`")


class Supervised(Pretraining):
    """A classifier of a labelled data set, or of pseudo-labels."""

    gives: ClassVar[Gives] = "encoder"
    files: ClassVar[dict[str, str]] = {
        "checkpoint": "models/{name}.pt",
        "history": "history/{name}.csv",
        "predictions": "predictions/{name}.csv",
        "record": "records/{name}.json",
    }
    ignores: ClassVar[tuple[str, ...] | None] = ()

    method: Literal["supervised"]
    dataset: str
    start: str = Field(description="a backbone, or a pretraining that gives an encoder")
    labels: str | None = Field(
        None, description="a pretraining of method cluster; null: the data set's own"
    )
    masks: MaskUse = Field("off", description="off | replace | append, as of arms")
    trained: Blocks = Field(description="blocks or stages open for updates, or `all`")
    batch_norm: BatchNorm = Field("trained", description="of the open blocks, as of arms")


class Autoencoder(Pretraining):
    """A convolutional autoencoder, trained to reconstruct images by mean squared error."""

    gives: ClassVar[Gives] = "encoder"
    files: ClassVar[dict[str, str]] = {
        "checkpoint": "models/{name}.pt",
        "history": "history/{name}.csv",
        "reconstructions": "figures/{name}_reconstructions.png",
        "record": "records/{name}.json",
    }
    ignores: ClassVar[tuple[str, ...] | None] = ("class_weights",)

    method: Literal["autoencoder"]
    dataset: str
    channels: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, max_length=8, description="of its convolutions of stride 2, one each"
    )
    latent_size: int = Field(ge=1, description="features of its encoder")


class Extract(Pretraining):
    """Features of every image at a named layer of a network."""

    gives: ClassVar[Gives] = "features"
    files: ClassVar[dict[str, str]] = {
        "features": "features/{name}.csv",
        "record": "records/{name}.json",
    }

    method: Literal["extract"]
    dataset: str
    start: str = Field(description="a backbone")
    node: str = Field(description="the layer, by torchvision's name for it, such as classifier.4")


class Cluster(Pretraining):
    """Pseudo-labels: PCA of features, then K-means."""

    gives: ClassVar[Gives] = "labels"
    files: ClassVar[dict[str, str]] = {
        "labels": "clusters/{name}.csv",
        "quality": "clusters/{name}_quality.csv",
        "scatter": "clusters/{name}_scatter.png",
    }

    method: Literal["cluster"]
    features: str = Field(description="a pretraining of method extract")
    pca_dimensions: int = Field(ge=2, description="fewer where the data allow fewer")
    clusters: int = Field(ge=2)


AnyPretraining = Annotated[
    Supervised | Autoencoder | Extract | Cluster, Field(discriminator="method")
]

#: Name of each method -> its class.
METHODS: dict[str, type[Pretraining]] = {
    "supervised": Supervised,
    "autoencoder": Autoencoder,
    "extract": Extract,
    "cluster": Cluster,
}
