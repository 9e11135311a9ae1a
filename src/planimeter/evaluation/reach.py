"""How far the truth of pictures lay from what was measured in them, in units of their doubt."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.agreement import found_percent
from planimeter.evaluation.comparison import Compared
from planimeter.measuring.doubt import around, doubt, shown_percents

SCORES = (0.05, *(round(0.1 * step, 1) for step in range(1, 10)), 0.95)
"""Score thresholds at which errors are known."""


def measured_and_doubts(
    compared: Sequence[Compared], classes: int, whole: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the measured percentages and their doubts, each [pictures, scores, 1 + classes].

    `whole` has the percentages of the whole pictures where `compared` are parts of them: what single pixels say is
    known of those only, see planimeter.measuring.interval.
    """
    measured = np.empty((len(compared), len(SCORES), 1 + classes))
    doubts = np.empty_like(measured)
    thresholds = sorted({value for score in SCORES for value in (score, *around(score))})
    for picture, entry in enumerate(compared):
        percents = dict(zip(thresholds, found_percent(entry, thresholds, classes), strict=True))
        for row, score in enumerate(SCORES):
            here, (looser, stricter) = percents[score], around(score)
            before = here if whole is None else whole[picture, row]
            shown = here + shown_percents(entry.candidates, before) - before
            measured[picture, row] = here
            doubts[picture, row] = doubt(here, percents[looser], percents[stricter], shown)
    return measured, doubts


def quantile(values: NDArray[np.float64], level: float) -> float:
    """Return the value that a new one of the same kind exceeds no more often than 1 - level, however they spread."""
    rank = int(np.ceil((len(values) + 1) * level))
    return float(np.sort(values)[min(rank, len(values)) - 1])


def round_up(value: float) -> float:
    """Return it with four digits, never smaller."""
    return float(np.ceil(value * 1e4) / 1e4)
