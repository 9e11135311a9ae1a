"""How well the pixels of each class agree, over all pictures together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.comparison import Compared
from planimeter.masks.window import WindowMask


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of one class, summed over pictures."""

    common: int
    found: int
    true: int

    @property
    def iou(self) -> float:
        """Sum of intersections over sum of unions."""
        return self.common / (self.found + self.true - self.common)

    @property
    def dice(self) -> float:
        """Twice the sum of intersections over the sum of areas."""
        return 2 * self.common / (self.found + self.true)


def count_pixels(
    compared: Sequence[Compared], classes: Sequence[str], score_threshold: float
) -> dict[str, PixelCounts]:
    """Return the pooled pixel counts of each class that is there or was found."""
    totals = np.zeros((len(classes), 3), np.int64)
    for entry in compared:
        kept = entry.above(score_threshold)
        for label in {*kept.labels, *entry.picture.labels}:
            found = _canvas(kept.labels, kept.masks, label, entry.size)
            true = _canvas(entry.picture.labels, entry.picture.masks, label, entry.size)
            totals[label - 1] += [np.count_nonzero(part) for part in (found & true, found, true)]
    counts = {name: PixelCounts(*row) for name, row in zip(classes, totals.tolist(), strict=True)}
    return {name: count for name, count in counts.items() if count.found or count.true}


def _canvas(
    labels: Sequence[int], masks: Sequence[WindowMask], class_id: int, size: tuple[int, int]
) -> NDArray[np.bool_]:
    canvas = np.zeros(size, bool)
    for label, mask in zip(labels, masks, strict=True):
        if label == class_id:
            canvas[mask.window] |= mask.pixels
    return canvas
