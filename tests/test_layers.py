"""Colours, seams and outlines for all instances at once, beside the same one instance after the other."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from planimeter.drawing import layers
from planimeter.drawing.colours import grey_rest, paint_instances
from planimeter.drawing.drawing import Style, draw
from planimeter.drawing.layers import FILL_OPACITY, HALO_OPACITY, Layers, draw_halos, outline
from planimeter.masks.union import union_mask
from planimeter.masks.window import WindowMask

Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
COLORS = ("#e69f00", "#0072b2", "#ffffff")


def plain_outline(mask: WindowMask, width: int, shape: tuple[int, int]) -> Bools:
    """Erode on the whole picture, beyond whose border the mask goes on."""
    inner = np.ones((shape[0] + 2, shape[1] + 2), bool)
    inner[1:-1, 1:-1] = False
    inner[1:-1, 1:-1][mask.window] = mask.pixels
    # Beyond the border goes on only what touches it with its window: so it is drawn.
    rows, columns = mask.pixels.shape
    inner[0], inner[-1] = mask.y == 0, mask.y + rows == shape[0]
    inner[:, 0] |= mask.x == 0
    inner[:, -1] |= mask.x + columns == shape[1]
    for step in range(width):
        sides, corners = [(0, -1), (0, 1)], [(-1, -1), (-1, 1), (1, -1), (1, 1)]
        shifts = [*sides, *(corners if step % 2 else [(-1, 0), (1, 0)])]
        core = inner[1:-1, 1:-1].copy()
        for down, across in shifts:
            core &= inner[1 + down : inner.shape[0] - 1 + down, 1 + across : inner.shape[1] - 1 + across]
        inner[1:-1, 1:-1] = core
    rim: Bools = mask.pixels & ~inner[1:-1, 1:-1][mask.window]
    return rim


def plain_draw(
    pixels: Pixels, masks: list[WindowMask], paints: list[Pixels], *, line: int, seam: int, style: Style
) -> Pixels:
    """Draw one instance after the other."""
    canvas: Pixels = pixels.copy()
    shape = pixels.shape[:2]
    union = union_mask(masks, *shape)
    share = round(256 * FILL_OPACITY)
    if style == "splash":
        grey_rest(canvas, union)
    if style == "fill":
        painted = np.zeros(shape, bool)
        for mask, paint in zip(masks, paints, strict=True):
            here = union_mask([mask], *shape) & ~painted
            below = canvas[here].astype(int)
            canvas[here] = (below * (256 - share) + paint.astype(int) * share) >> 8
            painted |= here
    grown = union.copy()
    for mask in masks:
        own = union_mask([mask], *shape)
        for _ in range(seam):
            padded = np.pad(own, 1)
            own = own | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]
        grown |= own
    halo = grown & ~union
    canvas[halo] = (canvas[halo].astype(int) * round(256 * (1 - HALO_OPACITY))) >> 8
    for mask, paint in zip(reversed(masks), reversed(paints), strict=True):
        canvas[mask.window][plain_outline(mask, line, (shape[0], shape[1]))] = paint
    return canvas


@st.composite
def pictures(draw_from: st.DrawFn) -> tuple[Pixels, list[WindowMask], list[int]]:
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32 - 1)))
    height, width = draw_from(st.integers(1, 30)), draw_from(st.integers(1, 30))
    masks = []
    for _ in range(draw_from(st.integers(0, 6))):
        rows, columns = rng.integers(0, height + 1), rng.integers(0, width + 1)
        y, x = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        masks.append(WindowMask(int(x), int(y), rng.random((rows, columns)) < rng.choice((0.5, 0.9, 1.0))))
    labels = rng.integers(1, 1 + len(COLORS), len(masks)).tolist()
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), masks, labels


@pytest.mark.parametrize("style", get_args(Style))
@given(picture=pictures(), line=st.integers(1, 4), seam=st.integers(1, 3), at_once=st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_all_instances_at_once_are_drawn_as_one_after_the_other(
    style: Style, picture: tuple[Pixels, list[WindowMask], list[int]], line: int, seam: int, at_once: int
) -> None:
    pixels, masks, labels = picture
    paints = paint_instances(masks, labels, COLORS, pixels.shape)
    before = layers._PIXELS_AT_ONCE
    layers._PIXELS_AT_ONCE = at_once
    try:
        canvas = pixels.copy()
        found = Layers(masks, paints, pixels.shape)
        union = found.union.copy()
        if style == "splash":
            grey_rest(canvas, union)
        found.draw(canvas, line, fill=style == "fill")
        draw_halos(canvas, union, seam)
    finally:
        layers._PIXELS_AT_ONCE = before
    assert np.array_equal(found.union, union_mask(masks, *pixels.shape[:2]))
    assert np.array_equal(canvas, plain_draw(pixels, masks, paints, line=line, seam=seam, style=style))
    if line == seam == 1:
        drawn = draw(pixels, masks, labels, COLORS, style=style, show_labels=False)
        assert np.array_equal(drawn, canvas)


@given(picture=pictures(), width=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_outlines_are_those_of_the_whole_picture(
    picture: tuple[Pixels, list[WindowMask], list[int]], width: int
) -> None:
    pixels, masks, _ = picture
    shape = (pixels.shape[0], pixels.shape[1])
    for mask in masks:
        assert np.array_equal(outline(mask, width, shape), plain_outline(mask, width, shape))


def test_many_classes_have_room_for_their_colours() -> None:
    colors = [f"#{40 * (i % 6):02x}{40 * (i // 6 % 6):02x}{50 * (i // 36):02x}" for i in range(180)]
    masks = [WindowMask(4 * (i % 20), 4 * (i // 20), np.ones((3, 3), bool)) for i in range(180)]
    pixels = np.full((60, 100, 3), 90, np.uint8)
    labels = list(range(1, 181))
    paints = paint_instances(masks, labels, colors, pixels.shape)
    assert len({paint.tobytes() for paint in paints}) > 127
    drawn = draw(pixels, masks, labels, colors, show_labels=False)
    assert np.array_equal(drawn, plain_draw(pixels, masks, paints, line=1, seam=1, style="fill"))
