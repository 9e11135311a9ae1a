"""Colours and outlines of instances, laid over a picture.

What belongs to which instance is marked first, one number a pixel; then all pixels of a few rows are coloured at once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planimeter.drawing.colours import Pixels
from planimeter.masks.union import mark
from planimeter.masks.window import Bools, WindowMask, row_blocks

FILL_OPACITY = 0.45
HALO_OPACITY = 0.35
_PIXELS_AT_ONCE = 262_144
"""What is made of so many pixels fits into a core's cache."""


class Layers:
    """The instances of a picture: masks by falling score, and a colour [3] for each.

    Where masks overlap, the first alone fills; the outlines of all are seen, the first's on top.
    """

    def __init__(self, masks: Sequence[WindowMask], paints: Sequence[Pixels], shape: tuple[int, ...]) -> None:
        self._masks = masks
        self._colours = list({paint.tobytes(): paint for paint in paints}.values())
        place = {colour.tobytes(): number for number, colour in enumerate(self._colours, start=1)}
        self._kinds = [place[paint.tobytes()] for paint in paints]
        kind = np.uint8 if 2 * len(self._colours) < 256 else np.uint16
        self._marks = mark(masks, self._kinds, np.zeros(shape[:2], kind))
        self.union: Bools = self._marks != 0
        """[H, W]: the pixels under any mask."""

    def draw(self, canvas: Pixels, line: int, *, fill: bool) -> None:
        """Draw the outlines, `line` pixels wide, inside the masks; with `fill` lay the colours under them."""
        marks = self._marks
        if not fill:
            marks[...] = 0
        shape, number = marks.shape, len(self._colours)
        height, width = shape
        rims = [WindowMask(mask.x, mask.y, outline(mask, line, shape)) for mask in self._masks]
        mark(rims, [number + kind for kind in self._kinds], marks)
        share = round(256 * FILL_OPACITY)
        # A pixel becomes (pixel * kept + added) / 256; of what has no mark nothing is touched.
        kept = np.array([256] + [256 - share] * number + [0] * number, np.uint16)
        colours = np.array(self._colours, np.uint16).reshape(-1, 3)
        added = np.concatenate((np.zeros((1, 3), np.uint16), colours * np.uint16(share), colours << 8))
        for rows in row_blocks(height, width, _PIXELS_AT_ONCE):
            here = marks[rows].ravel()
            places = np.flatnonzero(here != 0)
            if len(places):
                _blend(canvas[rows].reshape(-1), places, here.take(places), kept, added)


def _blend(
    flat: Pixels,
    places: NDArray[np.intp],
    kinds: NDArray[np.integer[Any]],
    kept: NDArray[np.uint16],
    added: NDArray[np.uint16],
) -> None:
    """Colour the pixels at `places` of a picture's rows, which lie there as one line of bytes."""
    shares = kept.take(kinds)
    index = 3 * places
    for channel in range(3):
        values = flat.take(index).astype(np.uint16)
        values *= shares
        values += added[:, channel].take(kinds)
        values >>= 8
        flat[index] = values.astype(np.uint8)
        index += 1


def draw_halos(canvas: Pixels, union: Bools, width: int) -> None:
    """Darken a thin seam around the masks, so that bright outlines stand out on bright pictures too."""
    height, across = union.shape
    for rows in row_blocks(height, across, _PIXELS_AT_ONCE):
        reach = slice(max(0, rows.start - width), min(height, rows.stop + width))  # what grows into the rows
        if not union[reach].any():
            continue
        grown = _grow(union[reach], width)[rows.start - reach.start :][: rows.stop - rows.start]
        # Several times faster than the mask itself as an index.
        places = np.flatnonzero(grown & ~union[rows])
        pixels = canvas[rows].reshape(-1, 3)
        pixels[places] = (pixels[places].astype(np.uint16) * round(256 * (1 - HALO_OPACITY))) >> 8


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


def outline(mask: WindowMask, width: int, shape: tuple[int, ...]) -> Bools:
    """Return the rim of the mask, inside it, `width` pixels wide.

    The picture's own border is no rim: the instance may go on beyond it.
    """
    height, across = mask.pixels.shape
    if width == 1 and 0 < mask.x < shape[1] - across and 0 < mask.y < shape[0] - height:
        return _thin_rim(mask.pixels)
    rim = np.empty_like(mask.pixels)
    for rows in row_blocks(*mask.pixels.shape):
        reach = slice(max(0, rows.start - width), min(height, rows.stop + width))  # what the rows depend on
        above = rows.start - reach.start
        around = WindowMask(mask.x, mask.y + reach.start, mask.pixels[reach])
        rim[rows] = _rim(around, width, shape)[above : above + rows.stop - rows.start]
    return rim


def _thin_rim(pixels: Bools) -> Bools:
    """Return the rim, one pixel wide, of a mask that does not reach the picture's border."""
    rim: Bools = pixels.copy()
    core = pixels[:-2, 1:-1] & pixels[2:, 1:-1]
    core &= pixels[1:-1, :-2]
    core &= pixels[1:-1, 2:]
    rim[1:-1, 1:-1] &= ~core
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
