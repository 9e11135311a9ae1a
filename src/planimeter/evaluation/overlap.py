"""How well the pixels of each class agree, over all pictures together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.comparison import Compared
from planimeter.masks import WindowMask


def pixel_iou(
    compared: Sequence[Compared], classes: Sequence[str], score_threshold: float
) -> dict[str, float]:
    """Return the pooled pixel IoU of each class that is there or was found."""
    result = {}
    for class_id, name in enumerate(classes, start=1):
        common = union = 0
        for entry in compared:
            kept = entry.found.above(score_threshold)
            found = _canvas(kept.labels, kept.masks, class_id, entry.size)
            true = _canvas(entry.picture.labels, entry.picture.masks, class_id, entry.size)
            common += int(np.count_nonzero(found & true))
            union += int(np.count_nonzero(found | true))
        if union:
            result[name] = common / union
    return result


def _canvas(
    labels: Sequence[int], masks: Sequence[WindowMask], class_id: int, size: tuple[int, int]
) -> NDArray[np.bool_]:
    canvas = np.zeros(size, bool)
    for label, mask in zip(labels, masks, strict=True):
        if label == class_id:
            tall, wide = mask.pixels.shape
            canvas[mask.y : mask.y + tall, mask.x : mask.x + wide] |= mask.pixels
    return canvas
