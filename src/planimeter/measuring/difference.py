"""Two measurements of the same picture: where they agree and where they do not, to the pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import DifferentPictures, StoreFailed
from planimeter.masks.rle import rle_decode, rle_window
from planimeter.masks.union import union_mask
from planimeter.masks.window import Bools
from planimeter.measurement import Instance, Measurement, Rle, class_counted

Pixels = NDArray[np.uint8]

# Okabe and Ito (2008): told apart with every kind of colour vision, also on grey.
ONLY_FIRST = "#e69f00"
ONLY_SECOND = "#56b4e9"
BOTH = "#f4f6f4"
_BRIGHTNESS = 0.45
_UNCOUNTED = 0.35
_OPACITY = {ONLY_FIRST: 0.78, ONLY_SECOND: 0.78, BOTH: 0.42}


@dataclass(frozen=True)
class Overlap:
    """How two unions of masks lie on each other, in pixels."""

    both: int
    only_first: int
    only_second: int

    @property
    def iou(self) -> float | None:
        """Intersection over union; None where neither masks anything."""
        union = self.both + self.only_first + self.only_second
        return self.both / union if union else None


@dataclass(frozen=True)
class Difference:
    """Two measurements of one picture, compared."""

    pixels_counted: int
    overlap: Overlap
    by_class: dict[str, Overlap]
    """By the name of the class: every one that either model knows."""


def difference(first: Measurement, second: Measurement) -> Difference:
    """Compare two measurements of the same picture, exactly, by their RLE masks, in the pixels that count in both.

    Raises `DifferentPictures` where the files differ, where their percentages are of different classes, and where no
    pixel counts in both.
    """
    if first.image.sha256 != second.image.sha256:
        raise DifferentPictures(
            f"{first.image.filename!r} and {second.image.filename!r} are different files: only measurements of the "
            "same picture can be compared; measure it again with the other model"
        )
    of = [class_counted(measured) for measured in (first, second)]
    if of[0] != of[1]:
        one, other = (name or "all that counts" for name in of)
        raise DifferentPictures(
            f"one measurement is in percent of {one} and the other of {other}: they can be compared once both are of "
            "the same; set it for one of them"
        )
    counted = counted_by_both(first, second)
    if not counted.any():
        raise DifferentPictures(
            "no pixel counts in both measurements: what counts in them has nothing in common"
        )
    names = dict.fromkeys(
        entry.class_name for measured in (first, second) for entry in measured.coverage.by_class
    )
    return Difference(
        pixels_counted=int(np.count_nonzero(counted)),
        overlap=_overlap(union(first) & counted, union(second) & counted),
        by_class={
            name: _overlap(union(first, name) & counted, union(second, name) & counted) for name in names
        },
    )


def counted_by_both(first: Measurement, second: Measurement) -> Bools:
    """Return [H, W]: the pixels that count in both."""
    counted = np.ones((first.image.height, first.image.width), bool)
    for measured in (first, second):
        if measured.coverage.counted is not None:
            counted &= rle_decode(measured.coverage.counted)
    return counted


def union(measured: Measurement, class_name: str | None = None) -> Bools:
    """Return [H, W]: the pixels under any mask, or under any of one class, be it the one that percentages are of."""
    counted = measured.coverage.counted
    if class_name is not None and class_name == class_counted(measured) and counted is not None:
        return rle_decode(counted)
    wanted = [
        instance for instance in measured.instances if class_name is None or instance.class_name == class_name
    ]
    return union_mask(
        [rle_window(_exact(entry)) for entry in wanted], measured.image.height, measured.image.width
    )


def draw_difference(pixels: Pixels, first: Bools, second: Bools, counted: Bools | None = None) -> Pixels:
    """Return the picture [H, W, 3] dim and grey, in colour what only the first masks, only the second, and both.

    What does not count in both is darker still, and has no colour.
    """
    grey = pixels.mean(axis=2, dtype=np.float32) * _BRIGHTNESS
    if counted is not None:
        grey[~counted] *= _UNCOUNTED
        first, second = first & counted, second & counted
    canvas = np.repeat(grey.astype(np.uint8)[..., np.newaxis], 3, axis=2)
    for color, where in (
        (ONLY_FIRST, first & ~second),
        (ONLY_SECOND, second & ~first),
        (BOTH, first & second),
    ):
        opacity = _OPACITY[color]
        paint = np.array(_rgb(color), np.float32) * opacity
        canvas[where] = (canvas[where] * (1 - opacity) + paint).astype(np.uint8)
    return canvas


def _rgb(color: str) -> Sequence[int]:
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]


def _overlap(first: Bools, second: Bools) -> Overlap:
    both = int(np.count_nonzero(first & second))
    return Overlap(both, int(np.count_nonzero(first)) - both, int(np.count_nonzero(second)) - both)


def _exact(instance: Instance) -> Rle:
    if not isinstance(instance.mask, Rle):
        raise StoreFailed(f"instance {instance.id} has no exact mask to compare")
    return instance.mask
