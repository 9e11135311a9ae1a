"""Ultralytics' segmentation networks: YOLOv8, YOLO11 and those like them, and YOLO26 with its end-to-end head.

Masks are mixtures of shared prototypes. They follow `process_mask_native` of Ultralytics 8.4, which is what its
`retina_masks=True` uses: mixed, brought to the picture's own resolution, taken above 0 and cut to the box.
"""

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.packs.manifest import Output
from planimeter.runtimes import GridMasks, RawDetections, Tensors

_CANDIDATES = 30_000
"""As many of the best boxes as Ultralytics compares with each other."""


def read(tensors: Tensors, output: Output, _: tuple[int, int] | None) -> RawDetections:
    """Read [1, 4 + C + K, A]: for each of A places a box x, y, w, h, C scores and K coefficients.

    The lower of two overlapping boxes of a class is dropped, as `non_max_suppression` does.
    """
    prototypes = _prototypes(tensors)
    rows = tensors["predictions"][0].astype(np.float32).T
    classes = rows.shape[1] - 4 - len(prototypes)
    if classes < 1:
        raise InferenceFailed(
            f"predictions of shape {tensors['predictions'].shape} leave no room for classes"
        )
    scores = rows[:, 4 : 4 + classes].max(axis=1)
    rows = rows[scores > output.score_floor]
    scores = rows[:, 4 : 4 + classes].max(axis=1)
    rows = rows[np.argsort(-scores, kind="stable")[:_CANDIDATES]]
    labels, scores = rows[:, 4 : 4 + classes].argmax(axis=1), rows[:, 4 : 4 + classes].max(axis=1)
    half = rows[:, 2:4] / 2
    boxes = np.concatenate((rows[:, :2] - half, rows[:, :2] + half), axis=1)
    kept = suppress(boxes, labels, output.nms_iou, output.detections)
    return RawDetections(
        boxes[kept],
        labels[kept].astype(np.int64),
        scores[kept],
        GridMasks(prototypes, logits=True, cut=True, coefficients=rows[kept, 4 + classes :]),
    )


def read_end_to_end(tensors: Tensors, _: Output, __: tuple[int, int] | None) -> RawDetections:
    """Read [1, N, 6 + K]: box x0, y0, x1, y1, score, class and K coefficients; nothing is left to suppress."""
    prototypes = _prototypes(tensors)
    rows = tensors["predictions"][0].astype(np.float32)
    if rows.shape[1] != 6 + len(prototypes):
        raise InferenceFailed(
            f"predictions have {rows.shape[1]} columns; 6 and {len(prototypes)} are expected"
        )
    return RawDetections(
        rows[:, :4],
        rows[:, 5].astype(np.int64),
        rows[:, 4],
        GridMasks(prototypes, logits=True, cut=True, coefficients=rows[:, 6:]),
    )


def suppress(boxes: NDArray[np.float32], labels: NDArray[np.intp], iou: float, most: int) -> NDArray[np.intp]:
    """Return the index of the `most` first boxes that no earlier box of their class overlaps by more than `iou`.

    `boxes` [N, 4] as x0, y0, x1, y1, by falling score.
    """
    left, top, right, bottom = np.ascontiguousarray(boxes.T)  # a column at a time is several times faster
    areas = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    waiting = np.arange(len(boxes))
    kept: list[int] = []
    while len(waiting) and len(kept) < most:
        best, waiting = int(waiting[0]), waiting[1:]
        kept.append(best)
        across = np.minimum(right[best], right[waiting]) - np.maximum(left[best], left[waiting])
        down = np.minimum(bottom[best], bottom[waiting]) - np.maximum(top[best], top[waiting])
        common = np.maximum(across, 0) * np.maximum(down, 0)
        union = areas[best] + areas[waiting] - common
        same = labels[waiting] == labels[best]
        waiting = waiting[~(same & (common > iou * union))]
    return np.array(kept, np.intp)


def _prototypes(tensors: Tensors) -> NDArray[np.float32]:
    prototypes = tensors["prototypes"]
    if prototypes.ndim != 4:
        raise InferenceFailed(f"prototypes of shape {prototypes.shape} are not [1, K, h, w]")
    return np.asarray(prototypes[0], np.float32)
