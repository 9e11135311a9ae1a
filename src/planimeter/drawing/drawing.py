"""The drawn picture: masks over pixels, as a person wants to see them."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from planimeter.drawing.colours import Pixels, dim_rest, grey_rest, paint_instances
from planimeter.drawing.labels import Area, Named, font_of, list_texts, place_tags, write_tags
from planimeter.errors import InvalidOption
from planimeter.masks.rle import rle_decode, rle_window
from planimeter.masks.union import union_mask
from planimeter.masks.window import Bools, WindowMask, row_blocks
from planimeter.measurement import Measurement, Rle

Style = Literal["fill", "outline", "splash"]
FILL_OPACITY = 0.45
HALO_OPACITY = 0.35
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
    union = union_mask(masks, height, width)
    paints = paint_instances(masks, labels, colors, union.shape)
    line = _line_width(union.shape, masks)
    canvas = _canvas(pixels, copy=copy)
    if style == "splash":
        grey_rest(canvas, union)
    if style == "fill":
        _fill(canvas, masks, paints)
    _draw_halos(canvas, masks, union, max(1, line // 2))
    for mask, paint in zip(reversed(masks), reversed(paints), strict=True):
        canvas[mask.window][_outline(mask, line, union.shape)] = paint
    boxes = [_bounds(mask) for mask in masks]
    if show_boxes:
        for box, paint in zip(reversed(boxes), reversed(paints), strict=True):
            _frame(canvas, box, paint, max(1, line // 2))
    if show_labels and len(masks) <= (MOST_LABELS if len(names) > 1 else MOST_BARE_SCORES):
        font = font_of(round(min(max(math.sqrt(height * width) / 45, 11), 72)))
        texts = list_texts(labels, names, scores)
        named = [Named(*each) for each in zip(masks, boxes, paints, texts, strict=True)]
        write_tags(canvas, place_tags(named, union, font, alone=len(names) < 2), font)
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
    rim = _outline(WindowMask(0, 0, counted), _line_width(counted.shape, ()), counted.shape)
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


def _fill(canvas: Pixels, masks: Sequence[WindowMask], paints: Sequence[Pixels]) -> None:
    """Lay each instance's colour over the canvas; where masks overlap the first alone counts."""
    share = round(256 * FILL_OPACITY)
    painted = np.zeros(canvas.shape[:2], bool)
    for mask, paint in zip(masks, paints, strict=True):
        done, part = painted[mask.window], canvas[mask.window]
        for rows in row_blocks(*mask.pixels.shape):
            here = mask.pixels[rows] & ~done[rows]
            below = part[rows][here].astype(np.uint16)
            part[rows][here] = (below * (256 - share) + paint.astype(np.uint16) * share) >> 8
        done |= mask.pixels


def _outline(mask: WindowMask, width: int, shape: tuple[int, ...]) -> Bools:
    """Return the rim of the mask, inside it, `width` pixels wide.

    The picture's own border is no rim: the instance may go on beyond it.
    """
    height = len(mask.pixels)
    rim = np.empty_like(mask.pixels)
    for rows in row_blocks(*mask.pixels.shape):
        reach = slice(max(0, rows.start - width), min(height, rows.stop + width))  # what the rows depend on
        above = rows.start - reach.start
        around = WindowMask(mask.x, mask.y + reach.start, mask.pixels[reach])
        rim[rows] = _rim(around, width, shape)[above : above + rows.stop - rows.start]
    return rim


def _rim(mask: WindowMask, width: int, shape: tuple[int, ...]) -> Bools:
    rows, columns = mask.pixels.shape
    inner = np.zeros((rows + 2, columns + 2), bool)  # np.pad takes longer than all that follows
    inner[1:-1, 1:-1] = mask.pixels
    inner[0] |= mask.y == 0
    inner[-1] |= mask.y + rows == shape[0]
    inner[:, 0] |= mask.x == 0
    inner[:, -1] |= mask.x + columns == shape[1]
    for step in range(width):
        core = inner[1:-1, 1:-1].copy()
        if step % 2 == 0:  # a cross and a square in turn make an octagon: round enough
            core &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        else:
            tall = inner[:-2] & inner[1:-1] & inner[2:]
            core &= tall[:, :-2] & tall[:, 2:]
        inner[1:-1, 1:-1] = core
    return mask.pixels & ~inner[1:-1, 1:-1]


def _draw_halos(canvas: Pixels, masks: Sequence[WindowMask], union: Bools, width: int) -> None:
    """Darken a thin seam around the masks, so that bright outlines stand out on bright pictures too."""
    seam = np.zeros_like(union)
    for mask in masks:
        for block in row_blocks(*mask.pixels.shape):
            _add_grown(seam, WindowMask(mask.x, mask.y + block.start, mask.pixels[block]), width)
    for rows in row_blocks(*union.shape):
        # Several times faster than the mask itself as an index.
        places = np.flatnonzero(seam[rows] & ~union[rows])
        pixels = canvas[rows].reshape(-1, 3)
        pixels[places] = (pixels[places].astype(np.uint16) * round(256 * (1 - HALO_OPACITY))) >> 8


def _add_grown(seam: Bools, mask: WindowMask, width: int) -> None:
    """Add the mask to the seam, grown by so many pixels."""
    rows, columns = mask.window
    top, left = min(width, rows.start), min(width, columns.start)
    bottom, right = min(width, seam.shape[0] - rows.stop), min(width, seam.shape[1] - columns.stop)
    height, across = mask.pixels.shape
    room = np.zeros((top + height + bottom, left + across + right), bool)
    room[top : top + height, left : left + across] = mask.pixels
    grown = slice(rows.start - top, rows.stop + bottom), slice(columns.start - left, columns.stop + right)
    seam[grown] |= _grow(room, width)


def _grow(pixels: Bools, steps: int) -> Bools:
    """Return the mask grown by so many pixels along rows and columns, within the array."""
    for _ in range(steps):
        grown = pixels.copy()
        grown[1:] |= pixels[:-1]
        grown[:-1] |= pixels[1:]
        grown[:, 1:] |= pixels[:, :-1]
        grown[:, :-1] |= pixels[:, 1:]
        pixels = grown
    return pixels


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
