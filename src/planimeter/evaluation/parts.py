"""Intervals where only a part of a picture counts: how much wider than those of whole pictures they must be.

Errors even out less in a part. Rectangles anywhere in the pictures of a calibration, whose truth is known, say how much
less; the regions that people draw are of any shape, and are taken to be like them.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.agreement import true_percent
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.reach import SCORES, measured_and_doubts, quantile, round_up
from planimeter.masks.counted import Counted
from planimeter.masks.window import EMPTY, WindowMask, crop
from planimeter.measuring.interval import LEAST_PICTURES, LEAST_WIDTH, choose_bin
from planimeter.packs.trust import ClassBins, Intervals, Widening

PART_SHARES = (0.75, 0.5, 0.25, 0.1)
"""Of a picture: how large the parts are whose intervals are made wide enough, from the largest on."""
RECTANGLES = 4
"""Of each share, in each picture."""


def with_parts(
    intervals: Intervals, compared: Sequence[Compared], classes: int, *, seed: int = 0
) -> Intervals:
    """Return the intervals with how much wider they must be where only a part of a picture counts.

    `compared` are the pictures that made them. One factor holds for all classes: errors of all together, which it
    is made from, need the larger one.
    """
    chooser = np.random.default_rng(seed)
    rows: list[list[Widening]] = [[] for _ in SCORES]
    whole = measured_and_doubts(compared, classes)[0]
    for share in PART_SHARES:
        parts, wholes = [], []
        for entry, measured_whole in zip(compared, whole, strict=True):
            for _ in range(RECTANGLES):
                parts.append(cut_out(entry, *draw_rectangle(chooser, *entry.counted.size, share)))
                wholes.append(measured_whole)
        measured, doubts = measured_and_doubts(parts, classes, np.array(wholes))
        errors = np.array([true_percent(entry, classes)[0] for entry in parts])
        for row, table in enumerate(intervals.thresholds):
            needed = _needed(
                table.classes[0], measured[:, row, 0], errors - measured[:, row, 0], doubts[:, row, 0]
            )
            if len(needed) >= LEAST_PICTURES:
                rows[row].append(Widening(share, max(1.0, round_up(quantile(needed, intervals.level)))))
    thresholds = (
        table.model_copy(update={"parts": _never_narrower(row)})
        for table, row in zip(intervals.thresholds, rows, strict=True)
    )
    return intervals.model_copy(update={"thresholds": tuple(thresholds)})


def draw_rectangle(
    chooser: np.random.Generator, height: int, width: int, share: float
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a rectangle that is about that share of a picture, anywhere in it."""
    shape = math.exp(chooser.uniform(-1, 1))
    rows = min(height, max(1, round(height * math.sqrt(share * shape))))
    columns = min(width, max(1, round(share * height * width / rows)))
    top, left = int(chooser.integers(0, height - rows + 1)), int(chooser.integers(0, width - columns + 1))
    return left, top, left + columns, top + rows


def cut_out(entry: Compared, left: int, top: int, right: int, bottom: int) -> Compared:
    """Return a part of a picture as if it were a picture of its own; nothing is looked at again."""

    def cut(mask: WindowMask) -> WindowMask:
        part = crop(mask, left, top, right, bottom)
        return WindowMask(part.x - left, part.y - top, part.pixels) if part.pixels.size else EMPTY

    entries = [replace(one, shape=cut(one.mask), encoded=None) for one in entry.candidates.entries]
    counted = Counted(bottom - top, right - left)
    candidates = replace(entry.candidates, counted=counted, entries=entries, foreground=None)
    picture = replace(entry.picture, masks=tuple(map(cut, entry.picture.masks)))
    return Compared(picture, candidates)


def _needed(
    bins: ClassBins, measured: NDArray[np.float64], errors: NDArray[np.float64], doubts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how many times as far as its bin allows the truth of each lies; those that have no bin are left out."""
    found = []
    for value, error, doubted in zip(measured.tolist(), errors.tolist(), doubts.tolist(), strict=True):
        entry = choose_bin(bins, value)
        if entry is not None:
            reach = doubted * (entry.above if error > 0 else -entry.below)
            found.append(0.0 if abs(error) <= LEAST_WIDTH / 2 else abs(error) / reach if reach else math.inf)
    return np.array(found)


def _never_narrower(row: Sequence[Widening]) -> tuple[Widening, ...]:
    """Return them, none narrower than that of a larger part, up to the first that nothing is wide enough for."""
    kept: list[Widening] = []
    for entry in row:
        if not math.isfinite(entry.by):
            break
        kept.append(Widening(entry.share, max(entry.by, kept[-1].by if kept else 1.0)))
    return tuple(kept)
