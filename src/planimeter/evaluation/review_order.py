"""Which measurements are worth a look first: those that are likely wrong, or that a model learns most from.

A verdict that is undecided comes first, then pictures unlike those of the training, those on which two models that see
the same disagree, and the widest intervals.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias, get_args

Reason: TypeAlias = Literal["undecided", "unlike_training", "models_disagree", "wide_interval"]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""The most urgent first."""
APART = 5.0
"""Percentage points from which on two models disagree where neither has an interval."""
WIDEST = 0.1
"""The share of a model's pictures whose intervals are called wide."""
LEAST_WIDE = 1.0
"""Points, below which no interval is."""


@dataclass(frozen=True)
class Waiting:
    """A measurement that nobody has reviewed."""

    id: str
    sha256: str
    """Of the picture."""
    model: str
    model_sha256: str
    percent: float
    low: float | None
    high: float | None
    """Between these the truth is thought to lie; all from 0 to 100 for a picture unlike those of the training."""
    verdict: str | None

    @property
    def unlike(self) -> bool:
        """Whether the picture is unlike those of the training."""
        return (self.low, self.high) == (0.0, 100.0)

    @property
    def width(self) -> float:
        """The width of the interval, 0 where there is none to speak of."""
        return 0.0 if self.low is None or self.high is None or self.unlike else self.high - self.low

    def disagrees(self, other: "Waiting") -> bool:
        """Whether another model measured the same picture so differently that one must be wrong."""
        if self.width and other.width:
            assert self.low is not None  # noqa: S101  it has a width
            assert other.low is not None  # noqa: S101
            return self.low + self.width < other.low or other.low + other.width < self.low
        return abs(self.percent - other.percent) > APART


@dataclass(frozen=True)
class Doubtful:
    """A measurement that is worth a look, and why."""

    waiting: Waiting
    reasons: tuple[Reason, ...]
    """The most urgent first."""


def worth_a_look(waiting: Sequence[Waiting], seen: Mapping[str, str] | None = None) -> list[Doubtful]:
    """Return those that are worth a look, the most urgent first; `waiting` the newest first.

    Of a picture that was measured several times, the newest measurement stands for all. `seen` says by the name of a
    model what it sees: models that see the same are compared as the versions of one model are.
    """
    apart = _disagreeing(waiting, seen or {})
    wide = _widest(waiting)
    found: list[tuple[int, float, Doubtful]] = []
    for entry in _newest(waiting):
        reasons = tuple(_reasons(entry, apart, wide))
        if reasons:
            found.append((REASONS.index(reasons[0]), -entry.width, Doubtful(entry, reasons)))
    return [doubtful for _, _, doubtful in sorted(found, key=lambda each: each[:2])]


def by_chance(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Return pictures in an order that has nothing to do with what they show: the first ones are a fair sample of all.

    It follows from the picture alone, so that asking again goes on where one was.
    """
    return sorted(_newest(waiting), key=lambda entry: sha256(f"sample {entry.sha256}".encode()).digest())


def _reasons(entry: Waiting, apart: set[str], wide: dict[str, float]) -> Iterator[Reason]:
    if entry.verdict == "undecided":
        yield "undecided"
    if entry.unlike:
        yield "unlike_training"
    if entry.sha256 in apart:
        yield "models_disagree"
    if entry.width >= wide[entry.model_sha256]:
        yield "wide_interval"


def _newest(waiting: Sequence[Waiting]) -> list[Waiting]:
    return [*{entry.sha256: entry for entry in reversed(waiting)}.values()][::-1]


def _disagreeing(waiting: Sequence[Waiting], seen: Mapping[str, str]) -> set[str]:
    """Return the pictures on which two that see the same disagree; each version by what it measured last."""
    versions: dict[tuple[str, str], dict[tuple[str, str], Waiting]] = defaultdict(dict)
    for entry in waiting:
        sees = seen.get(entry.model, entry.model)
        versions[entry.sha256, sees].setdefault((entry.model, entry.model_sha256), entry)
    return {
        picture
        for (picture, _), found in versions.items()
        if len(found) > 1 and any(one.disagrees(other) for one in found.values() for other in found.values())
    }


def _widest(waiting: Sequence[Waiting]) -> dict[str, float]:
    """Return for each version of a model from which width on its intervals are wide."""
    widths: dict[str, list[float]] = defaultdict(list)
    for entry in waiting:
        widths[entry.model_sha256].append(entry.width)
    limits = {}
    for model, found in widths.items():
        known = sorted(filter(None, found), reverse=True)
        limits[model] = max(LEAST_WIDE, known[int(WIDEST * len(known))] if known else 0.0)
    return limits
