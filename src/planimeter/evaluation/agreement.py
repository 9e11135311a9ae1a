"""The error of the percentage itself.

The coverage error of a picture is the measured minus the true percent masked, in percentage points; limits of
agreement are Bland and Altman's (Lancet 1986, 327:307-310), mean ± 1.96 standard deviations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.comparison import Compared
from planimeter.masks.counted import Counted
from planimeter.masks.union import cover_percents
from planimeter.measuring.candidates import Candidate

Interval = tuple[float, float]

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
RESAMPLES = 2000


class CoverageError(BaseModel):
    """The error of the percentage over a set of pictures, in percentage points."""

    model_config = ConfigDict(frozen=True)

    bias: float = Field(description="Mean of measured minus true.")
    mean_absolute_error: float
    limits_of_agreement: Interval = Field(description="bias ± 1.96 standard deviations: 95 %.")
    bias_interval: Interval | None = Field(
        None, description="95 % interval of the bias: bootstrap over pictures."
    )
    mean_absolute_error_interval: Interval | None = Field(
        None, description="95 % interval of the mean absolute error: bootstrap over pictures."
    )


@dataclass(frozen=True)
class CoverageSteps:
    """What the first 0, 1, 2, … instances by falling score cover, in pixels: exact unions at every threshold."""

    scores: NDArray[np.float64]
    """[N], falling."""
    masked: NDArray[np.int64]
    """[1 + classes, N + 1]: the union of all in row 0, that of class id i in row i."""
    counted: int
    """Pixels of the picture."""

    def percent(self, score_threshold: float) -> NDArray[np.float64]:
        """Return the percent masked by the instances of at least a score, [1 + classes]: all, then each class."""
        kept = int(np.count_nonzero(self.scores >= score_threshold))
        return 100.0 * self.masked[:, kept] / self.counted


def coverage_steps(found: Sequence[Candidate], counted: Counted, classes: int) -> CoverageSteps:
    """Add the masks one after the other, by falling score, and count what is new."""
    masked = np.zeros((1 + classes, len(found) + 1), np.int64)
    canvases = np.zeros((1 + classes, *counted.size), bool)
    for index, entry in enumerate(found):
        masked[:, index + 1] = masked[:, index]
        for row in (0, entry.label):
            here = canvases[row][entry.mask.window]
            masked[row, index + 1] += np.count_nonzero(entry.mask.pixels & ~here)
            here |= entry.mask.pixels
    scores = np.array([entry.score for entry in found], np.float64)
    return CoverageSteps(scores, masked, counted.pixels)


def found_percent(entry: Compared, thresholds: Sequence[float], classes: int) -> NDArray[np.float64]:
    """Return the measured percent masked at each score threshold, [thresholds, 1 + classes]: all, then each class."""
    if entry.in_tiles:
        rows = [_percent_of(entry.above(threshold), entry.counted, classes) for threshold in thresholds]
    else:
        steps = coverage_steps(entry.found, entry.counted, classes)
        rows = [steps.percent(threshold) for threshold in thresholds]
    return np.array(rows).reshape(-1, 1 + classes)


def true_percent(entry: Compared, classes: int) -> NDArray[np.float64]:
    """Return the true percent masked, [1 + classes]: all, then each class."""
    return cover_percents(entry.picture.masks, entry.picture.labels, entry.counted, classes)


def errors_at(compared: Sequence[Compared], thresholds: Sequence[float], classes: int) -> NDArray[np.float64]:
    """Return measured minus true percent, in points: [pictures, thresholds, 1 + classes]."""
    errors = np.empty((len(compared), len(thresholds), 1 + classes))
    for row, entry in zip(errors, compared, strict=True):
        row[:] = found_percent(entry, thresholds, classes) - true_percent(entry, classes)
    return errors


def coverage_error(compared: Sequence[Compared], score_threshold: float) -> CoverageError:
    """Return the error of the percent masked at a threshold."""
    return summarise_errors(errors_at(compared, [score_threshold], highest_class(compared))[:, 0, 0])


def summarise_errors(errors: NDArray[np.float64], *, seed: int = 0) -> CoverageError:
    """Return bias, mean absolute error and limits of the errors [pictures], with bootstrap intervals.

    The intervals are percentiles over pictures drawn with replacement (Efron 1979), always the same for a seed.
    """
    bias, spread = float(errors.mean()), 1.96 * float(errors.std(ddof=1)) if len(errors) > 1 else 0.0
    return CoverageError(
        bias=bias,
        mean_absolute_error=float(np.abs(errors).mean()),
        limits_of_agreement=(bias - spread, bias + spread),
        bias_interval=_interval(errors, seed),
        mean_absolute_error_interval=_interval(np.abs(errors), seed),
    )


def best_threshold(compared: Sequence[Compared]) -> float:
    """Return the score threshold with the smallest coverage error, |bias| + mean absolute error."""
    errors = errors_at(compared, THRESHOLDS, highest_class(compared))[:, :, 0]
    cost = np.abs(errors.mean(axis=0)) + np.abs(errors).mean(axis=0)
    return THRESHOLDS[int(cost.argmin())]


def _percent_of(found: Sequence[Candidate], counted: Counted, classes: int) -> NDArray[np.float64]:
    return cover_percents([entry.mask for entry in found], [entry.label for entry in found], counted, classes)


def _interval(values: NDArray[np.float64], seed: int) -> Interval | None:
    if len(values) < 2:
        return None
    chooser = np.random.default_rng(seed)
    means = np.array(
        [values[chooser.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def highest_class(compared: Sequence[Compared]) -> int:
    """Return the highest class id there is: enough for what is counted over all classes together."""
    return max(
        (
            label
            for entry in compared
            for label in (*entry.picture.labels, *(found.label for found in entry.found))
        ),
        default=0,
    )
