"""The pixel branch: what each pixel shows, joined with the instances, and what no instance claims."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fakes import BlockRuntime, block_pack, blocks
from planimeter.errors import InferenceFailed
from planimeter.masks.paste import paste, paste_all
from planimeter.masks.pixels import LEAST_PIXELS, PixelProbabilities
from planimeter.measuring.coverage import at_threshold
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import Pack
from planimeter.runtimes import RawDetections
from planimeter.runtimes.thorough import PASSES, ThoroughRuntime

STRIDE = 4


class PixelRuntime(BlockRuntime):
    """Rectangles as `BlockRuntime`, and a pixel branch: red is class 1, green class 2, blue takes either away."""

    def __init__(self, classes: int = 2, broken: float | None = None) -> None:
        super().__init__()
        self._classes = classes
        self._broken = broken

    def _detect(self, image: NDArray[np.float32]) -> RawDetections:
        found = super()._detect(image)
        cells = image[0, :, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
        shown = np.where(cells[2] > 0.5, 0.0, 1.0) * (cells[: self._classes] > 0.5)
        shown = shown / np.maximum(1, shown.sum(axis=0))
        pixels = np.concatenate((1 - shown.sum(axis=0, keepdims=True), shown)).astype(np.float32)
        if self._broken is not None:
            pixels[0, 0, 0] = self._broken
        return replace(found, pixels=pixels)


def segmenter(**broken: float) -> Segmenter:
    return Segmenter(block_pack(), PixelRuntime(**broken))  # type: ignore[arg-type]


def test_a_mask_ends_where_the_pixels_deny_the_class() -> None:
    pixels = blocks(red=(16, 16, 48, 48))
    pixels[16:48, 32:48, 2] = 255
    measured = segmenter().measure(pixels)
    # The geometric mean of 1 and p is 1/2 at p = 1/4. Between the last cell of 1, centred at x = 30, and the first
    # of 0, at 34, that takes in one column more, at 32.5; but not its ends, where p is 0.375 x 0.625.
    assert measured.coverage.pixels_masked == 32 * (16 + 1) - 2
    assert measured.coverage.pixels_unclaimed == 0


def test_what_no_instance_claims_is_told_and_not_added() -> None:
    pixels = blocks(red=(0, 0, 32, 32), green=(32, 32, 64, 64))
    measured = segmenter().measure(pixels, score_threshold=0.7)
    assert measured.coverage.by_class[1].pixels_masked == 0
    green = measured.coverage.pixels_unclaimed
    assert green is not None
    assert abs(green - 32 * 32) <= 2 * 32  # the branch's own edge is within half a cell
    assert measured.coverage.pixels_masked <= 32 * 32


@pytest.mark.parametrize("threshold", [0.0, 0.65, 0.95])
def test_another_threshold_tells_the_same_as_a_new_measurement(threshold: float) -> None:
    pixels = blocks(red=(0, 0, 40, 40), green=(24, 24, 64, 64))
    first = segmenter().measure(pixels)
    again = at_threshold(first, first.candidates(), threshold)
    assert again.coverage == segmenter().measure(pixels, score_threshold=threshold).coverage
    assert again.coverage.pixels_unclaimed is not None


def test_an_instance_that_no_pixel_agrees_with_is_none() -> None:
    pixels = blocks(red=(16, 16, 48, 48))
    pixels[..., 2] = 255
    measured = segmenter().measure(pixels)
    assert measured.instances == []
    assert measured.coverage.percent_masked == 0


def test_a_network_without_the_branch_says_nothing_of_unclaimed_pixels() -> None:
    measured = Segmenter(block_pack(), BlockRuntime()).measure(blocks(red=(0, 0, 32, 32)))
    assert measured.coverage.pixels_unclaimed is None
    assert measured.coverage.pixels_masked == 32 * 32


def test_a_branch_with_other_classes_than_the_pack_is_refused_by_name() -> None:
    with pytest.raises(
        InferenceFailed, match=r"'blocks' answers 2 classes, the background among them.* names 2"
    ):
        segmenter(classes=1).measure(blocks(red=(0, 0, 32, 32)))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_branch_that_answers_no_number_is_refused(broken: float) -> None:
    with pytest.raises(InferenceFailed, match="non-finite pixels"):
        segmenter(broken=broken).measure(blocks(red=(0, 0, 32, 32)))


class OneSided(PixelRuntime):
    """Sees class 1 only in the left half of its input, whatever is there, and remembers how often it ran."""

    def _detect(self, image: NDArray[np.float32]) -> RawDetections:
        found = super()._detect(image)
        assert found.pixels is not None
        pixels = found.pixels.copy()
        pixels[1, :, pixels.shape[2] // 2 :] = 0
        pixels[0] = 1 - pixels[1:].sum(axis=0)
        return replace(found, pixels=pixels)


def test_a_thorough_look_averages_the_pixels_of_the_picture_and_its_mirror_images() -> None:
    runtime = OneSided()
    image = np.moveaxis(blocks(red=(0, 0, 64, 64)).astype(np.float32) / np.float32(255), 2, 0)[None]
    found = ThoroughRuntime(runtime).run(image)
    assert runtime.ran == PASSES == 4
    assert found.pixels is not None
    np.testing.assert_allclose(found.pixels[1], 0.5)
    np.testing.assert_allclose(found.pixels.sum(axis=0), 1)


def test_the_answer_says_how_often_the_network_saw_the_picture() -> None:
    pixels = blocks(red=(0, 0, 32, 32))
    assert segmenter().measure(pixels).model.passes == 1
    thorough = Segmenter(block_pack(), ThoroughRuntime(PixelRuntime())).measure(pixels)
    assert thorough.model.passes == 4
    assert thorough.coverage == segmenter().measure(pixels).coverage


def test_a_network_without_the_branch_looks_once_however_thorough() -> None:
    runtime = BlockRuntime()
    ThoroughRuntime(runtime).run(np.zeros((1, 3, 64, 64), np.float32))
    assert runtime.ran == 1


side = st.integers(1, 70)


@settings(max_examples=60, deadline=None)
@given(height=side, width=side, rows=st.integers(1, 20), columns=st.integers(1, 20), seed=st.integers(0, 99))
def test_probabilities_are_read_as_pytorch_interpolates_them(
    height: int, width: int, rows: int, columns: int, seed: int
) -> None:
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    values = np.random.default_rng(seed).random((3, rows, columns), np.float32)
    grid = PixelProbabilities(values, (0, 0, width, height), (columns / width, rows / height), (0.0, 0.0))
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None], size=(height, width), mode="bilinear", align_corners=False
    )[0].numpy()
    for index in range(3):
        np.testing.assert_allclose(grid.read(index, 0, 0, width, height), wanted[index], atol=1e-5)
    left, top = width // 3, height // 3
    part = grid.read(1, left, top, width, height)
    np.testing.assert_allclose(part, wanted[1, top:, left:], atol=1e-5)
    canvas = np.zeros((height, width), bool)
    assert grid.mark_foreground(canvas) == height * width
    assert np.array_equal(canvas, grid.read(0, 0, 0, width, height) < 0.5)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(30, 200), st.integers(30, 200)),
    pixels_a_cell=st.floats(6.0, 25.0),
    first=st.tuples(st.floats(0, 3), st.floats(0, 3)),
    steps=st.sampled_from((2, 9, 1000)),
    seed=st.integers(0, 999),
)
def test_large_cells_that_agree_show_the_same_foreground_as_each_pixel_read(
    size: tuple[int, int], pixels_a_cell: float, first: tuple[float, float], steps: int, seed: int
) -> None:
    height, width = size
    cell = 1 / pixels_a_cell
    assert cell * cell * LEAST_PIXELS <= 1
    shape = 2 + int(height * cell + first[1]), 2 + int(width * cell + first[0])
    # Few steps: many cells are just 0.5, and whole parts agree.
    coarse = np.random.default_rng(seed).integers(0, steps + 1, shape) / steps
    values = np.stack((coarse, 1 - coarse)).astype(np.float32)
    grid = PixelProbabilities(values, (7, 11, 7 + width, 11 + height), (cell, cell), first)
    canvas = np.zeros((height + 20, width + 20), bool)
    canvas[0, 0] = canvas[11, 7] = True  # what is marked stays
    assert grid.mark_foreground(canvas) == height * width
    expected = np.zeros_like(canvas)
    expected[11 : 11 + height, 7 : 7 + width] = grid.read(0, 7, 11, 7 + width, 11 + height) < 0.5
    expected[0, 0] = expected[11, 7] = True
    assert np.array_equal(canvas, expected)


@settings(max_examples=20, deadline=None)
@given(number=st.integers(1, 60), seed=st.integers(0, 99), pixel_cells=st.sampled_from((0.0, 7.5, 50.0)))
def test_many_instances_are_cut_as_each_is_by_itself(number: int, seed: int, pixel_cells: float) -> None:
    random = np.random.default_rng(seed)
    grid = PixelProbabilities(
        random.random((3, 11, 10), np.float32), (5, 3, 45, 43), (0.25, 0.25), (0.5, 0.0)
    )
    cells, labels = random.random((number, 14, 14), np.float32), random.integers(1, 3, number).tolist()
    corners = random.uniform(-4, 50, (number, 2, 2))  # some reach out of the tile
    boxes = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    together = paste_all(cells, boxes, (48, 47), 0.6, pixels=grid, labels=labels, pixel_cells=pixel_cells)
    for found, own, box, label in zip(together, cells, boxes.tolist(), labels, strict=True):
        alone = paste(own, tuple(box), 48, 47, 0.6, pixels=grid, label=label, pixel_cells=pixel_cells)
        assert (found.x, found.y) == (alone.x, alone.y)
        assert np.array_equal(found.pixels, alone.pixels)


@settings(max_examples=40, deadline=None)
@given(threshold=st.floats(0.1, 0.9), seed=st.integers(0, 99))
def test_the_geometric_mean_never_masks_what_neither_would_at_its_square(threshold: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    cells = random.random((28, 28), np.float32)
    grid = PixelProbabilities(
        random.random((2, 10, 10), np.float32), (0, 0, 40, 40), (0.25, 0.25), (0.0, 0.0)
    )
    box = (3.0, 5.0, 37.0, 33.0)
    joined = paste(cells, box, 40, 40, threshold, pixels=grid)
    wide = paste(cells, box, 40, 40, threshold * threshold)
    strict = paste(cells, box, 40, 40, threshold)
    shown = grid.read(1, 0, 0, 40, 40)[joined.window]
    assert not (joined.pixels & ~wide.pixels).any()
    # Where both agree that it is, it is.
    assert joined.pixels[strict.pixels & (shown >= threshold)].all()


@settings(max_examples=40, deadline=None)
@given(
    threshold=st.floats(0.1, 0.9),
    seed=st.integers(0, 99),
    side=st.integers(1, 40),
    pixel_cells=st.floats(0.1, 1000),
)
def test_the_branch_is_heard_less_in_smaller_boxes(
    threshold: float, seed: int, side: int, pixel_cells: float
) -> None:
    random = np.random.default_rng(seed)
    cells = random.random((28, 28), np.float32)
    grid = PixelProbabilities(
        random.random((2, 10, 10), np.float32), (0, 0, 40, 40), (0.25, 0.25), (0.0, 0.0)
    )
    box = (0.0, 0.0, float(side), float(side))
    joined = paste(cells, box, 40, 40, threshold, pixels=grid, pixel_cells=pixel_cells)
    # The definition, word for word, in float64.
    say = side * side / 16 / (side * side / 16 + pixel_cells)
    shown = grid.read(1, 0, 0, side, side).astype(np.float64)
    probability = np.array(
        [[paste_value(cells, side, row, column) for column in range(side)] for row in range(side)]
    )
    product = probability * (1 - say * (1 - shown))
    limit = threshold * (1 - say * (1 - threshold))
    clear = abs(product - limit) > 1e-5
    assert np.array_equal(joined.pixels[clear], product[clear] >= limit)


def paste_value(cells: NDArray[np.float32], side: int, row: int, column: int) -> float:
    """Return the mask read bilinearly at the centre of a pixel, its outermost values reaching to the box's edge."""
    value = 0.0
    for y, down in neighbours(row, side, len(cells)):
        for x, across in neighbours(column, side, len(cells)):
            value += float(cells[y, x]) * down * across
    return value


def neighbours(pixel: int, side: int, cells: int) -> list[tuple[int, float]]:
    """Return the two cells around the centre of a pixel of a box, each with its share."""
    position = min(max((pixel + 0.5) / side * cells - 0.5, 0), cells - 1)
    first = int(position)
    return [(first, 1 - position + first), (min(first + 1, cells - 1), position - first)]


def test_a_small_object_that_the_branch_hardly_shows_keeps_its_mask() -> None:
    pixels = blocks(red=(16, 16, 24, 24))
    pixels[16:24, 16:24, 2] = 255
    pack = block_pack()
    thresholds = pack.manifest.thresholds.model_copy(update={"pixel_cells": 50.0})
    heard_less = Pack(pack.folder, pack.manifest.model_copy(update={"thresholds": thresholds}))
    assert segmenter().measure(pixels).coverage.pixels_masked == 0
    assert Segmenter(heard_less, PixelRuntime()).measure(pixels).coverage.pixels_masked == 8 * 8
