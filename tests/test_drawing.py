import tracemalloc
from collections.abc import Callable
from io import BytesIO
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from planimeter.drawing.drawing import MOST_LABELS, Style, draw, draw_measurement
from planimeter.drawing.encoding import encode_jpeg, encode_mask_png, encode_png, thumbnail
from planimeter.drawing.labels import Tag, font_of, write_tags
from planimeter.drawing.layers import FILL_OPACITY
from planimeter.drawing.png import write_png
from planimeter.drawing.thumbnail import draw_thumbnail
from planimeter.errors import InvalidOption
from planimeter.masks.polygons import polygons
from planimeter.masks.rle import rle_encode
from planimeter.masks.union import union_mask
from planimeter.masks.window import EMPTY, WindowMask
from planimeter.measurement import (
    ClassCoverage,
    Coverage,
    ImageInfo,
    Instance,
    Measurement,
    ModelInfo,
    Options,
    Timing,
)
from planimeter.pictures.decode import decode

RED, BLUE = "#ff0000", "#0000ff"
STYLES: tuple[Style, ...] = get_args(Style)


def grey(height: int = 60, width: int = 80, value: int = 100) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def rectangle(x: int, y: int, width: int, height: int) -> WindowMask:
    return WindowMask(x, y, np.ones((height, width), bool))


def test_fill_lays_the_class_colour_over_the_inside_and_draws_the_rim_in_it() -> None:
    drawn = draw(grey(), [rectangle(20, 20, 20, 20)], [1], [RED, BLUE])
    share = round(256 * FILL_OPACITY)
    assert drawn[30, 30].tolist() == [
        (100 * (256 - share) + 255 * share) >> 8,
        *[100 * (256 - share) >> 8] * 2,
    ]
    assert drawn[20, 30].tolist() == drawn[39, 39].tolist() == [255, 0, 0]
    assert drawn[10, 10].tolist() == [100, 100, 100]


def test_outline_leaves_the_inside_as_it_is() -> None:
    drawn = draw(grey(), [rectangle(20, 20, 20, 20)], [2], [RED, BLUE], style="outline")
    assert (drawn[21:39, 21:39] == 100).all()
    assert drawn[20, 25].tolist() == [0, 0, 255]


def test_splash_keeps_the_colours_of_instances_alone() -> None:
    pixels = grey()
    pixels[:] = (200, 120, 40)
    drawn = draw(pixels, [rectangle(20, 20, 20, 20)], [1], [RED], style="splash")
    assert (drawn[21:39, 21:39] == (200, 120, 40)).all()
    red, green, blue = drawn[5, 5].tolist()
    assert red == green == blue < 100


def test_a_bright_outline_has_a_dark_seam_on_a_white_picture() -> None:
    drawn = draw(grey(value=255), [rectangle(20, 20, 20, 20)], [1], ["#ffff00"], style="outline")
    assert drawn[19, 30].max() < 180
    assert drawn[17, 30].min() == 255


def test_the_rim_lies_inside_the_mask_and_not_on_the_border_of_the_picture() -> None:
    drawn = draw(grey(), [rectangle(0, 0, 80, 30)], [1], [RED], style="outline")
    assert (drawn[:29] == 100).all()
    assert (drawn[29] == (255, 0, 0)).all()


def test_instances_of_one_class_that_touch_differ_in_colour() -> None:
    masks = [rectangle(10 * column, 10 * row, 10, 10) for row in range(4) for column in range(4)]
    drawn = draw(grey(), masks, [1] * 16, ["#e69f00"], show_labels=False)
    inside = drawn[5:40:10, 5:40:10].astype(int)
    assert abs(np.diff(inside, axis=0)).sum(-1).min() > 8
    assert abs(np.diff(inside, axis=1)).sum(-1).min() > 8


def test_where_masks_overlap_the_first_one_gives_the_colour() -> None:
    first, second = rectangle(10, 10, 30, 30), rectangle(20, 20, 30, 30)
    drawn = draw(grey(), [first, second], [1, 2], [RED, BLUE])
    assert drawn[30, 30].tolist() == drawn[15, 15].tolist()
    assert drawn[45, 45].tolist() != drawn[15, 15].tolist()


def test_line_widths_grow_with_the_picture() -> None:
    drawn = draw(grey(2000, 2800), [rectangle(500, 500, 900, 900)], [1], [RED], style="outline")
    assert (drawn[900, 500:504] == (255, 0, 0)).all()
    assert drawn[900, 520].tolist() == [100, 100, 100]


