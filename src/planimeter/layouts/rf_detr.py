"""RF-DETR with its segmentation head: queries with a box, class logits and a mask over the whole input.

Follows `PostProcess` of rfdetr 1.11: the best pairs of query and class by sigmoid, so that one query may answer for
two classes; masks brought to the picture's own resolution and taken above 0, not cut to the box.
"""

import numpy as np

from planimeter.errors import InferenceFailed
from planimeter.packs.manifest import Output
from planimeter.runtimes import GridMasks, RawDetections, Tensors


def read(tensors: Tensors, output: Output, size: tuple[int, int] | None) -> RawDetections:
    """Read boxes [1, Q, 4] as the centre and the sides in shares of the input, logits [1, Q, C], masks [1, Q, h, w]."""
    if size is None:
        raise InferenceFailed("boxes in shares of the input need an input of a fixed size")
    boxes, logits, masks = (tensors[name][0].astype(np.float32) for name in ("boxes", "scores", "masks"))
    with np.errstate(over="ignore"):
        scores = 1 / (1 + np.exp(-logits))
    known = range(logits.shape[1]) if output.labels is None else output.labels
    scores[:, [number for number in range(logits.shape[1]) if number not in known]] = 0
    pairs = np.argsort(-scores.reshape(-1), kind="stable")[: output.detections]
    queries, labels = np.divmod(pairs, logits.shape[1])
    height, width = size
    half = boxes[:, 2:] / 2
    corners = np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)
    return RawDetections(
        (corners * np.array((width, height, width, height), np.float32))[queries],
        labels.astype(np.int64),
        scores[queries, labels],
        GridMasks(masks[queries], logits=True, cut=False),
    )
