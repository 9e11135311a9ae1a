"""Rules: what a figure of a measurement is allowed to be. Whether it is so is decided here, and nowhere else.

A figure passes at its limit: `at_most` is ≤, `at_least` is ≥. `store.sums` says the same in SQL, and a test compares
the two; pages ask the service and decide nothing.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planimeter.numbers import write_figures
from planimeter.scale import METRES, Unit, symbol_of

Verdict = Literal["pass", "fail", "undecided"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
Figure = Literal["percent_masked", "count", "largest_area", "largest_feret_diameter", "instances_per_mm2"]
FIGURES: tuple[Figure, ...] = get_args(Figure)
TITLES: dict[Figure, str] = {
    "percent_masked": "percent masked",
    "count": "instances",
    "largest_area": "largest area",
    "largest_feret_diameter": "longest diameter",
    "instances_per_mm2": "instances per mm²",
}
IN_UNITS: frozenset[Figure] = frozenset({"largest_area", "largest_feret_diameter"})
"""Figures that can be asked for in a unit; without one they are in pixels."""
MOST_RULES = 50
_NOISE = 1e-9
"""By which share two limits in different units may differ and still be equal."""
Span = tuple[float, float]
"""Between which values the truth is thought to lie, both included."""


class Rule(BaseModel):
    """A limit for one figure: `at_most` (≤) or `at_least` (≥)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    figure: Figure = Field(
        description="percent_masked; count, of instances; largest_area and largest_feret_diameter (the longest "
        "diameter) of the instance in which it is largest, 0 where nothing is found; instances_per_mm2."
    )
    class_name: str | None = Field(
        None, alias="class", min_length=1, max_length=200, description="Of this class; null for all of them."
    )
    unit: Unit | None = Field(
        None, description="Of a length, or its square of an area; null for pixels. Other figures have none."
    )
    at_most: float | None = Field(None, ge=0, le=1e15, allow_inf_nan=False, strict=True)
    at_least: float | None = Field(None, ge=0, le=1e15, allow_inf_nan=False, strict=True)

    @model_validator(mode="after")
    def _has_one_limit(self) -> "Rule":
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("a rule has one limit, at_most or at_least")
        if self.figure == "percent_masked" and self.limit > 100:
            raise ValueError(f"the limit of percent_masked is {self.limit:g}; a percentage is at most 100")
        if self.unit is not None and self.figure not in IN_UNITS:
            raise ValueError(
                f"unit is {self.unit!r}, and {self.figure} has none; {' and '.join(sorted(IN_UNITS))} have"
            )
        return self

    @property
    def limit(self) -> float:
        """The limit, on whichever side."""
        return (self.at_least if self.at_most is None else self.at_most) or 0.0

    @property
    def greatest(self) -> float:
        """The largest value that the figure can have."""
        return 100.0 if self.figure == "percent_masked" else inf

    @property
    def symbol(self) -> str:
        """The unit of the figure as people write it."""
        if self.figure == "percent_masked":
            return "%"
        if self.figure not in IN_UNITS:
            return ""
        symbol = "px" if self.unit is None else symbol_of(self.unit)
        return f"{symbol}²" if self.figure == "largest_area" and self.unit is not None else symbol

    @property
    def factor(self) -> float:
        """What a value is multiplied with to be in metres, or square metres; 1 where it has no unit."""
        metres = 1.0 if self.unit is None else METRES[self.unit]
        return metres**2 if self.figure == "largest_area" else metres

    @property
    def words(self) -> str:
        """The rule for people: percent masked of scratches ≤ 5 %."""
        of = f" of {self.class_name}" if self.class_name else ""
        side = "≥" if self.at_most is None else "≤"
        return f"{TITLES[self.figure]}{of} {side} {write_figures(self.limit, 12)} {self.symbol}".strip()


def decide(
    value: float | None, span: Span | None, *, at_most: float | None = None, at_least: float | None = None
) -> Verdict:
    """Return whether a value keeps a limit; undecided where the truth may lie on either side of it.

    Without a `span` the value decides alone. A value that there is not decides nothing.
    """
    if value is None:
        return "undecided"
    low, high = (value, value) if span is None else span
    if at_most is not None:
        return "pass" if high <= at_most else "fail" if low > at_most else "undecided"
    if at_least is not None:
        return "pass" if low >= at_least else "fail" if high < at_least else "undecided"
    raise ValueError("there is no limit to decide by")


def contradiction(rules: Sequence[Rule]) -> tuple[Rule, Rule] | None:
    """Return two rules of one figure that no value keeps both of, like at most 1 and at least 2; None without such."""
    for one in rules:
        for other in rules:
            alike = (one.figure, one.class_name) == (other.figure, other.class_name)
            known = (one.unit is None) == (other.unit is None)  # else nobody knows before there is a picture
            if alike and known and one.at_most is not None and other.at_least is not None:
                most, least = (rule.limit * rule.factor for rule in (one, other))
                if least > most * (1 + _NOISE):
                    return one, other
    return None


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return that of several rules together: fail before undecided before pass; None of none."""
    found = set(verdicts)
    return next((verdict for verdict in ("fail", "undecided", "pass") if verdict in found), None)
