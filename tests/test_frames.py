"""Masks that are mixed of shared grids: only the cells that a box needs are mixed, and the pixels are the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from planimeter.masks.frames import Axis, FrameMask, FrameMasks
from planimeter.masks.window import EMPTY, WindowMask


@given(
    seed=st.integers(0, 2**32 - 1),
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    lengths=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    factor=st.sampled_from([1, 2, 4]),
    origin=st.integers(0, 20),
)
def test_mixing_what_a_box_needs_gives_the_pixels_of_mixing_all(
    seed: int, cells: tuple[int, int], lengths: tuple[int, int], factor: int, origin: int
) -> None:
    numbers = np.random.default_rng(seed)
    shared = numbers.integers(-8, 9, (3, *cells)).astype(np.float32)
    mixes = numbers.integers(-4, 5, (2, 3)).astype(np.float32)  # whole numbers: no sum is rounded

    def axis(size: int, length: int) -> Axis:
        first = int(numbers.integers(0, size * factor))
        last = int(numbers.integers(first + 1, size * factor + 1))
        return Axis(size, first, last, origin, length, factor)

    rows, columns = axis(cells[0], lengths[0]), axis(cells[1], lengths[1])
    masks = FrameMasks(shared, rows, columns, logits=True, cut=True, coefficients=mixes)
    for index, mix in enumerate(mixes):
        mixed = np.einsum("k,khw->hw", mix, shared)
        whole = FrameMask(mixed, rows, columns, logits=True, cut=True)
        left, top = numbers.uniform(-5, 80, 2)
        box = (
            float(left),
            float(top),
            float(left + numbers.uniform(0, 60)),
            float(top + numbers.uniform(0, 60)),
        )
        found, expected = masks[index].paste(box, 0.4), whole.paste(box, 0.4)
        if expected is EMPTY:
            assert found is EMPTY
            continue
        assert (found.x, found.y, found.pixels.shape) == (expected.x, expected.y, expected.pixels.shape)
        # What lies on the level itself may be rounded to either side.
        assert (found.pixels != expected.pixels).sum() <= (
            np.abs(_values(whole, expected) - _LEVEL) < 1e-4
        ).sum()


_LEVEL = float(np.log(0.4 / 0.6))


def _values(mask: FrameMask, at: WindowMask) -> NDArray[np.float32]:
    down = mask.rows.weights(at.y, at.y + at.pixels.shape[0])
    across = mask.columns.weights(at.x, at.x + at.pixels.shape[1])
    values: NDArray[np.float32] = down @ mask.values @ across.T
    return values
