import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from pycocotools import mask as coco

from planimeter.errors import InferenceFailed, InvalidOption
from planimeter.masks.counted import Counted
from planimeter.masks.paste import MaskEdge, paste, paste_all
from planimeter.masks.polygons import polygons
from planimeter.masks.rle import rle_decode, rle_encode, rle_encode_whole, rle_window, trim_and_encode
from planimeter.masks.union import (
    BLOCK_SIDE,
    CoverageCounts,
    class_map,
    count_coverage,
    cover_percents,
    instance_map,
    union_mask,
)
from planimeter.masks.window import EMPTY, WindowMask, trim
from planimeter.measurement import Rle, percent

ONES = np.ones((28, 28), np.float32)


def rectangle(x: int, y: int, width: int, height: int) -> WindowMask:
    return WindowMask(x, y, np.ones((height, width), bool))


def canvas(mask: WindowMask, height: int, width: int) -> NDArray[np.bool_]:
    full = np.zeros((height, width), bool)
    full[mask.window] = mask.pixels
    return full


@st.composite
def window(draw: st.DrawFn, height: int, width: int) -> WindowMask:
    """A mask of any pixels in a window anywhere in the picture: as high as the picture, or empty, too."""
    top, bottom = sorted(draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    left, right = sorted(draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    if draw(st.booleans()):
        top, bottom = 0, height
    return WindowMask(left, top, draw(arrays(bool, (bottom - top, right - left))))


@st.composite
def scene(draw: st.DrawFn) -> tuple[int, int, list[WindowMask], list[int]]:
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    masks = draw(st.lists(window(height, width), max_size=6))
    labels = draw(st.lists(st.integers(1, 3), min_size=len(masks), max_size=len(masks)))
    return height, width, masks, labels


class TestPaste:
    def test_a_mask_of_ones_fills_its_box_exactly(self) -> None:
        mask = paste(ONES, (10.0, 20.0, 30.0, 45.0), 100, 100)
        assert (mask.x, mask.y, mask.pixels.shape, mask.area) == (10, 20, (25, 20), 500)

    @pytest.mark.parametrize("side", [1, 2, 28, 56])
    def test_a_mask_of_ones_of_any_resolution_fills_a_box_of_one_pixel_and_the_whole_picture(
        self, side: int
    ) -> None:
        ones = np.ones((side, side), np.float32)
        assert paste(ones, (3.0, 4.0, 4.0, 5.0), 9, 9).area == 1
        assert paste(ones, (0.0, 0.0, 300.0, 200.0), 200, 300).area == 60_000

    def test_only_pixels_whose_centre_lies_in_the_box_are_masked(self) -> None:
        mask = paste(ONES, (10.4, 10.6, 12.5, 12.5), 20, 20)
        assert (mask.x, mask.y, mask.pixels.shape) == (10, 11, (1, 2))

    def test_a_box_that_leaves_the_picture_is_cut_at_its_border_without_shifting_the_mask(self) -> None:
        left_half = np.zeros((28, 28), np.float32)
        left_half[:, :14] = 1
        mask = paste(left_half, (-20.0, -5.0, 20.0, 15.0), 10, 50)
        assert mask.area == 0
        mask = paste(left_half, (40.0, 0.0, 60.0, 10.0), 10, 50)
        assert (mask.x, mask.pixels.shape, mask.area) == (40, (10, 10), 100)

    @pytest.mark.parametrize(
        "box", [(5.0, 5.0, 5.0, 9.0), (9.0, 5.0, 5.0, 9.0), (5.1, 5.1, 5.2, 5.2), (90.0, 0.0, 99.0, 9.0)]
    )
    def test_a_box_without_a_pixel_centre_in_the_picture_gives_an_empty_window(
        self, box: tuple[float, float, float, float]
    ) -> None:
        assert paste(ONES, box, 20, 20).area == 0

    def test_values_are_read_bilinearly_at_pixel_centres(self) -> None:
        ramp = np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
        # Over 8 pixels the cells' centres lie at 2 and 6, so the value passes 0.5 at 4 and 0.25 at 3.
        assert paste(ramp, (0.0, 0.0, 8.0, 8.0), 8, 8).pixels[0].tolist() == [False] * 4 + [True] * 4
        assert paste(ramp, (0.0, 0.0, 8.0, 8.0), 8, 8, threshold=0.25).pixels[0].sum() == 5

    @given(
        arrays(np.float32, (6, 6), elements=st.floats(0, 1, width=16)),
        st.tuples(*[st.floats(-8, 24, width=32)] * 4),
    )
    @settings(deadline=None, max_examples=60)
    def test_it_equals_interpolating_each_pixel_by_itself(
        self, values: NDArray[np.float32], box: tuple[float, float, float, float]
    ) -> None:
        x0, y0, x1, y1 = box
        expected = np.zeros((16, 16))
        for y in range(16):
            for x in range(16):
                if x0 <= x + 0.5 < x1 and y0 <= y + 0.5 < y1:
                    u = min(max((x + 0.5 - x0) / (x1 - x0) * 6 - 0.5, 0), 5)
                    v = min(max((y + 0.5 - y0) / (y1 - y0) * 6 - 0.5, 0), 5)
                    i, j = min(int(u), 4), min(int(v), 4)
                    upper = values[j, i] * (1 - (u - i)) + values[j, i + 1] * (u - i)
                    lower = values[j + 1, i] * (1 - (u - i)) + values[j + 1, i + 1] * (u - i)
                    expected[y, x] = upper * (1 - (v - j)) + lower * (v - j)
        found = canvas(paste(values, box, 16, 16, threshold=0.5), 16, 16)
        clear = abs(expected - 0.5) > 1e-4
        assert (found == (expected >= 0.5))[clear].all()

    @given(boxes=st.lists(st.tuples(*[st.floats(-8, 24, width=32)] * 4), max_size=7), fading=st.booleans())
    @settings(deadline=None, max_examples=40)
    def test_many_at_once_are_what_each_is_by_itself(
        self, boxes: list[tuple[float, float, float, float]], fading: bool
    ) -> None:
        edge: MaskEdge = "fade" if fading else "extend"
        values = np.random.default_rng(len(boxes)).random((len(boxes), 6, 6), np.float32)
        places = np.array(boxes, np.float64).reshape(-1, 4)
        together = paste_all(values, places, (16, 17), edge=edge)
        for found, own, box in zip(together, values, boxes, strict=True):
            alone = paste(own, box, 16, 17, edge=edge)
            assert (found.x, found.y) == (alone.x, alone.y)
            assert np.array_equal(found.pixels, alone.pixels)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_a_number_that_is_not_finite_is_an_error_never_an_empty_mask(self, bad: float) -> None:
        with pytest.raises(InferenceFailed, match="not finite"):
            paste(ONES, (0.0, 0.0, bad, 5.0), 10, 10)
        with pytest.raises(InferenceFailed, match="not finite"):
            paste(np.full((28, 28), bad, np.float32), (0.0, 0.0, 5.0, 5.0), 10, 10)


class TestRle:
    @given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)), st.data())
    @settings(deadline=None)
    def test_encoding_a_window_gives_what_pycocotools_gives_for_the_full_canvas(
        self, full: NDArray[np.bool_], data: st.DataObject
    ) -> None:
        height, width = full.shape
        mask = data.draw(window(height, width))
        expected = coco.encode(np.asfortranarray(canvas(mask, height, width), dtype=np.uint8))
        assert rle_encode(mask, height, width).counts.encode() == expected["counts"]
        whole = rle_encode_whole(canvas(mask, height, width))
        assert (whole.size, whole.counts.encode()) == ((height, width), expected["counts"])

    @pytest.mark.parametrize("size", [1, 40, 600, 5000])
    @pytest.mark.parametrize("rare", [False, True])
    def test_long_runs_are_written_as_pycocotools_writes_them(self, size: int, *, rare: bool) -> None:
        full = np.random.default_rng(size).random((size, 700)) < (1e-5 if rare else 0.5)
        expected = coco.encode(np.asfortranarray(full, dtype=np.uint8))["counts"]
        assert rle_encode_whole(full).counts.encode() == expected
        assert rle_encode_whole(~full).size == (size, 700)
        assert (rle_decode(rle_encode_whole(~full)) == ~full).all()

    @given(scene())
    @settings(deadline=None)
    def test_decoding_gives_back_the_mask_and_the_smallest_window(
        self, scene: tuple[int, int, list[WindowMask], list[int]]
    ) -> None:
        height, width, masks, _ = scene
        for mask in masks:
            rle = rle_encode(mask, height, width)
            full = canvas(mask, height, width)
            assert (rle_decode(rle) == full).all()
            tight = rle_window(rle)
            assert (canvas(tight, height, width) == full).all()
            if full.any():
                assert tight.pixels[[0, -1]].any(axis=1).all()
                assert tight.pixels[:, [0, -1]].any(axis=0).all()

    @given(scene())
    @settings(deadline=None)
    def test_many_at_once_are_encoded_as_each_is_by_itself(
        self, scene: tuple[int, int, list[WindowMask], list[int]]
    ) -> None:
        height, width, masks, _ = scene
        trimmed = trim_and_encode(masks, height, width)
        together = [rle.counts.encode() for _, rle in trimmed]
        full = [np.asfortranarray(canvas(mask, height, width), np.uint8) for mask in masks]
        assert together == [coco.encode(mask)["counts"] for mask in full]
        for (found, _), alone in zip(trimmed, map(trim, masks), strict=True):
            assert (found.x, found.y) == (alone.x, alone.y)
            assert np.array_equal(found.pixels, alone.pixels)

    def test_a_large_picture_round_trips_with_runs_of_millions(self) -> None:
        mask = rectangle(100, 0, 2000, 9000)
        rle = rle_encode(mask, 9000, 11_000)
        assert coco.area({"size": [9000, 11_000], "counts": rle.counts.encode()}) == 18_000_000
        back = rle_window(rle)
        assert (back.x, back.y, back.pixels.shape, back.area) == (100, 0, (9000, 2000), 18_000_000)

    def test_an_empty_mask_round_trips(self) -> None:
        rle = rle_encode(EMPTY, 5, 7)
        assert coco.area({"size": [5, 7], "counts": rle.counts.encode()}) == 0
        assert rle_decode(rle).shape == (5, 7)
        assert rle_window(rle).area == 0

    @given(st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=30))
    @settings(deadline=None)
    def test_damaged_counts_are_refused_never_read_as_another_mask(self, counts: str) -> None:
        try:
            mask = rle_window(Rle(size=(6, 5), counts=counts))
        except InvalidOption:
            return
        assert coco.area({"size": [6, 5], "counts": counts.encode()}) == mask.area

    @pytest.mark.parametrize("counts", ["", "\x00", "é", "o", "52203", "X" * 40])
    def test_what_is_no_coco_string_is_refused(self, counts: str) -> None:
        with pytest.raises(InvalidOption, match="run lengths"):
            rle_window(Rle(size=(6, 5), counts=counts))


