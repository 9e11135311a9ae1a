"""Label Studio's tasks: polygons, and brushed masks where an object has holes or parts."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planimeter.exports.source import Source
from planimeter.exports.yolo import joined
from planimeter.labels import label_studio
from planimeter.labels.entries import ObjectEntry, Report
from planimeter.masks.outlines import outlines
from planimeter.masks.window import WindowMask
from planimeter.measurement import Instance

WORD = 8
"""Bits of a value."""
LENGTHS = (3, 4, 8, 16)
"""Bits of a run's length that can be chosen from, as Label Studio's own converter has them."""
_LONGEST = 1 << LENGTHS[-1]


def write(source: Source) -> dict[str, Any]:
    """Return a task with one annotation.

    The labelling configuration needs PolygonLabels named polygon, and BrushLabels named brush, both with toName image.
    """
    measurement = source.measurement
    return {
        "data": {"image": source.name},
        "annotations": [
            {
                "result": [_region(source, instance, mask) for instance, mask in source.objects if mask.area],
                "was_cancelled": False,
                "ground_truth": False,
            }
        ],
        "meta": {"model": f"{measurement.model.name} {measurement.model.version}"},
    }


def _region(source: Source, instance: Instance, mask: WindowMask) -> dict[str, Any]:
    """Return an object: a polygon, or where one outline cannot hold it a brushed mask."""
    parts = outlines(mask)
    if len(parts) == len(parts[0]) == 1:
        kind: str = "polygon"
        value: dict[str, Any] = {"points": outline_points(mask, source.size), "closed": True}
    else:
        kind, value = "brush", {"format": "rle", "rle": pack(mask, *source.size)}
    return region(
        instance,
        kind=kind,
        value=value,
        label=instance.class_name,
        names=(kind, "image"),
        size=source.size,
    )


def region(
    instance: Instance,
    *,
    kind: str,
    value: dict[str, Any],
    label: str,
    names: tuple[str, str],
    size: tuple[int, int],
) -> dict[str, Any]:
    """Return an object as a region; `names` are those of the control and of the picture in the configuration."""
    height, width = size
    return {
        "id": f"object_{instance.id}",
        "type": f"{kind}labels",
        "from_name": names[0],
        "to_name": names[1],
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": instance.score,
        "value": {**value, f"{kind}labels": [label]},
    }


def outline_points(mask: WindowMask, size: tuple[int, int]) -> list[list[float]]:
    """Return the corners of a mask's outline in percent of the picture's sides; several are joined by seams."""
    height, width = size
    rings = [ring for part in outlines(mask) for ring in part]
    points: list[list[float]] = (100 * joined(rings) / (width, height)).tolist()
    return points


def read(task: Any, source: Source) -> list[ObjectEntry]:
    """Return the objects as they are read as labels."""
    results = task["annotations"][0]["result"]
    return list(label_studio.objects_in(Path(source.stem), "the task", results, Report())[0])


def pack(mask: WindowMask, height: int, width: int) -> list[int]:
    """Return the mask as bytes: an opaque RGBA picture where it is, packed in runs as thi.ng's rle-pack does it."""
    values, counts = _runs(mask, height, width)
    # Each run is a bit that says so, two for the size of its length, its length less one, and its value.
    whole, rest = counts // _LONGEST, counts % _LONGEST
    lengths: list[int] = []
    shown: list[int] = []
    for value, often, last in zip(values.tolist(), whole.tolist(), rest.tolist(), strict=True):
        runs = [_LONGEST] * often + ([last] if last else [])
        lengths += runs
        shown += [value] * len(runs)
    parts = [f"{4 * height * width:032b}", f"{WORD - 1:05b}", *(f"{bits - 1:04b}" for bits in LENGTHS)]
    for value, length in zip(shown, lengths, strict=True):
        choice = next(index for index, bits in enumerate(LENGTHS) if length <= 1 << bits)
        parts.append(f"1{choice:02b}{length - 1:0{LENGTHS[choice]}b}{value:0{WORD}b}")
    text = "".join(parts)
    bits = np.frombuffer(text.encode("ascii"), np.uint8) - ord("0")
    packed: list[int] = np.packbits(bits).tolist()
    return packed


def _runs(mask: WindowMask, height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the values, 0 and 255, and how often each is there in a row, along the rows of an RGBA picture."""
    rows = len(mask.pixels)
    steps = np.diff(np.pad(mask.pixels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    origin = (np.arange(rows) + mask.y) * width + mask.x
    row, column = np.nonzero(steps == 1)
    starts = origin[row] + column
    row, column = np.nonzero(steps == -1)
    ends = origin[row] + column
    apart = starts[1:] != ends[:-1]  # a run that goes on in the next row is one
    starts = starts[np.concatenate([[True], apart])[: len(starts)]]
    ends = ends[np.concatenate([apart, [True]])[: len(ends)]]
    edges = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
    counts = 4 * np.diff(edges)
    values = np.where(np.arange(len(counts)) % 2, 255, 0)
    return values[counts > 0], counts[counts > 0]
