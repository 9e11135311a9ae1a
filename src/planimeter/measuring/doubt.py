"""How doubtful a picture is by its own showing: what the width of its interval is measured in.

Two things make a percentage doubtful before anybody knows the truth: objects that nearly count or only just do, and a
disagreement between the masks and what the network says of single pixels. Besides, errors of a share spread as
sqrt(p (100 - p)), as counts do. The geometric mean of both was chosen on the validation pictures of the bundled models
among sums, powers and fitted regressions of these and other parts (docs/accuracy.md).
"""

import numpy as np
from numpy.typing import NDArray

from planimeter.measuring.candidates import Candidates

Percents = NDArray[np.float64]
"""[1 + classes]: of the union of all classes, then of each class."""
_LEAST_SPREAD, _LEAST_DOUBT = 0.1, 0.2
"""Percentage points: no picture is beyond doubt."""


def around(score_threshold: float) -> tuple[float, float]:
    """Return the looser and the stricter score threshold that tell which objects nearly count, or only just do."""
    return score_threshold / 2, (1 + score_threshold) / 2


def doubt(measured: Percents, looser: Percents, stricter: Percents, shown: Percents) -> Percents:
    """Return the doubt of each percentage in points, never zero.

    All are percentages: `measured`, what the thresholds of `around` give, and what the network's pixels alone would
    say; that is `measured` again where it says nothing of pixels.
    """
    spread = np.sqrt(np.clip(measured * (100 - measured), 0, None)) / 10
    parts = np.abs(looser - measured) + np.abs(measured - stricter) + np.abs(shown - measured)
    doubts: Percents = np.sqrt((spread + _LEAST_SPREAD) * (parts + _LEAST_DOUBT))
    return doubts


def shown_percents(candidates: Candidates, measured: Percents) -> Percents:
    """Return what the network's pixels alone say, or `measured` where it says nothing of them."""
    return measured if candidates.shown is None else np.asarray(candidates.shown)
