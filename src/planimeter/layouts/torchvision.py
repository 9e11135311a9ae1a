"""Networks that answer a box, a label, a score and a mask for each instance: torchvision's and Detectron2's Mask R-CNN.

Detectron2's traced networks leave masks in box space, and they are pasted as our own are. torchvision pastes them
inside of the network, so they come as pictures and are taken above 0.5, as its documentation does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.packs.manifest import Output
from planimeter.runtimes import GridMasks, RawDetections, Tensors


def read_box_space(tensors: Tensors, _: Output, __: tuple[int, int] | None) -> RawDetections:
    """Read boxes [N, 4] as x0, y0, x1, y1 in input pixels, labels [N], scores [N] and masks [N, 1, M, M]."""
    masks = _masks(tensors)
    return RawDetections(*_rows(tensors), masks)


def read_pasted(tensors: Tensors, _: Output, __: tuple[int, int] | None) -> RawDetections:
    """Read the same with masks [N, 1, H, W], each over the whole input."""
    masks = _masks(tensors)
    return RawDetections(*_rows(tensors), GridMasks(masks, logits=False, cut=False))


def _rows(tensors: Tensors) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    return (
        _unbatched(tensors["boxes"], 2).astype(np.float32),
        _unbatched(tensors["labels"], 1).astype(np.int64),
        _unbatched(tensors["scores"], 1).astype(np.float32),
    )


def _masks(tensors: Tensors) -> NDArray[np.float32]:
    masks = tensors["masks"]
    if masks.ndim == 5:
        masks = _unbatched(masks, 4)
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim == 4:
        masks = _unbatched(masks, 3)
    return np.asarray(masks, np.float32)


def _unbatched(values: NDArray[Any], rank: int) -> NDArray[Any]:
    """Return `values` of that rank; a first axis for a batch of one picture is taken off."""
    if values.ndim == rank + 1 and values.shape[0] == 1:
        return np.asarray(values[0])
    if values.ndim != rank:
        raise InferenceFailed(
            f"the network answered with an output of shape {values.shape} instead of rank {rank}"
        )
    return values
