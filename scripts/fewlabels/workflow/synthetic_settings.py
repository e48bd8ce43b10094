"""The config's section `synthetic` as classes."""

from pydantic import Field

from fewlabels.core.settings import Section, Seed


class SyntheticWbc(Section):
    train: int = Field(ge=5, description="training images")
    test: int = Field(ge=5, description="test images")
    size: int = Field(ge=32, description="pixels")
    balance: float = Field(ge=0, le=1, description="0: the real class shares; 1: equal ones")


class SyntheticCam16(Section):
    train: int = Field(ge=2, description="training images")
    validation: int = Field(ge=2, description="validation images")
    test: int = Field(ge=2, description="test images")
    size: int = Field(ge=32, description="pixels")


class SyntheticPrcc(Section):
    images: int = Field(ge=5, description="images, all in one folder")
    size: int = Field(ge=32, description="pixels")


class Synthetic(Section):
    """Synthetic data sets in the layout of the default ones: wbc, cam16, prcc."""

    draw: bool = Field(description="draw them, and use them in place of data_root")
    seed: Seed = Field(description="of the drawings")
    wbc: SyntheticWbc
    cam16: SyntheticCam16
    prcc: SyntheticPrcc
