"""The drawn picture: masks over pixels, as a person wants to see them."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from planimeter.drawing.colours import Pixels, dim_rest, grey_rest, paint_instances
from planimeter.drawing.labels import Area, Named, font_of, list_texts, place_tags, write_tags
from planimeter.drawing.layers import Layers, draw_halos, outline
from planimeter.errors import InvalidOption
from planimeter.masks.rle import rle_decode, rle_window
from planimeter.masks.window import Bools, WindowMask
from planimeter.measurement import Measurement, Rle

Style = Literal["fill", "outline", "splash"]
REGION_COLOR = (255, 213, 74)
MOST_LABELS = 40
"""With more instances than this, labels would hide what they name."""
MOST_BARE_SCORES = 20
"""The same where there is one class, so that a label is a score alone and says less."""


def draw(
    pixels: Pixels,
    masks: Sequence[WindowMask],
    labels: Sequence[int],
    colors: Sequence[str],
    *,
    names: Sequence[str] = (),
    scores: Sequence[float] = (),
    style: Style = "fill",
    show_labels: bool = True,
    show_boxes: bool = False,
    copy: bool = True,
) -> Pixels:
    """Return a copy of `pixels` [H, W, 3] with the masks drawn; masks come by falling score.

    `labels` are class ids from 1, `colors` ("#rrggbb") and `names` are those of the classes. "fill" lays the
    class's colour over each instance and draws its outline, "outline" draws only that, "splash" leaves the
    instances as they are and turns the rest dark and grey. Outlines lie inside the masks, around them runs a
    faint dark seam. Line widths and letters grow with the picture. Without a `copy` they are drawn on `pixels` itself,
    which a large picture that is not needed any more saves the memory for.
    """
    if style not in get_args(Style):
        raise InvalidOption(f"style {style!r} is not one of {', '.join(get_args(Style))}")
    height, width = pixels.shape[:2]
    paints = paint_instances(masks, labels, colors, (height, width))
    layers = Layers(masks, paints, (height, width))
    line = _line_width((height, width), masks)
    canvas = _canvas(pixels, copy=copy)
    if style == "splash":
        grey_rest(canvas, layers.union)
    layers.draw(canvas, line, fill=style == "fill")
    draw_halos(canvas, layers.union, max(1, line // 2))
    show_labels = show_labels and len(masks) <= (MOST_LABELS if len(names) > 1 else MOST_BARE_SCORES)
    boxes = [_bounds(mask) for mask in masks] if show_boxes or show_labels else []
    if show_boxes:
        for box, paint in zip(reversed(boxes), reversed(paints), strict=True):
            _frame(canvas, box, paint, max(1, line // 2))
    if show_labels:
        font = font_of(round(min(max(math.sqrt(height * width) / 45, 11), 72)))
        texts = list_texts(labels, names, scores)
        named = [Named(*each) for each in zip(masks, boxes, paints, texts, strict=True)]
        write_tags(canvas, place_tags(named, layers.union, font, alone=len(names) < 2), font)
    return canvas


def draw_measurement(
    pixels: Pixels,
    measurement: Measurement,
    colors: Sequence[str],
    style: Style = "fill",
    *,
    masks: Sequence[WindowMask] | None = None,
    show_labels: bool = True,
    show_boxes: bool = False,
    copy: bool = True,
) -> Pixels:
    """Return the picture of a measurement drawn; the masks are its own RLE ones where none are given.

    Without a `copy` it is drawn on `pixels` itself.
    """
    instances = measurement.instances
    canvas = _canvas(pixels, copy=copy)
    if measurement.coverage.counted is not None:
        _dim_the_rest(canvas, rle_decode(measurement.coverage.counted))
    if masks is None:
        masks = [_window(instance.mask) for instance in instances]
    return draw(
        canvas,
        masks,
        [instance.class_id for instance in instances],
        colors,
        names=[entry.class_name for entry in measurement.coverage.by_class],
        scores=[instance.score for instance in instances],
        style=style,
        show_labels=show_labels,
        show_boxes=show_boxes,
        copy=False,
    )


def _canvas(pixels: Pixels, *, copy: bool) -> Pixels:
    own = not copy and pixels.flags.writeable and pixels.flags.c_contiguous
    return pixels if own else pixels.copy()


def _dim_the_rest(canvas: Pixels, counted: Bools) -> None:
    """Dim all that does not count, and draw a bright line inside the rim of what does."""
    dim_rest(canvas, counted)
    rim = outline(WindowMask(0, 0, counted), _line_width(counted.shape, ()), counted.shape)
    canvas[rim] = REGION_COLOR


def _window(mask: object) -> WindowMask:
    if not isinstance(mask, Rle):
        raise InvalidOption(
            "a measurement can be drawn again only from RLE masks; measure with mask_format rle"
        )
    return rle_window(mask)


def _line_width(shape: tuple[int, ...], masks: Sequence[WindowMask]) -> int:
    """Return 1 up to about 800 pixels a side and 6 on 12 megapixels, but less where instances are small."""
    sides = sorted(min(mask.pixels.shape) for mask in masks)
    typical = sides[len(sides) // 2] if sides else 0
    return max(1, min(round(math.sqrt(shape[0] * shape[1]) / 560), typical // 12))


def _bounds(mask: WindowMask) -> Area:
    """Return the smallest area that holds the mask's pixels."""
    rows, columns = np.flatnonzero(mask.pixels.any(1)), np.flatnonzero(mask.pixels.any(0))
    if len(rows) == 0:
        return mask.x, mask.y, mask.x, mask.y
    return (
        mask.x + int(columns[0]),
        mask.y + int(rows[0]),
        mask.x + int(columns[-1]) + 1,
        mask.y + int(rows[-1]) + 1,
    )


def _frame(canvas: Pixels, box: Area, paint: Pixels, line: int) -> None:
    left, top, right, bottom = box
    canvas[top : top + line, left:right] = paint
    canvas[max(bottom - line, top) : bottom, left:right] = paint
    canvas[top:bottom, left : left + line] = paint
    canvas[top:bottom, max(right - line, left) : right] = paint
