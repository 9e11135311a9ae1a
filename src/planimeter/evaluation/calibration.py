"""Choosing the thresholds that make the percentage right, on pictures that were not learnt from.

**Objective.** Of all pairs of a score and a mask threshold, the smallest |bias| + mean absolute error of the percent
masked: a percentage should be neither off on average nor in the single picture. A guard keeps instances honest: a
pair whose F1 at IoU 0.5 lies more than `F1_LOSS` below the best one's, and below that at the defaults, is out, since a
percentage can also come right because what is invented makes up for what is missed.

**Noise.** The minimum over 171 pairs on a few dozen pictures is partly luck. So all pairs count as equally good
whose cost exceeds the smallest by no more than one standard error of that difference (Breiman et al. 1984, the
one-standard-error rule; here paired, by bootstrap over pictures), and among those the one nearest to the defaults is
taken: the flat part of the valley, not its lowest pebble. With fewer than `LEAST_PICTURES` pictures the defaults stay.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.agreement import THRESHOLDS, errors_at, highest_class
from planimeter.evaluation.comparison import Compared, with_mask_threshold
from planimeter.evaluation.matching import match, precision_recall

MASK_THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(9))
DEFAULT = 0.5
"""Of both thresholds."""
F1_LOSS = 0.05
LEAST_PICTURES = 10
_RESAMPLES = 1000


class Setting(BaseModel):
    """A pair of thresholds, and what comes of it on the pictures of the calibration."""

    model_config = ConfigDict(frozen=True)

    score: float
    mask: float
    bias: float
    mean_absolute_error: float
    f1: float

    @property
    def cost(self) -> float:
        """What is made small, in percentage points."""
        return abs(self.bias) + self.mean_absolute_error


class Calibration(BaseModel):
    """The thresholds chosen, and why."""

    model_config = ConfigDict(frozen=True)

    score: float = Field(description="Chosen score threshold.")
    mask: float = Field(description="Chosen mask threshold: the probability from which a pixel is masked.")
    pictures: int
    before: Setting = Field(description="At the defaults, 0.5 and 0.5.")
    after: Setting = Field(description="At the chosen pair.")
    lowest: Setting = Field(
        description="At the pair of lowest cost; the chosen one is as good but for noise."
    )
    table: tuple[Setting, ...] = Field(description="All pairs that were tried.")


def calibrate(compared: Sequence[Compared], *, score_threshold: float | None = None) -> Calibration:
    """Choose both thresholds on pictures that `compare` returned; the network does not run again.

    `score_threshold` is given where it is not to be chosen: then only the mask threshold is.
    """
    scores = THRESHOLDS if score_threshold is None else tuple(dict.fromkeys((score_threshold, DEFAULT)))
    table, errors = _try_all(compared, scores)
    before = next(entry for entry in table if (entry.score, entry.mask) == (DEFAULT, DEFAULT))
    # The defaults always pass the guard: else a calibration could make the percentage worse than doing nothing.
    least_f1 = min(max(entry.f1 for entry in table) - F1_LOSS, before.f1)
    allowed = [
        index
        for index, entry in enumerate(table)
        if score_threshold in (None, entry.score) and entry.f1 >= least_f1
    ] or [index for index, entry in enumerate(table) if entry.score == score_threshold]
    lowest = min(allowed, key=lambda index: (table[index].cost, _distance(table[index])))
    equal = allowed
    if len(compared) >= LEAST_PICTURES:
        noise = _noise(errors, lowest)
        equal = [index for index in allowed if table[index].cost - table[lowest].cost <= noise[index]]
    after = min((table[index] for index in equal), key=lambda entry: (_distance(entry), entry.cost))
    return Calibration(
        score=after.score,
        mask=after.mask,
        pictures=len(compared),
        before=before,
        after=after,
        lowest=table[lowest],
        table=tuple(table),
    )


def _try_all(
    compared: Sequence[Compared], scores: Sequence[float]
) -> tuple[list[Setting], NDArray[np.float64]]:
    """Return all pairs, and the error of each picture at each of them, [pictures, pairs]."""
    table: list[Setting] = []
    columns = []
    for mask in MASK_THRESHOLDS:
        again = with_mask_threshold(compared, mask)
        errors = errors_at(again, scores, highest_class(again))[:, :, 0]
        f1 = precision_recall(again, [match(entry) for entry in again], scores)[:, 2]
        columns.append(errors)
        table += [
            Setting(
                score=score,
                mask=mask,
                bias=float(errors[:, index].mean()),
                mean_absolute_error=float(np.abs(errors[:, index]).mean()),
                f1=float(f1[index]),
            )
            for index, score in enumerate(scores)
        ]
    return table, np.concatenate(columns, axis=1)


def _noise(errors: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    """Return the standard error of each pair's cost above that of the reference: [pairs]."""
    pictures = len(errors)
    weights = np.random.default_rng(0).multinomial(pictures, [1 / pictures] * pictures, _RESAMPLES) / pictures
    costs = np.abs(weights @ errors) + weights @ np.abs(errors)
    spread: NDArray[np.float64] = (costs - costs[:, [reference]]).std(axis=0)
    return spread


def _distance(setting: Setting) -> float:
    return round(abs(setting.score - DEFAULT) + abs(setting.mask - DEFAULT), 6)
