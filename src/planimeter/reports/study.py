"""One model on one set of labelled pictures, with all that a report says of it: the content of `metrics.json`."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.calibration import Setting
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.matching import Confusion
from planimeter.evaluation.metrics import Metrics
from planimeter.labels.census import SIZE_EDGES
from planimeter.packs.manifest import PackClass, Thresholds
from planimeter.reports.machine import Machine


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Model(_Part):
    """The model that was evaluated, and how it was run."""

    name: str
    version: str
    title: str
    classes: tuple[PackClass, ...]
    backbone: str
    sha256: str
    size_bytes: int = Field(description="Of the file of the network.")
    thresholds: Thresholds
    runtime: str
    precision: str
    device: str


class ClassCount(_Part):
    """How much of one class there is."""

    name: str
    instances: int
    pictures: int
    median_size: float = Field(description="Median of the square root of the area, in pixels.")
    histogram: tuple[int, ...] = Field(description=f"Instances by that size; bins meet at {SIZE_EDGES}.")


class Data(_Part):
    """What was understood of labelled pictures, and what is doubtful or broken in them."""

    name: str
    format: str
    pictures: int
    empty: int
    instances: int
    sizes: tuple[str, ...] = Field(description="The most frequent picture sizes, as text.")
    classes: tuple[ClassCount, ...]
    findings: tuple[str, ...] = ()


class Curve(_Part):
    """Figures at every score threshold."""

    score_thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    bias: tuple[float, ...]
    mean_absolute_error: tuple[float, ...]

    @property
    def best_f1(self) -> float:
        """The score threshold of the highest F1."""
        return self.score_thresholds[int(np.argmax(self.f1))]


class PictureRow(_Part):
    """One picture: percent masked in all and by class, and counts."""

    name: str
    width: int
    height: int
    true_percent: float
    measured_percent: float
    true_by_class: tuple[float, ...]
    measured_by_class: tuple[float, ...]
    interval: tuple[float, float] | None = Field(
        None, description="Around measured_percent; null where withheld."
    )
    true_instances: int
    found_instances: int
    matched_instances: int

    @property
    def error(self) -> float:
        """Measured minus true, in percentage points."""
        return self.measured_percent - self.true_percent


class Latency(_Part):
    """Milliseconds a picture, from pixels to masks: no decoding, drawing or files."""

    pictures: int
    network_p50: float
    network_p95: float
    total_p50: float
    total_p95: float


class Study(_Part):
    """An evaluation, complete."""

    created_at: datetime
    part: str = Field(description="What the pictures are to the model: test, or validation.")
    model: Model
    data: Data
    metrics: Metrics
    curve: Curve
    confusion: Confusion
    uncalibrated: Setting | None = Field(
        None, description="The same pictures at 0.5 and 0.5, where those differ."
    )
    pictures: tuple[PictureRow, ...]
    latency: Latency
    machine: Machine


@dataclass(frozen=True)
class Evaluated:
    """A study, and the pictures that it is of."""

    study: Study
    compared: list[Compared]
