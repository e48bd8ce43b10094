"""The declared ways of pretraining: one class per method, which says what a config may set and which files it gives.

A new method is a class here, a module of the method's name beside this one, and a test (CONTRIBUTING.md shows it).
"""

import json
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from fewlabels.core.settings import BatchNorm, Blocks, MaskUse, Section, Seed, Share

Gives = Literal["encoder", "features", "labels"]
#: What a method can start from: also the weights of a backbone, as they come.
Needs = Gives | Literal["backbone"]


class Pretraining(Section):
    """What every method has.

    Attributes:
        gives: what others can start from.
        files: output flag -> path below the results folder.
        starts: key that names a backbone or another pretraining -> what that must be or give.
        tested: whether it needs test images of its data set.
        runs_network: whether it runs a network, and so takes a GPU and the settings of `compute`.
        special: own keys that :meth:`options` gives in a form of their own.
    """

    gives: ClassVar[Gives]
    files: ClassVar[dict[str, str]]
    starts: ClassVar[dict[str, Needs]] = {}
    tested: ClassVar[bool] = False
    runs_network: ClassVar[bool] = True
    special: ClassVar[tuple[str, ...]] = ()

    def options(self) -> list[object]:
        """The method's own keys, numbers, texts or lists, as words of its command line: ``--key=value`` (a text may
        begin with -), ``--key value ...`` of a list."""
        elsewhere = {"method", "dataset", *self.starts, *self.special}
        words: list[object] = []
        for key in type(self).model_fields:
            if key not in elsewhere:
                value = getattr(self, key)
                flag = f"--{key.replace('_', '-')}"
                words += [flag, *value] if isinstance(value, list) else [f"{flag}={value}"]
        return words

    def architecture(self) -> dict[str, Any] | None:
        """What the encoder that it gives is built of; None: what it starts from is."""
        return None

    def own_datasets(self) -> list[str]:
        """The data sets whose images it takes, not through what it starts from."""
        dataset = getattr(self, "dataset", None)
        return [dataset] if dataset else []


class Trained(Pretraining):
    """What the methods have that train a network.

    Attributes:
        ignores: keys of training settings that the method does not use.
    """

    ignores: ClassVar[tuple[str, ...]] = ()
    special: ClassVar[tuple[str, ...]] = ("seed", "training")

    seed: Seed = Field(0, description="initialisation, order, views")
    training: dict[str, Any] = Field({}, description="what differs from `training.defaults`")


class FromEncoder(Trained):
    """What the methods have that train an encoder further."""

    starts: ClassVar[dict[str, Needs]] = {"start": "encoder"}
    special: ClassVar[tuple[str, ...]] = (*Trained.special, "trained", "batch_norm")

    start: str = Field(description="a backbone, or a pretraining that gives an encoder")
    trained: Blocks = Field(description="blocks or stages open for updates, or `all`")
    batch_norm: BatchNorm = Field("trained", description="of the open blocks, as of arms")

    def options(self) -> list[object]:
        choice = {
            "encoder": self.start,
            "trained": self.trained,
            "batch_norm": self.batch_norm,
        }
        return ["--encoder", json.dumps(choice, sort_keys=True), *super().options()]


class OnSeveralSets(FromEncoder):
    """What the methods have that train an encoder on the training images of several data sets."""

    gives: ClassVar[Gives] = "encoder"
    files: ClassVar[dict[str, str]] = {
        "checkpoint": "models/{name}.pt",
        "history": "history/{name}.csv",
        "record": "records/{name}.json",
    }

    held_out: Share = Field(
        0.1, description="of each set's training images: not trained on, for the history"
    )

    def own_datasets(self) -> list[str]:
        names: list[str] = getattr(self, "datasets", [])
        return names


class Supervised(FromEncoder):
    """A classifier of a labelled data set, or of pseudo-labels."""

    gives: ClassVar[Gives] = "encoder"
    files: ClassVar[dict[str, str]] = {
        "checkpoint": "models/{name}.pt",
        "history": "history/{name}.csv",
        "predictions": "predictions/{name}.csv",
        "record": "records/{name}.json",
    }
    starts: ClassVar[dict[str, Needs]] = {"start": "encoder", "labels": "labels"}
    tested: ClassVar[bool] = True
    special: ClassVar[tuple[str, ...]] = (*FromEncoder.special, "title", "masks")

    method: Literal["supervised"]
    title: str = Field("", description="heading of its table")
    dataset: str = Field(description="whose images it is trained and tested on")
    labels: str | None = Field(
        None, description="a pretraining of method cluster; null: the data set's own"
    )
    masks: MaskUse = Field("off", description="as of arms")

    def options(self) -> list[object]:
        return ["--mask-use", self.masks, *super().options()]