def test_the_given_pixels_are_not_drawn_on() -> None:
    pixels = grey()
    for style in STYLES:
        draw(pixels, [rectangle(20, 20, 20, 20)], [1], [RED], names=["n"], scores=[0.9], style=style)
    assert (pixels == 100).all()


def test_a_picture_with_nothing_in_it_is_drawn_as_it_is() -> None:
    assert (draw(grey(), [], [], [RED]) == 100).all()
    assert (draw(grey(), [EMPTY], [1], [RED], names=["n"], scores=[1.0], show_boxes=True) == 100).all()


def test_boxes_go_round_the_mask_not_round_its_window() -> None:
    pixels = np.zeros((20, 20), bool)
    pixels[5:15, 5:15] = np.eye(10, dtype=bool)
    drawn = draw(grey(), [WindowMask(10, 10, pixels)], [1], [RED], style="outline", show_boxes=True)
    assert drawn[15, 24].tolist() == drawn[24, 15].tolist() == [255, 0, 0]
    assert drawn[10, 10].tolist() == [100, 100, 100]


def label_ink(masks: list[WindowMask], labels: list[int], names: list[str], size: int = 400) -> NDArray[Any]:
    """Return [H, W]: the pixels that labels change."""
    colors, scores = [RED, BLUE][: len(names)], [0.9] * len(masks)
    plain, labelled = (
        draw(grey(size, size), masks, labels, colors, names=names, scores=scores, show_labels=show)
        for show in (False, True)
    )
    changed: NDArray[np.bool_] = (plain != labelled).any(-1)
    return changed


def test_a_label_stands_just_above_its_instance() -> None:
    ink = label_ink([rectangle(100, 200, 200, 100)], [1], ["scratch", "dent"])
    rows, columns = np.nonzero(ink)
    assert 170 < rows.min() < rows.max() < 200
    assert 100 < columns.min() < columns.max() < 300


def test_a_label_moves_below_where_there_is_no_room_above() -> None:
    rows, _ = np.nonzero(label_ink([rectangle(100, 0, 200, 100)], [1], ["scratch", "dent"]))
    assert 100 <= rows.min() < rows.max() < 130


def test_a_label_does_not_hide_another_instance() -> None:
    masks = [rectangle(100, 100, 200, 100), rectangle(100, 0, 200, 100), rectangle(100, 200, 200, 200)]
    ink = label_ink(masks, [1, 2, 2], ["scratch", "dent"])
    assert ink[101:180].any()
    assert not ink[60:101].any()
    assert not ink[180:201].any()


