"""A measurement as the outputs of the protocol."""

from collections.abc import Callable, Mapping, Sequence
from math import nan

import numpy as np

from planimeter.errors import TooMany
from planimeter.masks.rle import rle_decode, rle_window
from planimeter.masks.union import union_mask
from planimeter.measurement import Instance, Measurement
from planimeter.measuring.candidates import exact_mask
from planimeter.service.inference.messages import OutputName
from planimeter.service.inference.tensors import Tensor, numbers, texts

MOST_MASK_BYTES = 2**28
"""Of masks as pixels, one for each instance."""
JSON_BYTES = 16
"""That a pixel of a mask may take while it becomes JSON."""


def refuse_too_large(measurement: Measurement, id_: str, outputs: Mapping[OutputName, bool]) -> int:
    """Return how many bytes masks as pixels need; raises `TooMany` where that is more than is given at once."""
    image, count = measurement.image, len(measurement.instances)
    pixels = image.height * image.width
    needed = 0
    if "masks" in outputs:
        needed += pixels * count * (1 if outputs["masks"] else JSON_BYTES)
    if "mask" in outputs:
        needed += pixels * (1 if outputs["mask"] else JSON_BYTES)
    if needed > MOST_MASK_BYTES:
        raise TooMany(
            f"{count} instances of {image.width} x {image.height} pixels are more than is given as pixels "
            f"({MOST_MASK_BYTES:,} bytes, in JSON a {JSON_BYTES}th); ask for the output rle, which is exact too. The "
            f"picture was measured all the same: {id_}"
        )
    return needed


def outputs_of(
    measurement: Measurement, names: Sequence[OutputName], answer: Callable[[], str]
) -> list[Tensor]:
    """Return the outputs that are wanted; `answer` gives the measurement as the API answers it."""
    return [_MAKERS[name](measurement, answer) for name in names]


def _each(name: str, datatype: str, value: Callable[[Instance], float]) -> Callable[..., Tensor]:
    return lambda measurement, _: numbers(name, datatype, [value(entry) for entry in measurement.instances])


def _percent(measurement: Measurement, _: object) -> Tensor:
    percent = measurement.coverage.percent_masked
    return numbers("percent_masked", "FP64", [nan if percent is None else percent])


def _boxes(measurement: Measurement, _: object) -> Tensor:
    boxes = [entry.bbox for entry in measurement.instances]
    return numbers("boxes", "FP32", boxes, len(boxes), 4)


def _masks(measurement: Measurement, _: object) -> Tensor:
    image, found = measurement.image, measurement.instances
    masks = np.zeros((len(found), image.height, image.width), np.uint8)
    for index, entry in enumerate(found):
        masks[index] = rle_decode(exact_mask(entry))
    return numbers("masks", "UINT8", masks, *masks.shape)


def _mask(measurement: Measurement, _: object) -> Tensor:
    image = measurement.image
    windows = [rle_window(exact_mask(entry)) for entry in measurement.instances]
    return numbers("mask", "UINT8", union_mask(windows, image.height, image.width), image.height, image.width)


_MAKERS: Mapping[OutputName, Callable[[Measurement, Callable[[], str]], Tensor]] = {
    "percent_masked": _percent,
    "boxes": _boxes,
    "scores": _each("scores", "FP32", lambda entry: entry.score),
    "class_ids": _each("class_ids", "INT64", lambda entry: entry.class_id),
    "labels": lambda measurement, _: texts("labels", [entry.class_name for entry in measurement.instances]),
    "areas": _each("areas", "INT64", lambda entry: entry.area_px),
    "rle": lambda measurement, _: texts("rle", [exact_mask(entry).counts for entry in measurement.instances]),
    "masks": _masks,
    "mask": _mask,
    "measurement": lambda _, answer: texts("measurement", [answer()]),
}
