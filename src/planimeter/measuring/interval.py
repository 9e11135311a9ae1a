"""An interval for the true percentage of this one picture: split conformal prediction.

How far the truth lay from the measured percentage, in units of each picture's doubt, is known for pictures of the
calibration. If a new picture is one more of their kind, its truth lies as far off with the same frequency, whatever
the network: Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2021, arXiv:2107.07511. The bins make that hold
among pictures in which nothing, little or much was found (Mondrian conformal prediction), too.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, floor

import numpy as np

from planimeter.masks.counted import Counted
from planimeter.masks.union import cover_percents
from planimeter.measurement import (
    UNKNOWN,
    UNLIKE_TRAINING,
    WITHHELD,
    Coverage,
    Interval,
    Note,
    percent_of_whole,
)
from planimeter.measuring.candidates import Candidates
from planimeter.measuring.doubt import Percents, around, doubt, shown_percents
from planimeter.numbers import write_percent
from planimeter.packs.trust import AtThreshold, Bin, ClassBins, Intervals

_UNKNOWN = (
    "no interval: how far this model's percentage can be trusted is not known; planimeter evaluate --calibrate finds "
    "it out with labelled pictures"
)
_PARTS = (
    "no interval: it would hold for whole pictures, and here only a part counts; planimeter evaluate --calibrate finds "
    "out how far it holds for parts"
)
_CHOSEN = "no interval: it would hold for all that is found, and here only a part of that counts"
_OF_CLASS = (
    "no interval: both the masked area and that of the class that it is a percentage of are the model's own, and "
    "the errors of such a ratio are not known"
)
LEAST_WIDTH = 0.1
"""Percentage points: no interval is narrower."""
LEAST_PICTURES = 9
"""The fewest that say anything at a level of 0.9: the largest error of 9 is the 90th percentile of all."""


def with_intervals(
    coverage: Coverage, candidates: Candidates, score_threshold: float, intervals: Intervals | None
) -> tuple[Coverage, list[Note]]:
    """Return the coverage with an interval for each percentage, and the note that says why one is withheld.

    Where only a part might have counted and nothing was left out, the figures are those of the whole picture, and so
    are the intervals. Those of a part are wider, as errors even out less in it.
    """
    if any(note.code == UNLIKE_TRAINING for note in candidates.picture_notes):
        return coverage, []
    whole = candidates.counting is None or candidates.all_count(score_threshold)
    withheld = _withheld(candidates, score_threshold, intervals, whole=whole)
    if withheld is not None:
        return coverage, [Note(code=WITHHELD, message=withheld)]
    if intervals is None:
        return coverage, [Note(code=UNKNOWN, message=_UNKNOWN)]
    tables = _around(intervals.thresholds, score_threshold)
    wider = 1.0 if whole else _widening(tables, candidates.counted)
    if isinstance(wider, str):
        return coverage, [Note(code=WITHHELD, message=wider)]
    # Pixels count here, so that there is something to be a percentage of.
    percents = [percent_of_whole(coverage), *map(percent_of_whole, coverage.by_class)]
    # Where nothing was left out, all that was found tells what is doubtful, also what would be left out.
    telling = (candidates.whole or candidates) if whole else candidates
    doubts = wider * _doubts(np.array(percents), telling, score_threshold)
    found = [
        _interval(intervals, [table.classes[index] for table in tables], value, doubts[index])
        for index, value in enumerate(percents)
    ]
    by_class = [
        entry.model_copy(update={"interval": interval})
        for entry, interval in zip(coverage.by_class, found[1:], strict=True)
    ]
    stated = coverage.model_copy(update={"interval": found[0], "by_class": by_class})
    return stated, _notes(stated, tables)


def _withheld(
    candidates: Candidates, score_threshold: float, intervals: Intervals | None, *, whole: bool
) -> str | None:
    """Return why nothing is promised of what was measured in this way, where that is so."""
    if candidates.of is not None:
        return _OF_CLASS
    if not whole and set(candidates.left_out(score_threshold)) - {"outside"}:
        return _CHOSEN
    if intervals is None:
        return None
    lowest, highest = intervals.thresholds[0].score, intervals.thresholds[-1].score
    if not lowest <= score_threshold <= highest:
        return (
            f"no interval: the score threshold is {score_threshold:g}, and the model's errors were measured from "
            f"{lowest:g} to {highest:g}"
        )
    return None


def _notes(coverage: Coverage, tables: Sequence[AtThreshold]) -> list[Note]:
    """Return the note on what has no interval for want of pictures like this one, where there is such."""
    if coverage.interval is None:
        known = min(table.classes[0].pictures_found for table in tables)
        message = (
            f"no interval: the model was calibrated on {known} pictures in which something was found, and "
            f"{LEAST_PICTURES} are the least; label {LEAST_PICTURES - known} more"
        )
        return [Note(code=WITHHELD, message=message)]
    without = [entry.class_name for entry in coverage.by_class if entry.interval is None]
    if not without:
        return []
    message = f"no interval for {', '.join(without)}: found in too few pictures of the calibration"
    return [Note(code=WITHHELD, message=message)]


def _widening(tables: Sequence[AtThreshold], counted: Counted) -> float | str:
    """Return how much wider the interval of a part is than that of a whole picture, or why it has none."""
    height, width = counted.size
    share = counted.pixels / (height * width)
    known = [[part for part in table.parts if part.share <= share] for table in tables]
    if all(known):
        return max(max(parts, key=lambda part: part.share).by for parts in known)
    if not all(table.parts for table in tables):
        return _PARTS
    least = max(table.parts[-1].share for table in tables)
    return (
        f"no interval: {write_percent(100 * share)} % of the picture counts, and how far it holds is known for parts "
        f"from {100 * least:g} % on"
    )


def _doubts(measured: Percents, candidates: Candidates, score_threshold: float) -> Percents:
    classes = len(measured) - 1
    looser, stricter = (_percents(candidates, threshold, classes) for threshold in around(score_threshold))
    whole = candidates.whole
    if whole is None or whole.shown is None:
        return doubt(measured, looser, stricter, shown_percents(candidates, measured))
    # What single pixels say is known of the whole picture; in a part they disagree with the masks as much.
    disagreement = np.asarray(whole.shown) - _percents(whole, score_threshold, classes)
    return doubt(measured, looser, stricter, measured + disagreement)


def _percents(candidates: Candidates, score_threshold: float, classes: int) -> Percents:
    found = candidates.above(score_threshold)
    masks, labels = [entry.mask for entry in found], [entry.label for entry in found]
    return cover_percents(masks, labels, candidates.counted, classes)


def _around(tables: Sequence[AtThreshold], score_threshold: float) -> Sequence[AtThreshold]:
    """Return the table of a score threshold, or the two on both sides of it."""
    index = bisect_left([table.score for table in tables], score_threshold)
    if tables[index].score == score_threshold:
        return tables[index : index + 1]
    return tables[index - 1 : index + 1]


def _interval(
    intervals: Intervals, tables: Sequence[ClassBins], value: float, doubted: float
) -> Interval | None:
    """Return the interval around a percentage; between two tables it holds those of both."""
    bins = [choose_bin(table, value) for table in tables]
    if any(entry is None for entry in bins):
        return None
    spans = [span(entry, value, doubted) for entry in bins if entry is not None]
    return Interval(
        low=min(low for low, _ in spans),
        high=max(high for _, high in spans),
        level=intervals.level,
        method=intervals.method,
        calibrated_on=intervals.calibrated_on,
    )


def choose_bin(table: ClassBins, value: float) -> Bin | None:
    """Return the bin of a measured percentage, where there were pictures enough for one."""
    if value == 0:
        return table.nothing
    if not table.found:
        return None
    index = bisect_left([entry.up_to for entry in table.found], value)
    return table.found[min(index, len(table.found) - 1)]


def span(entry: Bin, value: float, doubted: float) -> tuple[float, float]:
    """Return the lowest and the highest percentage that a bin allows; they hold the measured one."""
    low, high = value + entry.below * doubted, value + entry.above * doubted
    lacking = max(0.0, LEAST_WIDTH - (high - low)) / 2
    low, high = max(0.0, low - lacking), min(100.0, high + lacking)
    if high - low < LEAST_WIDTH:  # at either end of the scale
        low, high = (0.0, LEAST_WIDTH) if low == 0 else (100 - LEAST_WIDTH, 100.0)
    return min(value, floor(low * 1000) / 1000), max(value, ceil(high * 1000) / 1000)
