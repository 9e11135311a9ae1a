"""Anchors that fit the data: the boxes from which the network starts, in the sizes and shapes of the objects.

As in YOLO9000 (Redmon and Farhadi 2016, arXiv:1612.08242) anchors are judged by the mean, over the objects, of
the best IoU that any anchor has with an object's box when both share their centre. Here they are not free: a
feature pyramid has one size a level, doubling, and the same shapes on every level.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import TrainingError
from planimeter.labels import LabelledPictures
from planimeter.packs.manifest import Preprocessing
from planimeter.pictures.preprocessing import network_size

# The finest level looks every 4 pixels: smaller anchors fall between its places, larger leave small objects out.
LEAST_SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32)
# Height / width of the longest shape; training turns pictures by 90 degrees, so that each comes with its inverse.
ELONGATIONS = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
# What five shapes must win over three, in mean IoU: each shape makes the first stage slower.
WORTH = 0.02
# What other anchors must win over those that a network has learnt with.
WORTH_LEARNING_AGAIN = 0.1


Anchors = tuple[tuple[int, int, int, int, int], tuple[float, ...]]
"""Sizes, one a pyramid level, doubling; and height / width ratios."""


def match_anchors(data: LabelledPictures, preprocessing: Preprocessing) -> Anchors:
    """Return anchors that fit the data's boxes, in three shapes, or in five where that is worth it."""
    boxes = _boxes(data, preprocessing)
    three, five = _best(boxes, _THREE), _best(boxes, _FIVE)
    return five if fitness(boxes, five) > fitness(boxes, three) + WORTH else three


def keep_or_match(data: LabelledPictures, preprocessing: Preprocessing, known: Anchors) -> Anchors:
    """Return the anchors that a network has learnt with, or better ones in as many shapes where they hardly fit."""
    boxes = _boxes(data, preprocessing)
    matched = _best(boxes, {3: _THREE, 5: _FIVE}.get(len(known[1]), [known]))
    return matched if fitness(boxes, matched) > fitness(boxes, known) + WORTH_LEARNING_AGAIN else known


def fitness(boxes: NDArray[np.float64], anchors: Anchors) -> float:
    """Return the mean best IoU of anchors with `boxes`, [N, 2] heights and widths in network pixels."""
    sizes, roots = np.asarray(anchors[0], float), np.sqrt(np.asarray(anchors[1]))
    tall, wide = np.outer(sizes, roots).ravel(), np.outer(sizes, 1 / roots).ravel()
    common = np.minimum(boxes[:, :1], tall) * np.minimum(boxes[:, 1:], wide)
    union = boxes.prod(axis=1)[:, None] + tall * wide - common
    return float((common / union).max(axis=1).mean())


def _best(boxes: NDArray[np.float64], candidates: Iterable[Anchors]) -> Anchors:
    return max(candidates, key=lambda anchors: fitness(boxes, anchors))


def _candidates(powers: tuple[float, ...]) -> list[Anchors]:
    return [
        (
            (least, 2 * least, 4 * least, 8 * least, 16 * least),
            tuple(float(np.round(longest**power, 3)) for power in powers),
        )
        for least in LEAST_SIZES
        for longest in ELONGATIONS
    ]


_THREE, _FIVE = _candidates((-1, 0, 1)), _candidates((-1, -0.5, 0, 0.5, 1))


def _boxes(data: LabelledPictures, preprocessing: Preprocessing) -> NDArray[np.float64]:
    """Return heights and widths of all objects in network pixels, upright and turned by 90 degrees."""
    boxes = []
    for picture in data.pictures:
        height, width = picture.pixels.shape[:2]
        scale = network_size(height, width, preprocessing)[0] / height
        boxes += [(scale * mask.pixels.shape[0], scale * mask.pixels.shape[1]) for mask in picture.masks]
    if not boxes:
        raise TrainingError("no picture has an instance: there is nothing to learn; check the annotations")
    upright = np.asarray(boxes, np.float64)
    return np.concatenate((upright, upright[:, ::-1]))
