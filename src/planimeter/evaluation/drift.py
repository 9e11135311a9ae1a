"""Whether a model still keeps its promise: its real error, of pictures that people reviewed while it was in use.

Two promises are watched: that an interval holds the truth as often as it states, and that errors lie inside the
limits of agreement of the model's own evaluation. A promise counts as left where so many
failures would come by chance once in a hundred times at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import comb, fsum
from typing import Literal

from planimeter.fields import FieldMean, field_mean

GROUP = 20
"""Pictures in one stretch of time, at least."""
MOST_GROUPS = 12
WATCHED = 60
"""The newest pictures, which a warning is about."""
CHANCE = 0.01
WITHIN_LIMITS = 0.95
"""How often errors lie inside the limits of agreement, as they are defined."""


@dataclass(frozen=True)
class ReviewedPicture:
    """One reviewed picture: what was measured and what is true, in percent."""

    at: datetime
    measured: float
    true: float
    interval: tuple[float, float] | None
    """None where none was stated."""

    @property
    def error(self) -> float:
        """Measured minus true, in points."""
        return self.measured - self.true

    @property
    def inside(self) -> bool:
        """Whether the truth lies inside the interval."""
        return self.interval is not None and self.interval[0] <= self.true <= self.interval[1]


@dataclass(frozen=True)
class Promise:
    """What the model's own evaluation says of its errors."""

    level: float | None
    """How often an interval holds the truth; None where there are no intervals."""
    limits: tuple[float, float] | None
    """Of agreement, in points; None where the error was never measured."""


@dataclass(frozen=True)
class Stretch:
    """The errors of some pictures."""

    first: datetime
    last: datetime
    pictures: int
    bias: FieldMean
    """Measured minus true, with its 95 % confidence interval."""
    mean_absolute_error: float
    with_interval: int
    inside: int
    """Of those, how many with the truth inside."""
    beyond_limits: int | None
    """Errors outside the limits of agreement; None where those are not known."""


@dataclass(frozen=True)
class BrokenPromise:
    """A promise that is not kept any more."""

    code: Literal["intervals_miss", "errors_beyond_limits"]
    message: str


@dataclass(frozen=True)
class Drift:
    """The real error of a model in use."""

    all: Stretch | None
    """None where nothing was reviewed."""
    stretches: Sequence[Stretch]
    """One after the other in time, the oldest first."""
    warnings: Sequence[BrokenPromise]


def watch(pictures: Sequence[ReviewedPicture], promise: Promise) -> Drift:
    """Return how a model does; `pictures` in the order of time."""
    if not pictures:
        return Drift(None, (), ())
    size = max(GROUP, -(-len(pictures) // MOST_GROUPS))
    # From the end, so that the newest stretch is a full one.
    starts = [*range(len(pictures) % size if len(pictures) >= size else 0, len(pictures), size)]
    groups = [pictures[start : start + size] for start in starts]
    if starts[0]:
        groups.insert(0, pictures[: starts[0]])
    newest = _stretch(pictures[-WATCHED:], promise)
    return Drift(
        all=_stretch(pictures, promise),
        stretches=[_stretch(group, promise) for group in groups],
        warnings=_warnings(newest, promise),
    )


def _stretch(pictures: Sequence[ReviewedPicture], promise: Promise) -> Stretch:
    errors = [entry.error for entry in pictures]
    bias = field_mean(errors)
    assert bias is not None  # noqa: S101  there is a picture
    limits = promise.limits
    return Stretch(
        first=pictures[0].at,
        last=pictures[-1].at,
        pictures=len(pictures),
        bias=bias,
        mean_absolute_error=fsum(map(abs, errors)) / len(errors),
        with_interval=sum(entry.interval is not None for entry in pictures),
        inside=sum(entry.inside for entry in pictures),
        beyond_limits=None
        if limits is None
        else sum(not limits[0] <= error <= limits[1] for error in errors),
    )


def _warnings(newest: Stretch, promise: Promise) -> list[BrokenPromise]:
    found: list[BrokenPromise] = []
    shown = newest.with_interval
    if promise.level is not None and _at_most(newest.inside, shown, promise.level) < CHANCE:
        found.append(
            BrokenPromise(
                "intervals_miss",
                f"Of the {shown} pictures with an interval that were reviewed last, {newest.inside} have the "
                f"truth inside ({100 * newest.inside / shown:.0f} %), and {100 * promise.level:.0f} % were promised: "
                "do not rely on intervals; the pictures or the model have changed, or only doubtful ones are reviewed.",
            )
        )
    if promise.limits is not None and newest.beyond_limits is not None:
        within = newest.pictures - newest.beyond_limits
        if _at_most(within, newest.pictures, WITHIN_LIMITS) < CHANCE:
            low, high = promise.limits
            found.append(
                BrokenPromise(
                    "errors_beyond_limits",
                    f"Of the {newest.pictures} pictures that were reviewed last, {newest.beyond_limits} have an "
                    f"error outside {low:+.2f} to {high:+.2f} points, where 95 % were when the model was evaluated; "
                    f"the mean error is {newest.bias.mean:+.2f} points. Train it on what was reviewed, or look what "
                    "has changed.",
                )
            )
    return found


def _at_most(count: int, of: int, level: float) -> float:
    """Return how likely at most `count` of `of` are, where each is with the chance `level`: a binomial sum."""
    return fsum(comb(of, k) * level**k * (1 - level) ** (of - k) for k in range(count + 1)) if of else 1.0
