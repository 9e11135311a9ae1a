"""Anchors that fit the data: the boxes from which the network starts, in the sizes and shapes of the objects.

As in YOLO9000 (Redmon and Farhadi 2016, arXiv:1612.08242) anchors are judged by the mean, over the objects, of
the best IoU that any anchor has with an object's box when both share their centre. Here they are not free: a
feature pyramid has one size a level, doubling, and the same shapes on every level.
"""

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import TrainingError
from planimeter.labels import LabelledPictures
from planimeter.packs import Preprocessing
from planimeter.preprocessing import network_size

# The finest level looks every 4 pixels: smaller anchors fall between its places, larger leave small objects out.
LEAST_SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32)
LEVELS = 5
# Height / width of the longest shape; training turns pictures by 90 degrees, so that each comes with its inverse.
ELONGATIONS = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
# What five shapes must win over three, in mean IoU: each shape makes the first stage slower.
_WORTH = 0.02


def match_anchors(
    data: LabelledPictures, preprocessing: Preprocessing
) -> tuple[tuple[int, int, int, int, int], tuple[float, ...]]:
    """Return anchor sizes (one a pyramid level, doubling) and height / width ratios that fit the data's boxes."""
    boxes = _boxes(data, preprocessing)
    if not len(boxes):
        raise TrainingError("no picture has an instance: there is nothing to learn; check the annotations")
    three = max(
        ((least, (1 / long, 1.0, long)) for least in LEAST_SIZES for long in ELONGATIONS),
        key=lambda anchors: fitness(boxes, *anchors),
    )
    five = max(
        (
            (least, (1 / long, long**-0.5, 1.0, long**0.5, long))
            for least in LEAST_SIZES
            for long in ELONGATIONS
        ),
        key=lambda anchors: fitness(boxes, *anchors),
    )
    least, ratios = five if fitness(boxes, *five) > fitness(boxes, *three) + _WORTH else three
    rounded = tuple(float(np.round(ratio, 3)) for ratio in ratios)
    return (least, 2 * least, 4 * least, 8 * least, 16 * least), rounded


def fitness(boxes: NDArray[np.float64], least: int, ratios: tuple[float, ...]) -> float:
    """Return the mean best IoU of anchors with `boxes`, [N, 2] heights and widths in network pixels."""
    sizes = least * 2.0 ** np.arange(LEVELS)
    roots = np.sqrt(np.asarray(ratios))
    tall, wide = np.outer(sizes, roots).ravel(), np.outer(sizes, 1 / roots).ravel()
    common = np.minimum(boxes[:, :1], tall) * np.minimum(boxes[:, 1:], wide)
    union = boxes.prod(axis=1)[:, None] + tall * wide - common
    return float((common / union).max(axis=1).mean())


def _boxes(data: LabelledPictures, preprocessing: Preprocessing) -> NDArray[np.float64]:
    """Return heights and widths of all objects in network pixels, upright and turned by 90 degrees."""
    boxes = []
    for picture in data.pictures:
        height, width = picture.pixels.shape[:2]
        scale = network_size(height, width, preprocessing)[0] / height
        boxes += [(scale * mask.pixels.shape[0], scale * mask.pixels.shape[1]) for mask in picture.masks]
    upright = np.asarray(boxes, np.float64).reshape(-1, 2)
    return np.concatenate((upright, upright[:, ::-1]))
