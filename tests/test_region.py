"""What of a picture counts: polygons as masks, and exact counts of rectangles in them."""

import cProfile
import json
import pstats
import re
from io import BytesIO
from math import atan2
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon2mask

from fakes import DotRuntime, block_segmenter, blocks, dot_pack, dots, encoded
from planimeter.errors import InvalidOption, NothingToCount, PlanimeterError
from planimeter.masks.region import MOST_CORNERS, _crossing, _side, check_polygon, polygons_mask
from planimeter.measurement import Ignored
from planimeter.measuring.candidates import PackedCandidates
from planimeter.measuring.coverage import at_threshold
from planimeter.measuring.measured import Measured
from planimeter.measuring.segmenter import Segmenter
from planimeter.pictures.decode import decode

Box = tuple[int, int, int, int]
PIXELS = blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48))
"""1,024 pixels of red and 1,024 of green, 256 of both, of 4,096."""


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def region(*include: Box, exclude: tuple[Box, ...] = ()) -> dict[str, Any]:
    return {
        "include": [rectangle(*box) for box in include],
        "exclude": [rectangle(*box) for box in exclude],
    }


# ---- Polygons


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 48), st.integers(0, 40)), min_size=3, max_size=9, unique=True),
    st.booleans(),
)
def test_pixels_of_a_polygon_are_those_of_skimage(corners: list[tuple[int, int]], around: bool) -> None:
    """Also where corners and edges lie on centres of pixels: these are half pixels."""
    if around:  # such a polygon seldom crosses itself
        corners = sorted(corners, key=lambda at: atan2(at[1] - 19.7, at[0] - 23.6))
    points = [(x / 2, y / 2) for x, y in corners]
    try:
        check_polygon(points, "it", 20, 24)
    except InvalidOption:
        return
    theirs = polygon2mask((20, 24), [(y - 0.5, x - 0.5) for x, y in points])  # type: ignore[no-untyped-call]
    assert (polygons_mask([points], 20, 24) == theirs).all()


def test_a_rectangle_of_whole_pixels_is_these_pixels() -> None:
    mask = polygons_mask([[(2, 3), (7, 3), (7, 9), (2, 9)]], 12, 10)
    assert mask[3:9, 2:7].all()
    assert mask.sum() == 30


