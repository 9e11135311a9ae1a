"""What is to be trained: the pack, and the whole job. Without PyTorch, which help and options do not need."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import Field, model_validator

from planimeter.evaluation import Metrics
from planimeter.packs.manifest import NAME_PATTERN, Backbone
from planimeter.packs.pack import bundled_names
from planimeter.packs.packing import NewPack
from planimeter.scale import GivenScale
from planimeter.training.recipe import Recipe, Status

WORK_FOLDER = Path("planimeter-data/training")
"""Holds a folder for each model that is trained, unless another is named."""
IMAGENET, SCRATCH = "imagenet", "none"


class PackPlan(NewPack, GivenScale):
    """What the pack will be called, its network, and the size at which that sees a picture."""

    name: str = Field("mine", pattern=NAME_PATTERN, description="Name of the new model.")
    instead_of_bundled: bool = Field(
        default=False,
        description="Let the new model have the name of one that comes with Planimeter, and answer in its place.",
    )
    start_from: str | None = Field(
        None,
        description="Name or folder of a model to start from, instead of ImageNet; what is not given below is its.",
    )
    architecture: Backbone | None = Field(
        None,
        description="Backbone of the network; efficientnet_lite0 unless given: small, and quick without a GPU.",
    )
    fpn_channels: int | None = Field(
        None, ge=32, description="Channels of the feature pyramid; 96 unless given."
    )
    box_features: int | None = Field(None, ge=32, description="Width of the box head; 256 unless given.")
    mask_channels: int | None = Field(None, ge=16, description="Channels of the mask head; 64 unless given.")
    mask_convolutions: int | None = Field(
        None, ge=1, le=16, description="Convolutions of the mask head; 3 unless given."
    )
    pixel_channels: int | None = Field(
        None,
        ge=0,
        description="Channels of the branch that says what each pixel shows, and sharpens the masks; 96 unless given, "
        "0 for none.",
    )
    proposals: int | None = Field(
        None,
        ge=1,
        description="Boxes that are looked at closely in each picture, and more in larger ones; unless given 300, "
        "200 where no training picture holds more than 20 objects, 1000 where one holds more than 60.",
    )
    light: bool | None = Field(
        None,
        description="Separable convolutions in the pyramid and the heads, which are quicker; so unless given.",
    )
    shortest_edge: int | None = Field(
        None,
        ge=64,
        le=2048,
        description="Shorter side of a picture in the network, in pixels; 512 unless given.",
    )
    longest_edge: int | None = Field(
        None, ge=64, le=4096, description="Longer side at most, in pixels; 1408 unless given."
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=16,
        description="Scale of every picture in the network instead of those edges: where all come from one camera.",
    )
    least_scale: float | None = Field(
        None,
        ge=0,
        description="Pictures that would be scaled further down are measured in tiles; unless given, the smallest "
        "scale among the training pictures.",
    )
    tile_scale: float | None = Field(
        None,
        gt=0,
        description="Scale of those tiles; unless given, the median scale of the training pictures.",
    )
    tile: int | None = Field(
        None,
        ge=256,
        le=8192,
        description="Side of those tiles in the network, in pixels; unless given, 1024 with --mosaic, else a quarter "
        "more than the longest side of any training picture there, between 320 and 1024.",
    )

    @model_validator(mode="after")
    def _replaces_on_purpose(self) -> "PackPlan":
        if self.name in bundled_names() and not self.instead_of_bundled:
            raise ValueError(
                f"{self.name} is the name of a model that comes with Planimeter, and requests that name it would get "
                "yours; give yours another --name, or let it take that place with --instead-of-bundled"
            )
        return self


@dataclass(frozen=True)
class Review:
    """Where the labels of a picture come from: a measurement that people reviewed, after so many corrections."""

    measurement: str
    corrections: int


@dataclass(frozen=True)
class Job:
    """What to train, on what, and how."""

    data: Path
    plan: PackPlan
    recipe: Recipe
    work_folder: Path
    images: Path | None = None
    validation: Path | None = None
    validation_images: Path | None = None
    leave_out_broken: bool = False
    """Whether broken objects and pictures are left out, where training would otherwise not begin."""
    backbone_weights: str = IMAGENET
    """`IMAGENET` for published weights, `SCRATCH` for none, else the path of a file of weights."""
    cpu_only: bool = False
    pictures: bool = True
    """Whether the report shows pictures."""
    reviewed: Mapping[str, Review] = field(default_factory=dict)
    """By the names of pictures, where people reviewed them in a service."""


class Watcher(Protocol):
    """Who follows a training, and may stop it."""

    stopping: threading.Event
    """Once set, training saves where it stands and raises `Stopped`."""

    def say(self, line: str) -> None:
        """Tell a person what happens."""

    def begin(self, task: str) -> None:
        """Begin to train a model; `task` says which, where there are several."""

    def step(self, status: Status) -> None:
        """Note a step."""

    def validation(self, status: Status, metrics: Metrics) -> None:
        """Note the figures of a validation."""


class Stopped(Exception):
    """Training was asked to stop, and has saved where it stands."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step
