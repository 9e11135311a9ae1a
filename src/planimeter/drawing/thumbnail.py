"""The drawn picture made small: nothing that was found gets lost on the way, and no letters are in it."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from planimeter.drawing.colours import Pixels, dim_rest, paint_instances
from planimeter.masks.window import EMPTY, Bools, WindowMask, row_blocks, trim

FILL_SHARE = 0.45
SMALL = 0.06
"""An instance that is smaller than this share of the longer side gets a ring around it."""
MOST_RINGS = 8
"""With more instances, rings would hide the picture."""
RING_ROOM = 0.02
RING_WIDTH = 0.01
"""Shares of the longer side too."""


def draw_thumbnail(
    pixels: Pixels,
    masks: Sequence[WindowMask],
    labels: Sequence[int],
    colors: Sequence[str],
    side: int,
    *,
    counted: Bools | None = None,
) -> Pixels:
    """Return the picture [H, W, 3] with a longer side of at most `side`, its masks filled and outlined.

    A pixel is masked where any that became part of it is. `labels` are class ids from 1; masks come by falling score.
    What is not `counted` [H, W] is dim; without it, all counts.
    """
    if counted is not None:
        pixels = pixels.copy()
        dim_rest(pixels, counted)
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    canvas = np.array(image)
    small = [_shrunk(mask, (height, width), (size[1], size[0])) for mask in masks]
    paints = paint_instances(small, labels, colors, canvas.shape)
    for mask, paint in zip(reversed(small), reversed(paints), strict=True):
        _paint(canvas, mask, paint)
    if len(small) <= MOST_RINGS:
        _ring(canvas, list(zip(small, paints, strict=True)))
    return canvas


def _shrunk(mask: WindowMask, shape: tuple[int, int], small: tuple[int, int]) -> WindowMask:
    """Return a mask of a picture [H, W] in the small one."""
    height, width = mask.pixels.shape
    y = (np.arange(height) + mask.y) * small[0] // shape[0]
    x = (np.arange(width) + mask.x) * small[1] // shape[1]
    if not mask.pixels.any():
        return EMPTY
    found = np.zeros((int(y[-1] - y[0]) + 1, int(x[-1] - x[0]) + 1), bool)
    for block in row_blocks(height, width):
        rows, columns = np.nonzero(mask.pixels[block])
        found[y[block][rows] - y[0], x[columns] - x[0]] = True
    return trim(WindowMask(int(x[0]), int(y[0]), found))


def _paint(canvas: Pixels, mask: WindowMask, paint: Pixels) -> None:
    if not mask.pixels.size:
        return
    here = canvas[mask.window]
    blended = here[mask.pixels] * (1 - FILL_SHARE) + paint * FILL_SHARE
    here[mask.pixels] = blended.astype(np.uint8)
    here[_rim(mask.pixels)] = paint


def _rim(pixels: Bools) -> Bools:
    padded = np.pad(pixels, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rim: Bools = pixels & ~inner
    return rim


def _ring(canvas: Pixels, instances: Sequence[tuple[WindowMask, Pixels]]) -> None:
    """Draw a ring around each small instance, in its colour on a dark seam."""
    side = max(canvas.shape)
    tiny = [entry for entry in instances if 0 < max(entry[0].pixels.shape) < SMALL * side]
    if not tiny:
        return
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    width = max(1, round(RING_WIDTH * side))
    seam = max(1, width // 2)
    for mask, paint in tiny:
        red, green, blue = paint.tolist()
        rows, columns = mask.pixels.shape
        x, y = mask.x + columns / 2 - 0.5, mask.y + rows / 2 - 0.5
        radius = math.hypot(rows, columns) / 2 + RING_ROOM * side
        for wider, ink, breadth in (
            (seam, (0, 0, 0), width + 2 * seam),
            (0, (red, green, blue), width),
        ):
            reach = radius + wider
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=ink, width=breadth)
    canvas[:] = np.asarray(image)
