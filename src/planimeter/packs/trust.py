"""What a pack knows of its own errors, and of the pictures that it learnt from."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

LEVEL = 0.9
"""How often the truth lies inside an interval."""


class Bin(NamedTuple):
    """Pictures that measured alike, and how far from the measured percentage their truth was."""

    up_to: float
    """The highest percentage measured in this bin; the bin below has the lower ones."""
    below: float
    """How far below the measured percentage the truth lies at the most, in units of the picture's doubt: 0 or less."""
    above: float
    """How far above it: 0 or more."""
    pictures: int


class Widening(NamedTuple):
    """How much wider an interval is where only a part of the picture counts."""

    share: float
    """The smallest part, as a share of the picture's pixels; larger ones have a row of their own, or this one."""
    by: float
    """What the interval's reach is multiplied by: 1 or more."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassBins(_Part):
    """The bins of one class at one score threshold."""

    nothing: Bin | None = Field(description="Where nothing was found; null where too few pictures were so.")
    found: tuple[Bin, ...] = Field(
        description="By rising percentage; empty where something was found in too few pictures."
    )
    pictures_found: int = Field(ge=0, description="Pictures of the calibration in which something was found.")


class AtThreshold(_Part):
    """The bins at one score threshold: of all classes together, then of each class."""

    score: float = Field(ge=0, le=1)
    classes: tuple[ClassBins, ...]
    parts: tuple[Widening, ...] = Field(
        (), description="By falling share; empty where nothing is known of parts of a picture."
    )


class Intervals(_Part):
    """What turns the percentage of a picture into an interval for the true one."""

    level: float = Field(gt=0, lt=1)
    method: Literal["split-conformal"] = "split-conformal"
    calibrated_on: str = Field(description="The pictures whose truth was known, in words.")
    pictures: int = Field(ge=1)
    thresholds: tuple[AtThreshold, ...] = Field(min_length=1, description="By rising score.")


class Familiarity(_Part):
    """What the pictures of a training look like to the network's first layers, as a distribution."""

    mean: tuple[float, ...] = Field(description="[D]: of each figure of a texture.")
    directions: tuple[tuple[float, ...], ...] = Field(
        description="[K, D]: along each of them the pictures of the training spread by 1."
    )
    limit: float = Field(gt=0, description="The distance from which on a picture is unlike them.")
    pictures: int = Field(ge=1)
    margin: int = Field(
        0,
        ge=0,
        description="Blocks along each edge of a picture that do not count: what lies beyond the edge shows in "
        "them, and how many they are depends on the picture's size. Older packs leave none out.",
    )


class Trust(_Part):
    """The content of `trust.json`."""

    intervals: Intervals | None = None
    familiarity: Familiarity | None = None
