"""The error of the percentage itself.

The coverage error of a picture is the measured minus the true percent masked, in percentage points; limits of
agreement are Bland and Altman's (Lancet 1986, 327:307-310), mean ± 1.96 standard deviations.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.comparison import Compared
from planimeter.masks import WindowMask, count_coverage

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


class CoverageError(BaseModel):
    """The error of the percentage over a set of pictures, in percentage points."""

    model_config = ConfigDict(frozen=True)

    bias: float = Field(description="Mean of measured minus true.")
    mean_absolute_error: float
    limits_of_agreement: tuple[float, float] = Field(description="bias ± 1.96 standard deviations: 95 %.")


def coverage_error(compared: Sequence[Compared], score_threshold: float) -> CoverageError:
    """Return the error of the percent masked at a threshold."""
    errors = np.array(
        [
            _percent(entry.found.above(score_threshold).masks, entry.size)
            - _percent(entry.picture.masks, entry.size)
            for entry in compared
        ]
    )
    bias, spread = float(errors.mean()), 1.96 * float(errors.std(ddof=1)) if len(errors) > 1 else 0.0
    return CoverageError(
        bias=bias,
        mean_absolute_error=float(np.abs(errors).mean()),
        limits_of_agreement=(bias - spread, bias + spread),
    )


def best_threshold(compared: Sequence[Compared]) -> float:
    """Return the score threshold with the smallest coverage error, |bias| + mean absolute error."""

    def cost(threshold: float) -> float:
        error = coverage_error(compared, threshold)
        return abs(error.bias) + error.mean_absolute_error

    return min(THRESHOLDS, key=cost)


def _percent(masks: Sequence[WindowMask], size: tuple[int, int]) -> float:
    return 100 * count_coverage(masks, [1] * len(masks), *size, 1).masked / (size[0] * size[1])
