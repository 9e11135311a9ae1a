"""Intervals for the true percentage: made from pictures whose truth is known, and tried on others.

Split conformal prediction in bins: see planimeter.measuring.interval. The tables are made at fixed score thresholds,
so that an interval follows whatever threshold a person chooses.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.agreement import found_percent, true_percent
from planimeter.evaluation.comparison import Compared
from planimeter.measurement import Coverage, Interval, percent_of_whole
from planimeter.measuring.coverage import measure_coverage
from planimeter.measuring.doubt import around, doubt, shown_percents
from planimeter.measuring.interval import LEAST_PICTURES, with_intervals
from planimeter.packs.trust import LEVEL, AtThreshold, Bin, ClassBins, Intervals

SCORES = (0.05, *(round(0.1 * step, 1) for step in range(1, 10)), 0.95)
"""Score thresholds at which errors are known."""
MOST_BINS, LEAST_IN_A_BIN = 3, 60
"""Bins by how much was found, and the fewest pictures of each: more bins of fewer pictures are wider, by chance."""


class BinFigures(BaseModel):
    """How intervals did among pictures that measured alike."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="nothing found, lowest third, middle third or highest third.")
    pictures: int
    inside: float = Field(description="Share of the pictures whose truth lay inside.")
    mean_width: float = Field(description="Percentage points.")


class IntervalFigures(BaseModel):
    """How the intervals of a percentage did on pictures whose truth is known."""

    model_config = ConfigDict(frozen=True)

    level: float
    pictures: int = Field(description="Those that got an interval.")
    withheld: int = Field(description="Those that got none.")
    inside: float = Field(description="Share of the pictures whose truth lay inside.")
    mean_width: float = Field(description="Percentage points.")
    bins: tuple[BinFigures, ...] = ()


# ---- Making them


def calibrate_intervals(
    compared: Sequence[Compared], classes: int, *, calibrated_on: str, level: float = LEVEL
) -> Intervals | None:
    """Return intervals from pictures that the model did not learn from; None where they are too few for any.

    `calibrated_on` says in words which pictures those are. The mask threshold is that of `compared`.
    """
    if len(compared) < LEAST_PICTURES:
        return None
    measured, doubts = _measured_and_doubts(compared, classes)
    errors = np.array([true_percent(entry, classes) for entry in compared])[:, None] - measured
    return Intervals(
        level=level,
        calibrated_on=calibrated_on,
        pictures=len(compared),
        thresholds=tuple(
            AtThreshold(
                score=score,
                classes=tuple(
                    fit_bins(measured[:, row, column], errors[:, row, column], doubts[:, row, column], level)
                    for column in range(1 + classes)
                ),
            )
            for row, score in enumerate(SCORES)
        ),
    )


