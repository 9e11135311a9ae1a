"""How networks that were made elsewhere answer, one module a family: from named outputs to detections.

Everything here is NumPy on the outputs of a graph, whatever ran it. `reader` returns the one for a manifest.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.layouts import rf_detr, torchvision, yolo
from planimeter.packs.manifest import Layout, Manifest, Output
from planimeter.runtimes import RawDetections, Reader, Tensors, read_own

Family = Callable[[Tensors, Output, tuple[int, int] | None], RawDetections]
"""Reads outputs, named by what they mean; the size is that of the input, height and width, where it is fixed."""
_FAMILIES: dict[Layout, Family] = {
    "yolo": yolo.read,
    "yolo-end-to-end": yolo.read_end_to_end,
    "rf-detr": rf_detr.read,
    "box-space": torchvision.read_box_space,
    "pasted": torchvision.read_pasted,
}


def reader(manifest: Manifest) -> Reader:
    """Return what turns the outputs of the pack's network into detections with class ids from 1."""
    output = manifest.output
    if output is None or output.layout == "own":
        return read_own
    size = manifest.preprocessing.size
    return partial(_read, output=output, classes=len(manifest.classes), size=size)


def _read(tensors: Tensors, output: Output, classes: int, size: tuple[int, int] | None) -> RawDetections:
    named = {}
    for meaning, name in output.names.items():
        if name not in tensors:
            raise InferenceFailed(f"the network has no output {name!r}; it has {', '.join(tensors)}")
        values = named[meaning] = tensors[name]
        if np.issubdtype(values.dtype, np.floating) and np.isnan(values).any():
            raise InferenceFailed(
                f"the network's output {name!r} ({meaning}) has values that are no numbers (NaN): nothing that it "
                "found can be relied on; export the network again"
            )
    found = _FAMILIES[output.layout](named, output, size)
    if len(found.scores) and not (found.scores.min() >= 0 and found.scores.max() <= 1):
        raise InferenceFailed(
            f"the network answered scores from {found.scores.min():g} to {found.scores.max():g}, not within 0 and 1: "
            f"its outputs are not what the layout {output.layout} says"
        )
    return limit(found, output, classes)


def limit(found: RawDetections, output: Output, classes: int) -> RawDetections:
    """Return the best detections of classes that the pack names, with class ids instead of the network's numbers."""
    numbers = output.labels or tuple(range(1, classes + 1))
    ids = {number: index for index, number in enumerate(numbers, start=1)}
    labels = np.array([ids.get(label, 0) for label in found.labels.tolist()], np.int64)
    kept: NDArray[np.intp] = np.flatnonzero((labels > 0) & (found.scores >= output.score_floor))
    kept = kept[np.argsort(-found.scores[kept], kind="stable")][: output.detections]
    return RawDetections(found.boxes[kept], labels[kept], found.scores[kept], found.take(kept))


def has_sentinel(manifest: Manifest) -> bool:
    """Return whether the network never answers an empty tensor: it has a sentinel row, or as many rows always."""
    return manifest.output is None or manifest.output.layout not in {"box-space", "pasted"}