class TestCoverage:
    def test_overlapping_rectangles_count_once_though_their_sum_is_larger(self) -> None:
        masks = [rectangle(0, 0, 10, 10), rectangle(5, 5, 10, 10), rectangle(40, 40, 2, 3)]
        counts = count_coverage(masks, [1, 2, 2], 50, 50, 3)
        assert sum(mask.area for mask in masks) == 206
        assert counts == CoverageCounts(masked=181, overlapping=25, by_class=(100, 106, 0))

    def test_ten_times_the_same_mask_covers_no_more_than_one(self) -> None:
        counts = count_coverage([rectangle(2, 3, 4, 5)] * 10, [1] * 10, 20, 20, 1)
        assert counts == CoverageCounts(masked=20, overlapping=20, by_class=(20,))

    def test_nothing_found_is_a_normal_result(self) -> None:
        assert count_coverage([], [], 20, 30, 2) == CoverageCounts(0, 0, (0, 0))
        assert count_coverage([EMPTY], [1], 20, 30, 2) == CoverageCounts(0, 0, (0, 0))

    @given(scene())
    @settings(deadline=None)
    def test_counting_in_windows_equals_counting_on_full_canvases(
        self, scene: tuple[int, int, list[WindowMask], list[int]]
    ) -> None:
        height, width, masks, labels = scene
        full = np.array([canvas(mask, height, width) for mask in masks]).reshape(len(masks), height, width)
        depth = full.sum(0)
        counts = count_coverage(masks, labels, height, width, 3)
        assert counts.masked == (depth > 0).sum()
        assert counts.overlapping == (depth > 1).sum()
        of_class = [full[np.array(labels, int) == class_id].any(0).sum() for class_id in (1, 2, 3)]
        assert list(counts.by_class) == of_class
        assert (union_mask(masks, height, width) == (depth > 0)).all()

    @given(number=st.integers(1, 12), largest=st.sampled_from((40, 1500)), seed=st.integers(0, 999))
    @settings(max_examples=25, deadline=None)
    def test_counting_a_large_picture_block_by_block_equals_counting_it_whole(
        self, number: int, largest: int, seed: int
    ) -> None:
        random, (height, width) = np.random.default_rng(seed), (2500, 3100)
        assert height * width > 2 * BLOCK_SIDE**2
        masks, depth = [], np.zeros((height, width), np.uint8)
        of_class = np.zeros((2, height, width), bool)
        labels = random.integers(1, 3, number).tolist()
        for label in labels:
            rows, columns = random.integers(0, largest, 2)
            y, x = random.integers(0, height - rows + 1), random.integers(0, width - columns + 1)
            masks.append(WindowMask(int(x), int(y), random.random((rows, columns)) < 0.6))
            depth[masks[-1].window] += masks[-1].pixels
            of_class[label - 1][masks[-1].window] |= masks[-1].pixels
        counts = count_coverage(masks, labels, height, width, 2)
        assert (counts.masked, counts.overlapping) == ((depth > 0).sum(), (depth > 1).sum())
        assert counts.by_class == tuple(of_class.sum((1, 2)))
        percents = cover_percents(masks, labels, Counted(height, width), 2)
        assert percents[0] == percent(counts.masked, height * width)

    @given(scene())
    @settings(deadline=None)
    def test_the_union_is_never_above_the_sum_and_coverage_lies_between_0_and_100(
        self, scene: tuple[int, int, list[WindowMask], list[int]]
    ) -> None:
        height, width, masks, labels = scene
        counts = count_coverage(masks, labels, height, width, 3)
        total = sum(mask.area for mask in masks)
        assert max(counts.by_class) <= counts.masked <= sum(counts.by_class) <= total
        assert counts.masked + counts.overlapping <= total
        assert 0.0 <= percent(counts.masked, height * width) <= 100.0

    def test_a_label_that_is_no_class_is_refused(self) -> None:
        with pytest.raises(InvalidOption, match="class id from 1 to 2"):
            count_coverage([rectangle(0, 0, 1, 1)], [3], 5, 5, 2)

    @pytest.mark.parametrize("place", [(-1, 0), (0, -1), (8, 0), (0, 8)])
    def test_a_window_that_leaves_the_picture_is_refused_instead_of_cut(self, place: tuple[int, int]) -> None:
        with pytest.raises(InvalidOption, match="leaves the picture of 10 x 10"):
            count_coverage([rectangle(*place, 3, 3)], [1], 10, 10, 1)