def _measured_and_doubts(
    compared: Sequence[Compared], classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the measured percentages and their doubts, each [pictures, scores, 1 + classes]."""
    measured = np.empty((len(compared), len(SCORES), 1 + classes))
    doubts = np.empty_like(measured)
    thresholds = sorted({value for score in SCORES for value in (score, *around(score))})
    for picture, entry in enumerate(compared):
        percents = dict(zip(thresholds, found_percent(entry, thresholds, classes), strict=True))
        for row, score in enumerate(SCORES):
            here, (looser, stricter) = percents[score], around(score)
            shown = shown_percents(entry.candidates, here)
            measured[picture, row] = here
            doubts[picture, row] = doubt(here, percents[looser], percents[stricter], shown)
    return measured, doubts


def fit_bins(
    measured: NDArray[np.float64], errors: NDArray[np.float64], doubts: NDArray[np.float64], level: float
) -> ClassBins:
    """Return the bins of one class at one score threshold, from true minus measured percentages [pictures]."""
    scaled = errors / doubts
    nothing, order = measured == 0, np.argsort(measured, kind="stable")
    found = order[np.count_nonzero(nothing) :]
    bins: list[Bin] = []
    if len(found) >= LEAST_PICTURES:
        parts = max(1, min(MOST_BINS, len(found) // LEAST_IN_A_BIN))
        for part in np.array_split(found, parts):
            below, above = _reach(scaled[part], level)
            bins.append(Bin(round(float(measured[part[-1]]), 4), below, above, len(part)))
    empty = scaled[nothing]
    if len(empty) >= LEAST_PICTURES:
        above = _quantile(empty, level)  # no truth lies below nothing
        bin_of_nothing: Bin | None = Bin(0.0, 0.0, max(0.0, _up(above)), len(empty))
    elif len(scaled) >= LEAST_PICTURES:
        bin_of_nothing = Bin(0.0, 0.0, _up(_quantile(np.abs(scaled), level)), len(scaled))
    else:
        bin_of_nothing = None
    return ClassBins(nothing=bin_of_nothing, found=tuple(bins), pictures_found=len(found))


def _reach(scaled: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return how far below and above the measured percentage the truth lies at the most, in doubts.

    The span is centred where most errors are: on the median, for each picture that of the others, so that no
    picture helps to judge itself.
    """
    centre = float(np.median(scaled))
    others = [float(np.median(np.delete(scaled, index))) for index in range(len(scaled))]
    reach = _quantile(np.abs(scaled - others), level)
    return -_up(max(0.0, reach - centre)), _up(max(0.0, reach + centre))


def _quantile(values: NDArray[np.float64], level: float) -> float:
    """Return the value that a new one of the same kind exceeds no more often than 1 - level, however they spread."""
    rank = int(np.ceil((len(values) + 1) * level))
    return float(np.sort(values)[min(rank, len(values)) - 1])


def _up(value: float) -> float:
    return float(np.ceil(value * 1e4) / 1e4)


# ---- Trying them


def covered(
    entry: Compared, classes: Sequence[str], score_threshold: float, intervals: Intervals
) -> Coverage:
    """Return how much of a picture is covered as an answer says it, with intervals."""
    coverage = measure_coverage(entry.above(score_threshold), classes, entry.counted)
    return with_intervals(coverage, entry.candidates, score_threshold, intervals)[0]


def interval_figures(
    compared: Sequence[Compared], classes: Sequence[str], score_threshold: float, intervals: Intervals
) -> dict[str, IntervalFigures]:
    """Return how the intervals of a model do on pictures: by the name of each class, of all together under ""."""
    rows: dict[str, list[tuple[float, float, Interval | None]]] = {name: [] for name in ("", *classes)}
    for entry in compared:
        coverage = covered(entry, classes, score_threshold, intervals)
        true = true_percent(entry, len(classes))
        rows[""].append((float(true[0]), percent_of_whole(coverage), coverage.interval))
        for class_coverage, truth in zip(coverage.by_class, true[1:], strict=True):
            rows[class_coverage.class_name].append(
                (float(truth), percent_of_whole(class_coverage), class_coverage.interval)
            )
    return {name: _figures(entries, intervals.level) for name, entries in rows.items()}


def _figures(entries: Sequence[tuple[float, float, Interval | None]], level: float) -> IntervalFigures:
    known = [(true, measured, interval) for true, measured, interval in entries if interval is not None]
    measured = np.array([value for _, value, _ in known])
    inside = np.array([interval.low <= true <= interval.high for true, _, interval in known], bool)
    widths = np.array([interval.high - interval.low for _, _, interval in known])
    parts = {"nothing found": np.flatnonzero(measured == 0)}
    found = np.argsort(measured, kind="stable")[len(parts["nothing found"]) :]
    thirds = ("lowest third", "middle third", "highest third")
    parts |= dict(zip(thirds, np.array_split(found, 3), strict=True))
    return IntervalFigures(
        level=level,
        pictures=len(known),
        withheld=len(entries) - len(known),
        inside=float(inside.mean()) if known else 0.0,
        mean_width=float(widths.mean()) if known else 0.0,
        bins=tuple(
            BinFigures(
                name=name,
                pictures=len(part),
                inside=float(inside[part].mean()),
                mean_width=float(widths[part].mean()),
            )
            for name, part in parts.items()
            if len(part)
        ),
    )
