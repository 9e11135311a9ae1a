"""What the mean of several pictures is worth, as ASTM E562 computes it for fields of a specimen.

The mean of the fields, their standard deviation s, the 95 % confidence interval t s / √n with Student's t, and the
relative accuracy, 100 times that over the mean. It tells how far the mean of all possible fields may be from that
of these, not how wrong each percentage is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import atan, cos, fsum, pi, sin, sqrt, tan
from statistics import NormalDist

LEVEL = 0.95
_EXACT_UP_TO = 200
"""Degrees of freedom; beyond, the series of the quantile is exact to ten digits and quicker."""


@dataclass(frozen=True)
class FieldMean:
    """The mean of n fields."""

    n: int
    mean: float
    standard_deviation: float | None
    """Of the sample, with n - 1; None for one field."""
    confidence: float | None
    """Half the width of the 95 % confidence interval; None for one field."""

    @property
    def relative_accuracy(self) -> float | None:
        """The confidence interval in percent of the mean; None without one, and where the mean is 0."""
        return None if self.confidence is None or not self.mean else 100 * self.confidence / self.mean


def field_mean(values: Sequence[float]) -> FieldMean | None:
    """Return the mean of fields; None where there are none."""
    n = len(values)
    if not n:
        return None
    # The rounding of a mean must not leave the range of what it is the mean of.
    mean = min(max(fsum(values) / n, min(values)), max(values))
    if n == 1:
        return FieldMean(1, mean, None, None)
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / (n - 1))
    return FieldMean(n, mean, deviation, half_width(deviation, n))


def half_width(deviation: float, n: int) -> float:
    """Return t s / √n for n fields, at least 2."""
    return student_t(n - 1) * deviation / sqrt(n)


def fields_needed(deviation: float, reach: float) -> int:
    """Return the least number of fields whose confidence interval is at most ± `reach`, above 0.

    As n = (t s / reach)² with the t of n itself, as if further fields vary like those that are there.
    """
    high = 2
    while half_width(deviation, high) > reach:
        high *= 2
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if half_width(deviation, middle) > reach else (low, middle)
    return max(2, high)


@lru_cache(maxsize=4096)
def student_t(freedom: int, level: float = LEVEL) -> float:
    """Return Student's t for `freedom` degrees of freedom: between -t and t lie `level` of all."""
    if freedom > _EXACT_UP_TO:
        return _expanded(freedom, level)
    low, high = 0.0, tan(pi / 2 * level)  # that of one degree of freedom, the largest
    for _ in range(200):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if _between(middle, freedom) < level else (low, middle)
    return high


def _between(t: float, freedom: int) -> float:
    """Return how much lies between -t and t: Abramowitz and Stegun, 26.7.3 and 26.7.4, exact finite sums."""
    angle = atan(t / sqrt(freedom))
    square = cos(angle) ** 2
    odd = freedom % 2
    term = total = cos(angle) if odd else 1.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= square * (step - 1) / step
        total += term
    if not odd:
        return sin(angle) * total
    return 2 / pi * (angle + (sin(angle) * total if freedom > 1 else 0.0))


def _expanded(freedom: int, level: float) -> float:
    """Return the quantile by its expansion around the normal one: Abramowitz and Stegun, 26.7.5."""
    x: float = NormalDist().inv_cdf((1 + level) / 2)
    powers = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + fsum(power / freedom**order for order, power in enumerate(powers, 1))
