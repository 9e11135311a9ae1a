"""Pixels of a picture that say nothing of what it shows, and can be left out of the denominator."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.measurement import IGNORED, Ignored

Bools = NDArray[np.bool_]
BLACK = 8
"""The brightest value of a channel that is still black: JPEG leaves a little noise on it."""
WHITE = 255


def find_ignored(
    pixels: NDArray[np.uint8], transparent: Bools | None, wanted: Sequence[Ignored]
) -> dict[Ignored, Bools]:
    """Return [H, W] for each kind that is wanted: its pixels, each pixel in the first kind that has it.

    `pixels` uint8 [H, W, 3]; `transparent` [H, W], None for a picture without alpha.
    """
    found: dict[Ignored, Bools] = {}
    taken = np.zeros(pixels.shape[:2], bool)
    for kind in IGNORED:
        if kind in wanted:
            here = _find(pixels, transparent, kind)
            found[kind] = here & ~taken
            taken = taken | here
    return found


def _find(pixels: NDArray[np.uint8], transparent: Bools | None, kind: Ignored) -> Bools:
    if kind == "transparent":
        return np.zeros(pixels.shape[:2], bool) if transparent is None else transparent
    return _black_border(pixels) if kind == "black_border" else _white(pixels)


def _black_border(pixels: NDArray[np.uint8]) -> Bools:
    """Return the black pixels with nothing but black between them and an edge, along their row or their column."""
    black: Bools = np.all(pixels <= BLACK, axis=2)
    border = np.zeros_like(black)
    for axis in (0, 1):
        from_start: Bools = np.logical_and.accumulate(black, axis=axis)
        from_end: Bools = np.flip(np.logical_and.accumulate(np.flip(black, axis), axis=axis), axis)
        border = border | from_start | from_end
    return border


def _white(pixels: NDArray[np.uint8]) -> Bools:
    white: Bools = np.all(pixels == WHITE, axis=2)
    return white
