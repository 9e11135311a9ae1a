"""Masks on a grid over a picture, as networks without masks in box space answer them, and their pixels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import overload

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.window import EMPTY, Bools, Box, WindowMask, row_blocks


@dataclass(frozen=True)
class Axis:
    """How the cells of a coarse grid lie along one axis of a picture.

    The grid is first made `factor` times finer by bilinear interpolation; of the finer cells, those from `first` up
    to `last` then span the `length` pixels that begin at pixel `origin`, read bilinearly again. A picture's edge
    inside of a cell is met exactly in this way, which is also how Ultralytics goes about it.
    """

    cells: int
    first: int
    last: int
    origin: int
    length: int
    factor: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether each cell is a pixel."""
        return (self.first, self.last, self.length, self.factor) == (0, self.cells, self.cells, 1)

    def weights(self, start: int, end: int) -> NDArray[np.float32]:
        """Return [end - start, cells]: how much each cell adds to each pixel from `start` up to `end`."""
        return _axis_weights(self)[start - self.origin : end - self.origin]

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Return pixels [start, end) outside of which the cells `first` to `last` add nothing."""
        pixels_a_cell = self.length / (self.last - self.first) * self.factor
        offset = self.origin - self.first / self.factor * pixels_a_cell
        start = np.floor(offset + (first - 1) * pixels_a_cell) - 1
        end = np.ceil(offset + (last + 2) * pixels_a_cell) + 1
        low, high = np.clip([start, end], self.origin, self.origin + self.length)
        return int(low), int(high)


@lru_cache(maxsize=8)
def _axis_weights(axis: Axis) -> NDArray[np.float32]:
    """Return [length, cells]; kept, as all masks of a picture share it."""
    fine = bilinear_weights(np.arange(axis.length), 0, axis.length, axis.last - axis.first)
    if axis.factor == 1 and (axis.first, axis.last) == (0, axis.cells):
        return fine
    finer = axis.cells * axis.factor
    return fine @ bilinear_weights(np.arange(axis.first, axis.last), 0, finer, axis.cells)


@dataclass(frozen=True, eq=False)
class FrameMask:
    """One mask as values on a grid over the whole picture, or over a tile of it."""

    values: NDArray[np.float32]
    """[h, w]: logits or probabilities; with `mix` the grids [K, h, w] that all instances share."""
    rows: Axis
    columns: Axis
    logits: bool
    cut: bool
    """Whether what lies outside the instance's box is dropped."""
    mix: NDArray[np.float32] | None = None
    """[K]: how much of each shared grid is in this mask."""

    def paste(self, box: Box, threshold: float) -> WindowMask:
        """Return the pixels whose probability is above `threshold`, in (0, 1)."""
        level = float(np.log(threshold / (1 - threshold))) if self.logits else threshold
        if self.cut:
            # A pixel is inside where its index, not its centre, is: the rule of Ultralytics' `crop_mask`.
            left, top, right, bottom = (int(np.ceil(side)) for side in box)
        else:
            above = self._cells(slice(None), slice(None)) > level
            down, across = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
            if not len(down):
                return EMPTY
            top, bottom = self.rows.reach(int(down[0]), int(down[-1]))
            left, right = self.columns.reach(int(across[0]), int(across[-1]))
        left, right = (
            int(np.clip(x, self.columns.origin, self.columns.origin + self.columns.length))
            for x in (left, right)
        )
        top, bottom = (
            int(np.clip(y, self.rows.origin, self.rows.origin + self.rows.length)) for y in (top, bottom)
        )
        if left >= right or top >= bottom:
            return EMPTY
        if self.rows.is_plain and self.columns.is_plain:
            x, y = self.columns.origin, self.rows.origin
            cells = self._cells(slice(top - y, bottom - y), slice(left - x, right - x))
            return WindowMask(left, top, cells > level)
        vertically, horizontally = self.rows.weights(top, bottom), self.columns.weights(left, right)
        # Of a small box most cells add nothing to any of its pixels.
        used_rows, used_columns = _used(vertically), _used(horizontally)
        vertical = vertically[:, used_rows] @ self._cells(used_rows, used_columns)
        return WindowMask(left, top, _above(vertical, horizontally[:, used_columns].T, level))

    def _cells(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return some of the grid's values, [rows, columns]."""
        if self.mix is None:
            return self.values[rows, columns].astype(np.float32, copy=False)
        shared = self.values[:, rows, columns]
        count, height, width = shared.shape
        mixed = self.mix @ shared.reshape(count, -1)
        return mixed.reshape(height, width).astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """The masks of several instances on one grid: row i of `coefficients` mixes the grids that all share.

    values float32 [N, h, w], or with `coefficients` float32 [N, K] the shared [K, h, w].
    """

    values: NDArray[np.float32]
    rows: Axis
    columns: Axis
    logits: bool
    cut: bool
    coefficients: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.values if self.coefficients is None else self.coefficients)

    def __iter__(self) -> Iterator[FrameMask]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> FrameMask: ...

    @overload
    def __getitem__(self, index: slice) -> "FrameMasks": ...

    def __getitem__(self, index: int | slice) -> "FrameMask | FrameMasks":
        if isinstance(index, slice):
            if self.coefficients is None:
                return replace(self, values=self.values[index])
            return replace(self, coefficients=self.coefficients[index])
        if self.coefficients is None:
            return FrameMask(self.values[index], self.rows, self.columns, self.logits, self.cut)
        return FrameMask(
            self.values, self.rows, self.columns, self.logits, self.cut, self.coefficients[index]
        )


def _used(weights: NDArray[np.float32]) -> slice:
    """Return which cells, from the first to the last, add something to any pixel."""
    cells = np.flatnonzero(weights.any(axis=0))
    return slice(int(cells[0]), int(cells[-1]) + 1)


def _above(vertical: NDArray[np.float32], horizontal: NDArray[np.float32], level: float) -> Bools:
    """Return where the product is above `level`, a block of rows at a time."""
    pixels = np.empty((vertical.shape[0], horizontal.shape[1]), bool)
    for rows in row_blocks(*pixels.shape):
        np.greater(vertical[rows] @ horizontal, level, out=pixels[rows])
    return pixels


def bilinear_weights(
    pixels: NDArray[np.intp],
    low: NDArray[np.float64] | float,
    high: NDArray[np.float64] | float,
    size: int,
) -> NDArray[np.float32]:
    """Return [len(pixels), size]: how much each of `size` cells between low and high adds to each pixel.

    The outermost cells reach on without end.
    """
    position = np.clip((pixels + 0.5 - low) / (high - low) * size - 0.5, 0, size - 1)
    before = np.minimum(position.astype(np.intp), max(size - 2, 0))
    share = (position - before).astype(np.float32)
    weights = np.zeros((len(pixels), size), np.float32)
    index = np.arange(len(pixels))
    weights[index, np.minimum(before + 1, size - 1)] = share
    weights[index, before] = 1 - share
    return weights
