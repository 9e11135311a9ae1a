"""How many percentages are spread: five numbers, outliers, a histogram."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Percents = NDArray[np.float64]

TUKEY = 1.5
"""Tukey (1977), Exploratory Data Analysis: outside are values this many times the quartiles' distance away."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Distribution:
    """Five numbers, the mean and the count; quartiles as NumPy's default (linear) interpolates them."""

    count: int
    mean: float
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float

    @property
    def fences(self) -> tuple[float, float]:
        """Tukey's fences: what lies outside is an outlier. The quartiles ∓ 1.5 times their distance."""
        reach = TUKEY * (self.upper_quartile - self.lower_quartile)
        return self.lower_quartile - reach, self.upper_quartile + reach


def distribution(values: Percents) -> Distribution | None:
    """Return how `values` are spread; None where there are none."""
    if not len(values):
        return None
    least, lower, median, upper, most = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    # The rounding of a mean must not leave the range of what it is the mean of.
    mean = min(max(float(values.mean()), least), most)
    return Distribution(len(values), mean, least, lower, median, upper, most)


def distribution_of_runs(runs: Sequence[Percents]) -> Distribution | None:
    """Return the same of values in pieces, each of which rises."""
    found = [run for run in runs if len(run)]
    if not found:
        return None
    values = np.concatenate(found)
    mean, count = float(values.mean()), len(values)
    places = [part * (count - 1) for part in (0.25, 0.5, 0.75)]
    around = sorted({int(place) + more for place in places for more in (0, 1) if int(place) + more < count})
    values.partition(around)
    lower, median, upper = (_between(values, place) for place in places)
    least, most = min(float(run[0]) for run in found), max(float(run[-1]) for run in found)
    return Distribution(count, min(max(mean, least), most), least, lower, median, upper, most)


def _between(values: Percents, place: float) -> float:
    """Return what is at a place between two values, which are in their places; to the bit as NumPy has it."""
    below = float(values[int(place)])
    above = float(values[min(int(place) + 1, len(values) - 1)])
    part, step = place - int(place), above - below
    return below + step * part if part < 0.5 else above - step * (1 - part)


def outliers(values: Percents) -> NDArray[np.intp]:
    """Return the indices of the values outside Tukey's fences, the farthest first."""
    spread = distribution(values)
    if spread is None:
        return np.zeros(0, np.intp)
    low, high = spread.fences
    beyond = np.maximum(low - values, values - high)
    found = np.nonzero(beyond > 0)[0]
    return found[np.argsort(-beyond[found], kind="stable")]


def histogram(values: Percents, bins: int = 20) -> tuple[list[float], list[int]]:
    """Return edges and counts of at most `bins` bins of a round width, which begin at 0 and hold every value.

    A value on an edge belongs to the bin above it, the last edge to the last bin.
    """
    return histogram_of_runs([np.sort(values)], bins)


def histogram_of_runs(runs: Sequence[Percents], bins: int = 20) -> tuple[list[float], list[int]]:
    """Return the same of values in pieces, each of which rises."""
    most = max((float(run[-1]) for run in runs if len(run)), default=0.0)
    width = round_step(max(most, 0.01) / bins)
    edges = np.arange(max(1, int(np.ceil(most / width - 1e-9))) + 1) * width
    counts = np.zeros(len(edges) - 1, np.int64)
    for run in runs:
        counts += np.diff([0, *np.searchsorted(run, edges[1:-1]), len(run)])
    return [round(float(edge), 6) for edge in edges], counts.tolist()


def round_step(least: float) -> float:
    """Return the smallest of … 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10 … that is at least `least`."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9)))