class TestMaps:
    def test_where_masks_overlap_the_first_one_keeps_the_pixel(self) -> None:
        masks = [rectangle(0, 0, 3, 1), rectangle(2, 0, 3, 1)]
        assert class_map(masks, [7, 4], 1, 6).tolist() == [[7, 7, 7, 4, 4, 0]]
        assert instance_map(masks, 1, 6).tolist() == [[1, 1, 1, 2, 2, 0]]

    def test_instance_numbers_pass_255_and_stop_at_65535(self) -> None:
        masks = [rectangle(index, 0, 1, 1) for index in range(300)]
        assert instance_map(masks, 1, 300)[0, -1] == 300
        with pytest.raises(InvalidOption, match="65,535"):
            instance_map([EMPTY] * 65_536, 1, 1)

    def test_a_class_that_8_bits_cannot_hold_is_refused(self) -> None:
        with pytest.raises(InvalidOption, match="1 to 255"):
            class_map([rectangle(0, 0, 1, 1)], [256], 1, 1)


def ring_area(ring: list[float]) -> float:
    """The shoelace formula; the sign tells the direction."""
    x, y = np.array(ring[0::2]), np.array(ring[1::2])
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


class TestPolygons:
    def test_a_rectangle_becomes_its_edges_with_cut_corners(self) -> None:
        (part,) = polygons(rectangle(10, 20, 8, 4)).polygons
        (ring,) = part
        assert (min(ring[0::2]), max(ring[0::2])) == (10.0, 18.0)
        assert (min(ring[1::2]), max(ring[1::2])) == (20.0, 24.0)
        assert len(ring) == 16
        assert abs(ring_area(ring)) == 8 * 4 - 4 * 0.125

    def test_parts_and_holes_are_told_apart(self) -> None:
        pixels = np.ones((9, 20), bool)
        pixels[3:6, 3:6] = False
        pixels[:, 12:14] = False
        parts = polygons(WindowMask(0, 0, pixels)).polygons
        assert sorted(len(part) for part in parts) == [1, 2]
        outer, hole = max(parts, key=len)
        assert ring_area(outer) * ring_area(hole) < 0
        assert abs(ring_area(hole)) == pytest.approx(9, abs=0.6)

    def test_an_empty_mask_has_no_polygons(self) -> None:
        assert polygons(EMPTY).polygons == []
        assert polygons(WindowMask(3, 3, np.zeros((4, 4), bool))).polygons == []

    def test_a_disc_keeps_its_area_within_one_percent(self) -> None:
        y, x = np.mgrid[:101, :101]
        mask = WindowMask(0, 0, (x - 50) ** 2 + (y - 50) ** 2 <= 45**2)
        area = sum(ring_area(ring) for part in polygons(mask).polygons for ring in part)
        assert abs(area) == pytest.approx(mask.area, rel=0.01)
