"""What is asked of arms beyond single keys: frozen encoders for light classifiers; encoders that saw test images."""

from collections.abc import Mapping

from fewlabels.core.errors import UserError
from fewlabels.core.settings import TrainingSettings
from fewlabels.workflow.config_model import Arm, Config

#: Settings of training that a light classifier heeds: views of training and of test images.
HEEDED = ("flips", "rotation", "colour_jitter", "test_views")


def check_classifier(name: str, recipe: Arm, training: TrainingSettings) -> None:
    """Refuse what a classifier that is fitted to the features of frozen encoders has no use for.

    Raises:
        UserError: an encoder has open blocks, or a setting of training is of no use.
    """
    kind = recipe.classifier
    if kind == "network":
        return
    for place, choice in enumerate(recipe.encoders):
        if choice.trained:
            raise UserError(
                f"key 'arms.{name}.encoders.{place}.trained' opens blocks, but {kind} takes frozen encoders: set it "
                f"to [], or arms.{name}.classifier to network"
            )
    if recipe.unlabelled.method != "off":
        raise UserError(
            f"key 'arms.{name}.unlabelled' is of no use to the classifier {kind}: take it out"
        )
    for key in recipe.training:
        if key not in HEEDED:
            raise UserError(
                f"key 'arms.{name}.training.{key}' is of no use to the classifier {kind}: take it out"
            )
    if training.changes_pixels:
        raise UserError(
            f"key 'arms.{name}.classifier' is {kind}, whose features are averaged over flips and right angles alone: "
            f"set rotation to right_angles or none, and colour_jitter to 0, in arms.{name}.training"
        )


def backbones_behind(config: Config, name: str) -> set[str]:
    """The backbones that a backbone or a pretraining comes from, through its whole chain."""
    if name in config.backbones:
        return {name}
    entry = config.pretraining[name]
    below = [getattr(entry, key) for key in entry.starts]
    return set().union(*(backbones_behind(config, start) for start in below if start))


def transductive_arms(config: Config, recipes: Mapping[str, Arm]) -> list[str]:
    """Of arms, those some encoder of which comes from a network that saw the target's test images."""
    return [
        name
        for name, recipe in recipes.items()
        if any(
            config.backbones[backbone].saw_test_data
            for choice in recipe.encoders
            for backbone in backbones_behind(config, choice.encoder)
        )
    ]
