"""How well the pixels of each class agree, over all pictures together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from planimeter.evaluation.comparison import Compared
from planimeter.masks.union import union_mask
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
        found_masks = _by_class((found.label, found.mask) for found in entry.above(score_threshold))
        true_masks = _by_class(zip(entry.picture.labels, entry.picture.masks, strict=True))
        for label in {*found_masks, *true_masks}:
            found = union_mask(found_masks.get(label, ()), *entry.counted.size)
            true = union_mask(true_masks.get(label, ()), *entry.counted.size)
            totals[label - 1] += [np.count_nonzero(part) for part in (found & true, found, true)]
    counts = {name: PixelCounts(*row) for name, row in zip(classes, totals.tolist(), strict=True)}
    return {name: count for name, count in counts.items() if count.found or count.true}


def _by_class(instances: Iterable[tuple[int, WindowMask]]) -> dict[int, list[WindowMask]]:
    masks: dict[int, list[WindowMask]] = defaultdict(list)
    for label, mask in instances:
        masks[label].append(mask)
    return masks
