"""Which found instance is which true one."""

from collections.abc import Sequence

from planimeter.evaluation.comparison import Compared
from planimeter.masks import WindowMask, count_common


def matched(
    compared: Sequence[Compared], score_threshold: float, iou: float = 0.5
) -> tuple[float, float, float]:
    """Return precision, recall and F1 at an IoU: greedy one-to-one matching by score, counts pooled."""
    hits = found = true = 0
    for entry in compared:
        kept = entry.found.above(score_threshold)
        taken: set[int] = set()
        for label, mask in zip(kept.labels, kept.masks, strict=True):
            overlaps = [
                (window_iou(mask, other), index)
                for index, other in enumerate(entry.picture.masks)
                if index not in taken and entry.picture.labels[index] == label
            ]
            best, index = max(overlaps, default=(0.0, -1))
            if best >= iou:
                taken.add(index)
        hits += len(taken)
        found += len(kept.labels)
        true += len(entry.picture.labels)
    precision, recall = hits / found if found else 1.0, hits / true if true else 1.0
    return precision, recall, 2 * hits / (found + true) if found + true else 1.0


def window_iou(one: WindowMask, other: WindowMask) -> float:
    """Return the intersection over union of two masks of the same picture."""
    common = count_common(one, other)
    return common / (one.area + other.area - common) if common else 0.0
