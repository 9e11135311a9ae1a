"""The real error of a model in use, as it is answered."""

from typing import Literal

from pydantic import Field

from planimeter.evaluation.drift import Drift, Promise, Stretch
from planimeter.service.api.answers.base import Answer, Moment


class StretchAnswer(Answer):
    """The errors of the pictures that were reviewed in a stretch of time."""

    first: Moment
    last: Moment = Field(description="When the first and the last of them were measured.")
    pictures: int
    bias: float = Field(description="Mean of measured minus true, in points.")
    bias_confidence_95: float | None = Field(
        description="Its 95 % confidence interval to either side; null for one."
    )
    mean_absolute_error: float
    with_interval: int = Field(description="Pictures with an interval.")
    inside: int = Field(description="Of those, how many with the truth inside.")
    beyond_limits: int | None = Field(
        description="Errors outside the limits of agreement; null where those are unknown."
    )


class DriftWarning(Answer):
    """A promise that is not kept any more."""

    code: Literal["intervals_miss", "errors_beyond_limits"]
    message: str


class DriftAnswer(Answer):
    """The real error of the version in use, of what people reviewed."""

    model: str
    version: str
    level: float | None = Field(
        description="How often an interval is to hold the truth; null without intervals."
    )
    limits_of_agreement: tuple[float, float] | None = Field(
        description="Between which 95 % of errors were when the model was evaluated, in points."
    )
    all: StretchAnswer | None = Field(description="Null where nothing was reviewed.")
    stretches: list[StretchAnswer] = Field(
        description="The oldest first; the newest ones of 20 pictures or more."
    )
    warnings: list[DriftWarning] = Field(description="Of the 60 pictures that were reviewed last.")


def drift_answer(model: str, version: str, drift: Drift, promise: Promise) -> DriftAnswer:
    """Return how a model does in use."""
    return DriftAnswer(
        model=model,
        version=version,
        level=promise.level,
        limits_of_agreement=promise.limits,
        all=None if drift.all is None else _stretch(drift.all),
        stretches=[_stretch(entry) for entry in drift.stretches],
        warnings=[DriftWarning(code=entry.code, message=entry.message) for entry in drift.warnings],
    )


def _stretch(found: Stretch) -> StretchAnswer:
    return StretchAnswer(
        first=found.first,
        last=found.last,
        pictures=found.pictures,
        bias=found.bias.mean,
        bias_confidence_95=found.bias.confidence,
        mean_absolute_error=found.mean_absolute_error,
        with_interval=found.with_interval,
        inside=found.inside,
        beyond_limits=found.beyond_limits,
    )