@pytest.mark.parametrize(
    ("corners", "what"),
    [
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "crosses or touches itself"),
        ([(0, 0), (10, 0), (5, 5), (10, 10), (0, 10), (5, 5)], "crosses or touches itself"),
        ([(0, 0), (65, 0), (10, 10)], "a corner at (65, 0), outside the picture of 64 x 48"),
        ([(0, 0), (10, 0), (10, 0), (0, 0)], "has 2 corners"),
        ([], "has 0 corners"),
        ([(1, 2)], "has 1 corner;"),
        ([(0, 0), (10, 0), (5, 0)], "has all its corners on one line"),
        ([(0, 0), (5, 5), (10, 10), (2, 2)], "has all its corners on one line"),
        ([(0, 0), (10, 0), (5, 0), (5, 5)], "folds back on itself at (10, 0); leave that corner out"),
    ],
)
def test_what_is_no_polygon_is_named(corners: list[tuple[float, float]], what: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        check_polygon(corners, "polygon 1 of region.include", 48, 64)
    assert str(raised.value).startswith("polygon 1 of region.include")
    assert what in str(raised.value)


def test_a_ring_may_be_closed_and_may_be_concave() -> None:
    check_polygon([(0, 0), (10, 0), (10, 10), (5, 2), (0, 10), (0, 0)], "it", 48, 64)


def plainly_crossing(points: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return what `_crossing` does, by comparing each edge with all that follow."""
    count, after = len(points), np.roll(points, -1, axis=0)
    for index in range(count - 2):
        others = np.arange(index + 2, count - (index == 0))
        start, end, first, last = points[index], after[index], points[others], after[others]
        sides = _side(start, end, first) * _side(start, end, last)
        back = _side(first, last, start) * _side(first, last, end)
        low, high = np.minimum(start, end), np.maximum(start, end)
        apart = (np.maximum(first, last) < low) | (np.minimum(first, last) > high)
        meets = (sides <= 0) & (back <= 0) & ~apart.any(axis=1)
        if meets.any():
            return index, int(others[int(np.argmax(meets))])
    return None


def plainly_filled(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Return what `polygons_mask` does, edge by edge."""
    turns, edge = np.zeros((height, width + 1), np.uint8), np.zeros((height, width), bool)
    middles = np.arange(height) + 0.5
    for (x0, y0), (x1, y1) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        if y0 == y1:
            for row in np.flatnonzero(middles == y0):
                first, last = np.ceil(min(x0, x1) - 0.5), np.floor(max(x0, x1) - 0.5)
                edge[row, max(0, int(first)) : int(last) + 1] = True
            continue
        for row in np.flatnonzero((middles >= min(y0, y1)) & (middles <= max(y0, y1))):
            meets = x0 + (middles[row] - y0) * (x1 - x0) / (y1 - y0) - 0.5
            column = np.ceil(meets)
            if column == meets and 0 <= column < width:
                edge[row, int(column)] = True
            if middles[row] < max(y0, y1):
                turns[row, int(np.clip(column, 0, width))] ^= 1
    right = np.bitwise_xor.accumulate(turns[:, ::-1], axis=1)[:, ::-1]
    inside: NDArray[np.bool_] = right[:, 1:].astype(bool) | edge
    return inside


def crossing_of(points: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return the edges by whose first corners a polygon is refused as crossing itself."""
    try:
        check_polygon([(x, y) for x, y in points.tolist()], "it", 48, 48)
    except InvalidOption as error:
        places = re.findall(r"\(([^)]+), ([^)]+)\)", str(error))
        if "crosses" not in str(error):
            return -1, -1
        one, other = (
            [f"{x:g}", f"{y:g}"] for x, y in points[list(plainly_crossing(points) or (0, 0))].tolist()
        )
        assert [[*place] for place in places] == [one, other]
        return plainly_crossing(points)
    return None


COORDINATES = st.one_of(
    st.integers(0, 12).map(float), st.integers(0, 24).map(lambda value: value / 2), st.floats(0, 48, width=32)
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=40, unique=True), st.booleans())
def test_crossings_and_pixels_are_those_of_going_over_each_edge(
    corners: list[tuple[float, float]], around: bool
) -> None:
    """To the bit, whichever edges are looked at together."""
    if around:
        corners = sorted(corners, key=lambda at: atan2(at[1] - 19.7, at[0] - 23.6))
    points = np.array(corners)
    assert _crossing(points) == plainly_crossing(points)
    crossing_of(points)
    assert (polygons_mask([corners], 48, 48) == plainly_filled(points, 48, 48)).all()


@pytest.mark.parametrize("seed", range(8))
def test_it_is_so_for_as_many_corners_as_there_may_be(seed: int) -> None:
    """Stars, combs that overlap along both axes, and walks: also where pairs are looked at in several parts."""
    chance = np.random.default_rng(seed)
    angles = np.sort(chance.uniform(0, 2 * np.pi, MOST_CORNERS))
    star = 24 + chance.uniform(2, 22, (MOST_CORNERS, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    teeth = np.arange(MOST_CORNERS)
    comb = np.stack([np.where(teeth % 4 < 2, 1.0, 47.0), 1 + (teeth // 2) * 46 / MOST_CORNERS], 1)
    walk = np.clip(np.cumsum(chance.normal(0, 0.3, (MOST_CORNERS, 2)), axis=0) + 24, 0, 48)
    for points in (star, comb, comb[:, ::-1], walk, star[::-1]):
        assert _crossing(points) == plainly_crossing(points)
        assert (polygons_mask([points.tolist()], 48, 48) == plainly_filled(points, 48, 48)).all()


def test_a_region_is_checked_and_drawn_once_a_picture_and_a_threshold() -> None:
    part = region((0, 0, 32, 64), exclude=((0, 0, 32, 8),))
    segmenter = block_segmenter()
    for of in (None, "green"):
        with cProfile.Profile() as profile:
            measured = segmenter.measure(PIXELS, region=part, of=of)
        counting, plain = measured.options.counting, measured.without_picture()
        assert calls_of("check_region", profile) == calls_of("_drawn", profile) == 1
        with cProfile.Profile() as profile:
            at = at_threshold(plain, measured.candidates().packed().opened(), 0.5, None, counting)
        assert calls_of("check_region", profile) == calls_of("_drawn", profile) == 1
        assert at.coverage == measured.coverage


def calls_of(name: str, profile: cProfile.Profile) -> int:
    found: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return sum(calls[1] for (_, _, function), calls in found.items() if function == name)


# ---- Counts


def figures(measured: Measured) -> tuple[int, int, int, list[int], list[int]]:
    coverage = measured.coverage
    return (
        coverage.pixels_masked,
        coverage.pixels_counted,
        coverage.pixels_overlapping,
        [entry.pixels_masked for entry in coverage.by_class],
        [entry.area_px for entry in measured.instances],
    )


def test_a_region_clips_every_figure() -> None:
    measured = block_segmenter().measure(PIXELS, region=region((8, 8, 40, 24)))
    # Red has 24 x 16 pixels in it, green 24 x 8, both 16 x 8.
    assert figures(measured) == (384 + 192 - 128, 512, 128, [384, 192], [384, 192])
    assert measured.coverage.percent_masked == 100 * 448 / 512
    assert measured.instances[0].bbox == (8, 8, 24, 16)
    assert measured.mask().sum() == 448
    assert measured.coverage.interval is None
    assert {"region_counts", "interval_unknown"} <= {note.code for note in measured.notes}


def test_an_instance_outside_is_told_and_not_listed() -> None:
    measured = block_segmenter().measure(PIXELS, region=region((0, 0, 16, 64)))
    assert figures(measured) == (512, 1024, 0, [512, 0], [512])
    assert measured.coverage.left_out is not None
    assert measured.coverage.left_out.outside == 1
    assert "1 instance is wholly outside" in " ".join(map(str, measured.notes))


def test_what_is_excluded_and_a_mask_take_away_from_it() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:40] = 7
    measured = block_segmenter().measure(
        PIXELS, region=region((0, 0, 32, 64), exclude=((0, 0, 32, 8),)), region_mask=mask
    )
    assert figures(measured)[:2] == (32 * 24 + 16 * 8, 32 * 32)
    only_excluded = block_segmenter().measure(PIXELS, region=region(exclude=((0, 0, 64, 32),)))
    assert figures(only_excluded)[:2] == (32 * 16, 64 * 32)


def test_pixels_that_say_nothing_are_left_out_and_told() -> None:
    pixels = PIXELS.copy()
    pixels[40:48, 50:60] = 100, 20, 20  # so that the border ends somewhere; no block
    pixels[60:, :] = 255
    pixels[60:, :, :2] = 255
    framed = np.dstack([pixels, np.full((64, 64), 255, np.uint8)])
    framed[:4, :, 3] = 0
    kinds: tuple[Ignored, ...] = ("saturated", "transparent")
    measured = block_segmenter().measure(framed, ignore=kinds, region=region((0, 0, 64, 62)))
    left_out = measured.coverage.left_out
    assert left_out is not None
    assert (left_out.transparent, left_out.saturated, left_out.black_border) == (256, 128, 0)
    assert measured.coverage.pixels_counted == 64 * 62 - 256 - 128
    assert "transparent 256, saturated 128" in " ".join(map(str, measured.notes))


def test_a_black_border_reaches_inwards_to_the_first_bright_pixel() -> None:
    pixels = np.full((64, 64, 3), 60, np.uint8)
    pixels[:10] = 5
    pixels[:, 60:] = 0
    pixels[30:34, 30:34] = 0  # in the middle: no border
    measured = block_segmenter().measure(pixels, ignore=["black_border"])
    assert measured.coverage.pixels_counted == 54 * 60
    assert measured.coverage.left_out is not None
    assert measured.coverage.left_out.black_border == 4096 - 54 * 60


def test_classes_and_sizes_are_left_out_and_told() -> None:
    measured = block_segmenter().measure(PIXELS, classes=["green"])
    assert figures(measured) == (1024, 4096, 0, [0, 1024], [1024])
    assert measured.coverage.left_out is not None
    assert measured.coverage.left_out.other_classes == 1
    small = block_segmenter().measure(PIXELS, region=region((0, 0, 20, 20)), least_area=17)
    assert figures(small)[4] == [400]
    assert small.coverage.left_out is not None
    assert small.coverage.left_out.smaller == 1
    assert {"region_counts", "small_left_out"} <= {note.code for note in small.notes}


def test_nothing_left_to_count_is_refused() -> None:
    with pytest.raises(NothingToCount, match="the centre of no pixel"):
        block_segmenter().measure(PIXELS, region=region((1.1, 1.1, 1.4, 1.4)))  # type: ignore[arg-type]
    with pytest.raises(NothingToCount, match="all 4,096 pixels of it are saturated"):
        block_segmenter().measure(np.full((64, 64, 3), 255, np.uint8), ignore=["saturated"])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"region": '{"include": 3}'}, "region is no region"),
        ({"region": "{"}, "region is no region"),
        ({"region": {}}, "no polygon"),
        (
            {"region_mask": np.ones((10, 12), np.uint8)},
            "region_mask has 12 x 10 pixels and the picture 64 x 64",
        ),
        ({"region_mask": b"nothing"}, "region_mask: this is text"),
        ({"ignore": ["dust"]}, "ignore names 'dust'"),
        ({"classes": ["blue"]}, "classes names 'blue', which the model lacks; it knows red, green"),
        ({"least_area": -1}, "least_area is -1"),
    ],
)
def test_what_cannot_be_is_named_in_a_sentence(options: dict[str, Any], what: str) -> None:
    with pytest.raises(PlanimeterError) as raised:
        block_segmenter().measure(PIXELS, **options)
    assert what in str(raised.value)


def test_another_threshold_is_what_a_new_measurement_would_be() -> None:
    random = np.random.default_rng(3)
    pixels = dots(random.integers(0, 256, (8, 10)), second=random.integers(0, 2, (8, 10)))
    pixels[:, :20] = 0
    dotted = dot_segmenter()
    options: dict[str, Any] = {
        "region": {"include": [[[10, 20], [300, 5], [250, 250], [60.5, 200]]]},
        "ignore": ["black_border"],
        "classes": ["red"],
        "least_area": 300,
    }
    measured = dotted.measure(pixels, score_threshold=0.7, **options)
    kept = PackedCandidates.unpack(measured.candidates().packed().pack()).opened()
    for threshold in (0.2, 0.5, 0.9):
        anew = dotted.measure(pixels, score_threshold=threshold, **options)
        again = at_threshold(measured, kept, threshold, counting=measured.options.counting)
        assert again.coverage == anew.coverage
        assert again.instances == anew.instances
        assert again.notes == anew.notes
    whole = at_threshold(measured, kept, 0.5)
    assert whole.coverage == dotted.measure(pixels, score_threshold=0.5).coverage


def dot_segmenter() -> Segmenter:

    return Segmenter(dot_pack(), DotRuntime())


def test_the_drawn_picture_dims_what_does_not_count() -> None:
    pixels = np.full((64, 64, 3), 100, np.uint8)
    drawn = block_segmenter().measure(pixels, region=region((16, 16, 48, 48))).draw()
    assert (drawn[:16] < 40).all()
    assert (drawn[20:44, 20:44] == 100).all()
    assert (drawn[16, 16:48] == (255, 213, 74)).all()


def test_a_mask_picture_counts_where_it_is_not_black() -> None:
    stream = BytesIO()
    Image.fromarray(np.eye(64, dtype=np.uint8)).save(stream, "PNG")
    measured = block_segmenter().measure(encoded(PIXELS), region_mask=stream.getvalue())
    assert (measured.coverage.pixels_counted, measured.coverage.pixels_masked) == (64, 48)
    assert json.loads(measured.model_dump_json())["options"]["counting"]["region_mask"]["size"] == [64, 64]


# ---- Masks from files


def mask_of(kind: str, mask: NDArray[Any], **how: Any) -> bytes:
    stream = BytesIO()
    Image.fromarray(mask).save(stream, kind, **how)
    return stream.getvalue()


def lossy_notes(measured: Measured) -> list[str]:
    return [note.message for note in measured.notes if note.code == "lossy_mask"]


RECTANGLE = np.zeros((64, 64), np.uint8)
RECTANGLE[13:35, 9:43] = 255
"""748 pixels, along no blocks of JPEG."""


DISC = (((np.indices((64, 64)) - 31.7) ** 2).sum(axis=0) < 400).astype(np.uint8) * 255


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 50}),
        ("WEBP", {"quality": 50}),
        ("AVIF", {"quality": 5}),
        ("JPEG2000", {"irreversible": True, "quality_mode": "rates", "quality_layers": [40]}),
        ("TIFF", {"compression": "jpeg", "quality": 60}),
    ],
)
def test_a_mask_with_losses_says_how_much_of_it_is_noise(kind: str, how: dict[str, Any]) -> None:
    data = mask_of(kind, DISC, **how)
    decoded = decode(data).pixels
    counted = np.any(decoded, axis=2)
    grey = int(np.count_nonzero(counted & ~np.all(decoded == 255, axis=2)))
    assert grey > 0
    measured = block_segmenter().measure(PIXELS, region_mask=data)
    assert measured.coverage.pixels_counted == np.count_nonzero(counted)
    (told,) = lossy_notes(measured)
    assert f"{grey:,} of its pixels are neither black nor white" in told
    later = at_threshold(
        measured.without_picture(), measured.candidates(), 0.3, None, measured.options.counting
    )
    assert "lossy_mask" in {note.code for note in later.notes}


@pytest.mark.parametrize(
    ("kind", "how"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG2000", {}), ("TIFF", {}), ("BMP", {})]
)
def test_a_mask_without_losses_says_nothing_of_that(kind: str, how: dict[str, Any]) -> None:
    for mask in (RECTANGLE, RECTANGLE // 2):  # grey on purpose
        measured = block_segmenter().measure(PIXELS, region_mask=mask_of(kind, mask, **how))
        assert measured.coverage.pixels_counted == 748
        assert lossy_notes(measured) == []


def test_a_mask_by_its_alpha_is_refused_and_an_opaque_one_counts() -> None:
    white = np.full((64, 64), 255, np.uint8)
    by_alpha = np.dstack([white, white, white, RECTANGLE])
    for source in (encoded(by_alpha), by_alpha):
        with pytest.raises(InvalidOption, match="region_mask has pixels that are not opaque"):
            block_segmenter().measure(PIXELS, region_mask=source)
    opaque = np.dstack([RECTANGLE, RECTANGLE, RECTANGLE, white])
    assert block_segmenter().measure(PIXELS, region_mask=encoded(opaque)).coverage.pixels_counted == 748


@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "group3", "group4"])
@pytest.mark.parametrize("white_is", [0, 1])
def test_a_mask_of_one_bit_counts_where_it_is_white_as_viewers_show_it(
    white_is: int, compression: str
) -> None:
    data = mask_of("TIFF", RECTANGLE > 0, compression=compression, tiffinfo={262: white_is})
    with Image.open(BytesIO(data)) as image:
        assert image.tag_v2[262] == white_is
    assert block_segmenter().measure(PIXELS, region_mask=data).coverage.pixels_counted == 748
    stored = RECTANGLE > 0 if white_is else RECTANGLE == 0
    stream = BytesIO()  # and by another writer, which inverts nothing
    tifffile.imwrite(stream, stored, photometric="minisblack" if white_is else "miniswhite")
    assert block_segmenter().measure(PIXELS, region_mask=stream.getvalue()).coverage.pixels_counted == 748
