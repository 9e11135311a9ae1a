"""Intervals for the true percentage: made from pictures whose truth is known, and tried on others.

Split conformal prediction in bins: see planimeter.measuring.interval. The tables are made at fixed score thresholds,
so that an interval follows whatever threshold a person chooses.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.agreement import true_percent
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.parts import with_parts
from planimeter.evaluation.reach import SCORES, measured_and_doubts, quantile, round_up
from planimeter.measurement import Coverage, Interval, percent_of_whole
from planimeter.measuring.coverage import measure_coverage
from planimeter.measuring.interval import LEAST_PICTURES, with_intervals
from planimeter.packs.trust import LEVEL, AtThreshold, Bin, ClassBins, Intervals

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
    measured, doubts = measured_and_doubts(compared, classes)
    errors = np.array([true_percent(entry, classes) for entry in compared])[:, None] - measured
    made = Intervals(
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
    return with_parts(made, compared, classes)


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
        above = quantile(empty, level)  # no truth lies below nothing
        bin_of_nothing: Bin | None = Bin(0.0, 0.0, max(0.0, round_up(above)), len(empty))
    elif len(scaled) >= LEAST_PICTURES:
        bin_of_nothing = Bin(0.0, 0.0, round_up(quantile(np.abs(scaled), level)), len(scaled))
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
    reach = quantile(np.abs(scaled - others), level)
    return -round_up(max(0.0, reach - centre)), round_up(max(0.0, reach + centre))


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
