"""The pictures of a report: the worst and the best, each beside its truth and what was found."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.drawing.drawing import draw
from planimeter.masks.window import WindowMask
from planimeter.packs.manifest import PackClass
from planimeter.reports.study import Evaluated, PictureRow

WORST, BEST = 6, 4
SIDE = 320
"""Longer side of a picture in the report, in pixels."""


@dataclass(frozen=True)
class Found:
    """What one model found in a picture."""

    row: PictureRow
    picture: str
    """A data URI, as are all pictures here."""


@dataclass(frozen=True)
class Example:
    """One picture with its truth and what each model found."""

    name: str
    true_percent: float
    picture: str
    truth: str
    found: tuple[Found, ...]


def worst_and_best(evaluated: Sequence[Evaluated]) -> tuple[list[Example], list[Example]]:
    """Return the pictures with the largest and with the smallest error of the percentage.

    Errors of several models count together. Only pictures with something in them can be best: that an empty one
    is measured as empty shows nothing.
    """
    rows = [entry.study.pictures for entry in evaluated]
    errors = np.abs([[row.error for row in part] for part in rows]).mean(axis=0)
    order = np.argsort(-errors, kind="stable").tolist()
    worst = [index for index in order if errors[index] > 0][:WORST]
    rest = [index for index in order if index not in worst and rows[0][index].true_percent > 0]
    # Among equals the fuller picture shows more.
    best = sorted(rest, key=lambda index: (round(float(errors[index]), 1), -rows[0][index].true_percent))[
        :BEST
    ]
    return [_example(evaluated, index) for index in worst], [_example(evaluated, index) for index in best]


def _example(evaluated: Sequence[Evaluated], index: int) -> Example:
    first = evaluated[0].compared[index]
    classes = evaluated[0].study.model.classes
    pixels = first.picture.pixels
    shown = []
    for entry in evaluated:
        kept = entry.compared[index].above(entry.study.model.thresholds.score)
        shown.append(
            Found(
                entry.study.pictures[index],
                _uri(_draw(pixels, ((found.mask, found.label) for found in kept), entry.study.model.classes)),
            )
        )
    return Example(
        first.picture.name,
        evaluated[0].study.pictures[index].true_percent,
        _uri(pixels),
        _uri(_draw(pixels, zip(first.picture.masks, first.picture.labels, strict=True), classes)),
        tuple(shown),
    )


def _draw(
    pixels: NDArray[np.uint8],
    instances: Iterable[tuple[WindowMask, int]],
    classes: Sequence[PackClass],
) -> NDArray[np.uint8]:
    shown = [(mask, label) for mask, label in instances if mask.area]
    return draw(
        pixels,
        [mask for mask, _ in shown],
        [label for _, label in shown],
        [entry.color for entry in classes],
        show_labels=False,
    )


def _uri(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=76, method=4)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