def test_crowds_small_instances_and_bare_scores_without_room_get_no_labels() -> None:
    crowd = [rectangle(9 * (index % 40), 9 * (index // 40), 8, 8) for index in range(MOST_LABELS + 1)]
    assert not label_ink(crowd, [1] * len(crowd), ["scratch", "dent"]).any()
    assert not label_ink([rectangle(100, 100, 4, 4)], [1], ["scratch", "dent"]).any()
    assert not label_ink([rectangle(100, 100, 20, 20)], [1], ["nucleus"]).any()
    assert label_ink([rectangle(100, 100, 90, 90)], [1], ["nucleus"]).any()


def test_an_unknown_style_is_refused_by_name() -> None:
    with pytest.raises(InvalidOption, match="'neon' is not one of fill, outline, splash"):
        draw(grey(), [], [], [RED], style="neon")  # type: ignore[arg-type]


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_masks_on_any_picture_are_drawn_and_change_nothing_far_from_them(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    masks = []
    for _ in range(data.draw(st.integers(0, 4))):
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        rows, columns = data.draw(st.integers(0, height - top)), data.draw(st.integers(0, width - left))
        masks.append(WindowMask(left, top, data.draw(arrays(bool, (rows, columns)))))
    labels = [1 + index % 2 for index in range(len(masks))]
    style = data.draw(st.sampled_from(STYLES))
    options: dict[str, Any] = {"names": ["a", "b"], "scores": [0.5] * len(masks), "style": style}
    drawn = draw(grey(height, width), masks, labels, [RED, BLUE], **options, show_boxes=True)
    assert drawn.shape == (height, width, 3)
    assert drawn.dtype == np.uint8
    plain = draw(grey(height, width), masks, labels, [RED, BLUE], **options, show_labels=False)
    near = np.pad(union_mask(masks, height, width), 1)
    near = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | near[1:-1, 1:-1]
    assert (plain[~near] == (100 if style != "splash" else 44)).all()


def measurement(mask: WindowMask, *, rle: bool = True) -> Measurement:
    stored = rle_encode(mask, 60, 80) if rle else polygons(mask)
    covered = ClassCoverage.model_validate(
        {"class": "scratch", "class_id": 1, "count": 1, "pixels_masked": 400, "percent_masked": 100 / 12}
    )
    instance = Instance.model_validate(
        {
            "id": 1,
            "class": "scratch",
            "class_id": 1,
            "score": 0.9,
            "bbox": (20, 20, 20, 20),
            "area_px": 400,
            "percent": 100 / 12,
            "mask": stored,
        }
    )
    return Measurement(
        image=ImageInfo(filename="a.png", format="PNG", width=80, height=60, sha256="0" * 64),
        model=ModelInfo(name="m", version="1", sha256="0", runtime="torch", precision="f32", device="cpu"),
        options=Options(score_threshold=0.5),
        coverage=Coverage(
            percent_masked=100 / 12,
            pixels_masked=400,
            pixels_counted=4800,
            pixels_overlapping=0,
            by_class=[covered],
        ),
        instances=[instance],
        timing_ms=Timing(),
    )


@pytest.mark.parametrize("style", STYLES)
def test_a_stored_measurement_is_drawn_as_it_was_when_measured(style: Style) -> None:
    mask = rectangle(20, 20, 20, 20)
    fresh = draw(grey(), [mask], [1], [RED], names=["scratch"], scores=[0.9], style=style)
    assert (draw_measurement(grey(), measurement(mask), [RED], style) == fresh).all()


def test_a_measurement_without_exact_masks_is_drawn_only_with_masks_given() -> None:
    mask = rectangle(20, 20, 20, 20)
    approximate = measurement(mask, rle=False)
    with pytest.raises(InvalidOption, match="mask_format rle"):
        draw_measurement(grey(), approximate, [RED])
    drawn = draw_measurement(grey(), approximate, [RED], masks=[mask])
    assert (drawn == draw_measurement(grey(), measurement(mask), [RED])).all()


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    kind=st.sampled_from(["grey", "deep", "colour"]),
    block=st.integers(1, 500),
)
@settings(deadline=None)
def test_what_a_png_holds_is_what_was_written(shape: tuple[int, int], kind: str, block: int) -> None:
    random = np.random.default_rng(shape[0])
    if kind == "deep":
        pixels: NDArray[Any] = random.integers(0, 65_535, shape, np.uint16)
    else:
        pixels = random.integers(0, 255, (*shape, 3) if kind == "colour" else shape, np.uint8)
    with Image.open(BytesIO(write_png(pixels, block_bytes=block))) as image:
        image.load()
        assert np.array_equal(np.array(image), pixels)


def test_png_keeps_every_pixel_and_jpeg_keeps_the_size() -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (30, 40, 3), np.uint8)
    assert (decode(encode_png(pixels)).pixels == pixels).all()
    picture = decode(encode_jpeg(grey(30, 40)))
    assert picture.info.format == "JPEG"
    assert abs(picture.pixels.astype(int) - 100).max() <= 2


def test_a_mask_png_is_0_and_255_for_bool_and_exact_for_8_and_16_bits() -> None:
    def read(data: bytes) -> NDArray[Any]:
        with Image.open(BytesIO(data)) as image:
            assert image.format == "PNG"
            return np.array(image)

    assert read(encode_mask_png(np.array([[True, False]]))).tolist() == [[255, 0]]
    assert read(encode_mask_png(np.array([[3, 250]], np.uint8))).tolist() == [[3, 250]]
    assert read(encode_mask_png(np.array([[1, 300, 65_535]], np.uint16))).tolist() == [[1, 300, 65_535]]


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_of_many_blocks_of_rows_is_drawn_as_one(style: Style) -> None:
    """Lying and standing, its blocks of rows end in other places."""
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (2100, 2300, 3), np.uint8)
    rows, columns = np.mgrid[:2100, :2300]
    disc = WindowMask(0, 0, (rows - 1400) ** 2 + (columns - 1100) ** 2 < 390_000)
    specks = WindowMask(3, 40, random.random((2000, 1700)) < 0.001)
    masks, turned = [disc, specks], [WindowMask(mask.y, mask.x, mask.pixels.T) for mask in (disc, specks)]
    drawn = draw(pixels, masks, [1, 2], [RED, BLUE], style=style, show_labels=False)
    standing = draw(pixels.transpose(1, 0, 2), turned, [1, 2], [RED, BLUE], style=style, show_labels=False)
    assert (drawn == standing.transpose(1, 0, 2)).all()


def _peak(work: Callable[[], object]) -> int:
    """Return how many bytes were held at once, beside what was there before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_picture_is_drawn_and_written_in_little_memory_beside_it() -> None:
    side = 4000
    pixels = np.random.default_rng(6).integers(0, 256, (side, side, 3), np.uint8)
    everywhere, spot = rectangle(0, 0, side, side), rectangle(1000, 1000, 300, 300)
    for masks, bytes_a_pixel in (([spot], 3), ([everywhere], 10)):
        peak = _peak(
            lambda masks=masks: draw(pixels, masks, [1], [RED], names=["spot"], scores=[0.9], copy=False)  # type: ignore[misc]
        )
        assert peak < bytes_a_pixel * side**2
        assert _peak(lambda masks=masks: draw_thumbnail(pixels, masks, [1], [RED], 320)) < 10 * side**2  # type: ignore[misc]
    noise = np.random.default_rng(7).integers(0, 256, (side, side, 3), np.uint8)
    assert _peak(lambda: encode_png(noise)) < 4 * side**2  # noise is three bytes a pixel in the file too


@pytest.mark.parametrize("mask", [np.zeros((3, 3), np.float32), np.zeros((3, 3, 3), np.uint8)])
def test_what_is_no_mask_is_not_written_as_one(mask: NDArray[Any]) -> None:
    with pytest.raises(InvalidOption, match="bool, uint8 or uint16"):
        encode_mask_png(mask)


def test_a_thumbnail_keeps_the_shape_and_never_enlarges() -> None:
    picture = decode(thumbnail(grey(600, 1200)))
    assert (picture.info.width, picture.info.height) == (320, 160)
    picture = decode(thumbnail(grey(30, 40)))
    assert (picture.info.width, picture.info.height) == (40, 30)


# ---- Small pictures


def test_a_small_picture_is_whole_and_shows_every_instance_however_small() -> None:
    pixels = np.full((600, 1200, 3), 90, np.uint8)
    dot = WindowMask(1100, 500, np.ones((3, 3), bool))  # a fortieth of a pixel of the small picture
    wide = WindowMask(0, 0, np.ones((300, 300), bool))
    small = draw_thumbnail(pixels, [dot, wide], [1, 2], ["#ff0000", "#0000ff"], 320)
    assert small.shape == (160, 320, 3)
    changed = (small != 90).any(axis=2)
    assert changed[500 * 160 // 600, 1100 * 320 // 1200]
    around = changed[125:145, 280:308]
    assert 30 < int(around.sum()) < around.size  # a ring, and the picture within it
    assert changed[:80, :80].all()
    assert not changed[:, 100:270].any()
    assert draw_thumbnail(pixels[:50, :40], [], [], ["#ff0000"], 320).shape == (50, 40, 3)


@given(
    text=st.text(st.characters(categories=("L", "N", "P", "M", "Zs")), max_size=12),
    size=st.integers(8, 60),
    area=st.tuples(st.integers(0, 90), st.integers(0, 50), st.integers(3, 99), st.integers(3, 60)),
    paint=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_labels_are_written_as_pillow_writes_them(
    text: str, size: int, area: tuple[int, int, int, int], paint: tuple[int, int, int]
) -> None:
    left, top, width, height = area
    right, bottom = left + width, top + height
    font = font_of(size)
    wanted = Image.fromarray(grey(80, 130))
    pen = ImageDraw.Draw(wanted)
    pen.rounded_rectangle((left, top, right - 1, bottom - 1), radius=max(2, round(size / 4)), fill=paint)
    red, green, blue = paint
    ink = "black" if (77 * red + 150 * green + 29 * blue) >> 8 > 110 else "white"
    middle = (left + right) / 2, (top + bottom) / 2
    pen.text(middle, text, fill=ink, font=font, anchor="mm")
    canvas = grey(80, 130)
    write_tags(canvas, [Tag(text, (left, top, right, bottom), np.array(paint, np.uint8))], font)
    np.testing.assert_array_equal(canvas, np.asarray(wanted))