class Autoencoder(Trained):
    """A convolutional autoencoder, trained to reconstruct images by mean squared error."""

    gives: ClassVar[Gives] = "encoder"
    files: ClassVar[dict[str, str]] = {
        "checkpoint": "models/{name}.pt",
        "history": "history/{name}.csv",
        "reconstructions": "figures/{name}_reconstructions.png",
        "record": "records/{name}.json",
    }
    ignores: ClassVar[tuple[str, ...]] = ("class_weights",)
    tested: ClassVar[bool] = True

    method: Literal["autoencoder"]
    dataset: str = Field(description="whose images it is trained and tested on")
    channels: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, max_length=8, description="of its convolutions of stride 2, one each"
    )
    latent_size: int = Field(ge=1, description="features of its encoder")

    def architecture(self) -> dict[str, Any]:
        return {
            "model": "autoencoder",
            "channels": self.channels,
            "latent_size": self.latent_size,
        }


class Extract(Pretraining):
    """Features of every image at a named layer of a network."""

    gives: ClassVar[Gives] = "features"
    files: ClassVar[dict[str, str]] = {
        "features": "features/{name}.csv",
        "record": "records/{name}.json",
    }
    starts: ClassVar[dict[str, Needs]] = {"start": "backbone"}

    method: Literal["extract"]
    dataset: str = Field(description="whose images it takes")
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
    starts: ClassVar[dict[str, Needs]] = {"features": "features"}
    runs_network: ClassVar[bool] = False

    method: Literal["cluster"]
    features: str = Field(description="a pretraining of method extract")
    pca_dimensions: int = Field(
        ge=2, description="principal components, fewer where the data allow fewer"
    )
    clusters: int = Field(ge=2, description="how many; the largest is 0")
    seed: Seed = Field(0, description="of the starts of K-means")


#: Settings of training that have no effect without labels.
OF_LABELS = ("class_weights", "label_smoothing", "head_learning_rate", "test_views")


class Contrastive(OnSeveralSets):
    """An encoder by SimCLR: two views of an image are alike, those of different images are not."""

    ignores: ClassVar[tuple[str, ...]] = (*OF_LABELS, "colour_jitter")

    method: Literal["contrastive"]
    datasets: list[str] = Field(
        min_length=1,
        description="whose training images it takes, without labels; the target may be one. `training.sampling: "
        "balanced` takes each set as often",
    )
    temperature: float = Field(0.2, gt=0, description="of the loss")
    projection_size: int = Field(
        128, ge=2, description="outputs of the projection, which is thrown away"
    )
    crop: float = Field(0.2, gt=0, le=1, description="least share of the image that a view shows")
    colour: float = Field(
        0.4, ge=0, lt=1, description="strength of changes of brightness, contrast and saturation"
    )
    grey: float = Field(0.2, ge=0, le=1, description="share of views without colours")
    blur: float = Field(0.5, ge=0, le=1, description="share of blurred views")


class MaskedImages(OnSeveralSets):
    """An encoder by masked image modelling (SimMIM): patches that were taken out are filled in."""

    ignores: ClassVar[tuple[str, ...]] = OF_LABELS

    method: Literal["masked_images"]
    datasets: list[str] = Field(min_length=1, description="as of contrastive")
    patch_size: int = Field(
        16, ge=1, description="side of a patch in pixels; a divisor of images.size"
    )
    mask_share: Share = Field(0.6, description="of an image's patches that are taken out")


class MultiSource(OnSeveralSets):
    """An encoder by the labels of several data sets together: a shared body, and a linear head for each."""

    starts: ClassVar[dict[str, Needs]] = {"start": "encoder", "labels": "labels"}
    ignores: ClassVar[tuple[str, ...]] = ("test_views",)

    method: Literal["multi_source"]
    datasets: list[str] = Field(
        min_length=2, description="whose training images and labels it takes; not the target"
    )
    labels: str | None = Field(
        None, description="a pretraining of method cluster, of one of `datasets` without labels"
    )


AnyPretraining = Annotated[
    Supervised | Autoencoder | Extract | Cluster | Contrastive | MaskedImages | MultiSource,
    Field(discriminator="method"),
]

#: Name of each method -> its class.
METHODS: dict[str, type[Pretraining]] = {
    get_args(section.model_fields["method"].annotation)[0]: section
    for section in get_args(get_args(AnyPretraining)[0])
}
