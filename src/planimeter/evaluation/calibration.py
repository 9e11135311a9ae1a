"""Choosing the thresholds that make the percentage right, on pictures that were not learnt from.

**Objective.** Of all pairs of a score and a mask threshold, the smallest |bias| + mean absolute error of the percent
masked: a percentage should be neither off on average nor in the single picture. A guard keeps instances honest: a
pair whose F1 at IoU 0.5 lies more than `F1_LOSS` below the best one's, and below that at the defaults, is out, since a
percentage can also come right because what is invented makes up for what is missed.

**Noise.** The minimum over 171 pairs on a few dozen pictures is partly luck. So all pairs count as equally good
whose cost exceeds the smallest by no more than one standard error of that difference (Breiman et al. 1984, the
one-standard-error rule; here paired, by bootstrap over pictures), and among those the one nearest to the defaults is
taken: the flat part of the valley, not its lowest pebble. Where areas allow, objects decide: of the pairs as good
that cost at most a twentieth more than that one, those count whose F1 is, in the same way, as good as the highest, and
again the nearest is taken. With fewer than `LEAST_PICTURES` pictures the defaults stay.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.agreement import THRESHOLDS, errors_at, highest_class
from planimeter.evaluation.comparison import Compared, with_mask_threshold
from planimeter.evaluation.matching import count_hits, match, rates

MASK_THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(9))
DEFAULT = 0.5
"""Of both thresholds."""
F1_LOSS = 0.05
COST_OF_OBJECTS = 1.05
"""Times the cost of the pair nearest to the defaults: what a pair with a higher F1 may cost."""
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
    tried = _try_all(compared, scores)
    table = tried.table
    before = next(entry for entry in table if (entry.score, entry.mask) == (DEFAULT, DEFAULT))
    # The defaults always pass the guard: else a calibration could make the percentage worse than doing nothing.
    least_f1 = min(max(entry.f1 for entry in table) - F1_LOSS, before.f1)
    allowed = [
        index
        for index, entry in enumerate(table)
        if score_threshold in (None, entry.score) and entry.f1 >= least_f1
    ] or [index for index, entry in enumerate(table) if entry.score == score_threshold]
    lowest = min(allowed, key=lambda index: (table[index].cost, _distance(table[index])))
    after = _nearest(table, allowed)
    if len(compared) >= LEAST_PICTURES:
        noise = _cost_noise(tried.errors, lowest)
        equal = [index for index in allowed if table[index].cost - table[lowest].cost <= noise[index]]
        most = COST_OF_OBJECTS * _nearest(table, equal).cost
        cheap = [index for index in equal if table[index].cost <= most]
        best = max(cheap, key=lambda index: (table[index].f1, -_distance(table[index])))
        noise = _f1_noise(tried, best)
        after = _nearest(
            table, [index for index in cheap if table[best].f1 - table[index].f1 <= noise[index]]
        )
    return Calibration(
        score=after.score,
        mask=after.mask,
        pictures=len(compared),
        before=before,
        after=after,
        lowest=table[lowest],
        table=tuple(table),
    )


class _Tried(NamedTuple):
    """All pairs, and what each gave in each picture."""

    table: list[Setting]
    errors: NDArray[np.float64]
    """Of the percentage, [pictures, pairs]."""
    hits: NDArray[np.int64]
    """Instances with a partner, [pictures, pairs]."""
    found: NDArray[np.int64]
    true: NDArray[np.int64]
    """[pictures]"""


def _try_all(compared: Sequence[Compared], scores: Sequence[float]) -> _Tried:
    """Return all pairs, and the error and the hits of each picture at each of them."""
    table: list[Setting] = []
    errors_of, counts_of = [], []
    true = np.array([len(entry.picture.labels) for entry in compared])
    for mask in MASK_THRESHOLDS:
        again = with_mask_threshold(compared, mask)
        errors = errors_at(again, scores, highest_class(again))[:, :, 0]
        counts = count_hits(again, [match(entry) for entry in again], scores)
        errors_of.append(errors)
        counts_of.append(counts)
        for index, score in enumerate(scores):
            hits, found = counts[:, index].sum(axis=0).tolist()
            table.append(
                Setting(
                    score=score,
                    mask=mask,
                    bias=float(errors[:, index].mean()),
                    mean_absolute_error=float(np.abs(errors[:, index]).mean()),
                    f1=rates(hits, found, int(true.sum()))[2],
                )
            )
    together = np.concatenate(counts_of, axis=1)
    return _Tried(table, np.concatenate(errors_of, axis=1), together[..., 0], together[..., 1], true)


def _resampled(pictures: int) -> NDArray[np.float64]:
    """Return how much each picture weighs in each sample of the bootstrap: [samples, pictures]."""
    return np.random.default_rng(0).multinomial(pictures, [1 / pictures] * pictures, _RESAMPLES) / pictures


def _cost_noise(errors: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    """Return the standard error of each pair's cost above that of the reference: [pairs]."""
    weights = _resampled(len(errors))
    costs = np.abs(weights @ errors) + weights @ np.abs(errors)
    spread: NDArray[np.float64] = (costs - costs[:, [reference]]).std(axis=0)
    return spread


def _f1_noise(tried: _Tried, reference: int) -> NDArray[np.float64]:
    """Return the standard error of each pair's F1 below that of the reference: [pairs]."""
    weights = _resampled(len(tried.true))
    both = weights @ tried.found + (weights @ tried.true)[:, None]
    f1 = np.divide(2 * weights @ tried.hits, both, out=np.ones_like(both), where=both > 0)
    spread: NDArray[np.float64] = (f1 - f1[:, [reference]]).std(axis=0)
    return spread


def _nearest(table: Sequence[Setting], among: Sequence[int]) -> Setting:
    """Return the pair that lies nearest to the defaults, of two the one of lower cost."""
    return min((table[index] for index in among), key=lambda entry: (_distance(entry), entry.cost))


def _distance(setting: Setting) -> float:
    return round(abs(setting.score - DEFAULT) + abs(setting.mask - DEFAULT), 6)
