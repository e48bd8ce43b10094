"""What predicted masks are made and used by, in the config and on command lines."""

from typing import Annotated, Literal

from pydantic import Field

from fewlabels.core.settings import MaskUse, Section

PredictedMaskUse = Annotated[Literal["off", "replace", "crop", "channel"], MaskUse.__metadata__[0]]


class MaskNetwork(Section):
    """The U-Net that predicts masks, learnt from those that a subset owns (docs/recipes.md)."""

    width: int = Field(
        ge=8,
        le=256,
        multiple_of=8,
        description="channels of its first level, doubled at each of four halvings",
    )
    size: int = Field(
        ge=32,
        le=1024,
        multiple_of=32,
        description="pixels of the side that it works at; larger images are reduced for it, and its masks enlarged",
    )
    steps: int = Field(ge=1, description="optimiser steps, however few the masks are")
    batch_size: int = Field(ge=1, description="images of one step")
    learning_rate: float = Field(gt=0, description="highest, of a one-cycle schedule; AdamW")


class PredictedMasks(MaskNetwork):
    """How masks are predicted for arms with `predicted_masks`, and how these crop."""

    crop_margin: float = Field(
        ge=0,
        le=2,
        description="of crop: added on each side, as a share of the longer side of the cell's box",
    )

    def network(self) -> MaskNetwork:
        """What the network depends on: a change of the margin trains none anew."""
        return MaskNetwork(**self.plain("crop_margin"))
