"""From a picture to a network's input, in each way that imported networks want it, and back."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from planimeter.packs.manifest import Preprocessing
from planimeter.pictures.preprocessing import choose_tiles, network_size, normalise, preprocess

PLAIN = {"mean": (0, 0, 0), "std": (255, 255, 255)}
WHITE = np.full((50, 100, 3), 255, np.uint8)


def test_edges_pads_at_the_right_and_the_bottom_with_zeros() -> None:
    image, placement = preprocess(WHITE, Preprocessing(shortest_edge=50, longest_edge=200, **PLAIN))
    assert image.shape == (1, 3, 64, 128)
    assert image[0, :, :50, :100].min() == 1
    assert image[0, :, 50:].max() == image[0, :, :, 100:].max() == 0
    assert (placement.across, placement.down, placement.left, placement.top) == (1, 1, 0, 0)


def test_a_letterbox_centres_the_picture_in_grey() -> None:
    image, placement = preprocess(WHITE, Preprocessing(fit="letterbox", size=(64, 64), **PLAIN))
    assert image.shape == (1, 3, 64, 64)
    assert image[0, :, 16:48].min() == 1
    assert image[0, :, :16].max() == image[0, :, 48:].min() == np.float32(114 / 255)
    assert (placement.across, placement.down, placement.left, placement.top) == (0.64, 0.64, 0, 16)


def test_the_odd_row_of_a_letterbox_lies_at_the_bottom() -> None:
    picture = np.full((49, 64, 3), 255, np.uint8)
    image, placement = preprocess(picture, Preprocessing(fit="letterbox", size=(64, 64), **PLAIN))
    assert placement.top == 7
    assert (image[0, 0, :, 0] == 1).sum() == 49
    assert image[0, 0, 55, 0] == 1 > image[0, 0, 56, 0]


def test_a_rectangle_is_a_letterbox_with_no_more_grey_than_needed() -> None:
    image, placement = preprocess(WHITE, Preprocessing(fit="rectangle", size=(128, 128), **PLAIN))
    assert image.shape == (1, 3, 64, 128)
    assert (placement.scaled_height, placement.scaled_width, placement.top) == (64, 128, 0)
    narrow = np.full((50, 90, 3), 255, np.uint8)
    image, placement = preprocess(narrow, Preprocessing(fit="rectangle", size=(128, 128), **PLAIN))
    assert image.shape == (1, 3, 96, 128)
    assert (placement.scaled_height, placement.top) == (71, 12)


def test_a_stretched_picture_fills_the_input_and_its_boxes_come_back_exactly() -> None:
    image, placement = preprocess(WHITE, Preprocessing(fit="stretch", size=(64, 64), **PLAIN))
    assert image.min() == 1
    whole = placement.in_picture(np.array([[0, 0, 64, 64], [32, 32, 99, 64]], np.float32))
    assert whole.tolist() == [[0, 0, 100, 50], [50, 25, 100, 50]]


@pytest.mark.parametrize("fit", ["edges", "letterbox", "rectangle"])
@given(sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=2, max_size=4))
@settings(deadline=None, max_examples=30)
def test_an_input_that_is_written_over_is_what_a_new_one_is(
    fit: Literal["edges", "letterbox", "rectangle"], sizes: list[tuple[int, int]]
) -> None:
    size = None if fit == "edges" else (64, 64)
    rules = Preprocessing(fit=fit, size=size, shortest_edge=40, longest_edge=64, multiple=32)
    rng = np.random.default_rng(len(sizes))
    image = None
    for height, width in sizes:
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        before = image
        image, placement = preprocess(pixels, rules, into=before)
        new, same = preprocess(pixels, rules)
        assert np.array_equal(image, new)
        assert placement == same
        assert (image is before) is (before is not None and before.shape == new.shape)


def test_boxes_of_a_letterbox_come_back_without_its_borders() -> None:
    _, placement = preprocess(WHITE, Preprocessing(fit="letterbox", size=(64, 64), **PLAIN))
    assert placement.in_picture(np.array([[0, 16, 32, 48]], np.float32)).tolist() == [[0, 0, 50, 50]]


def test_native_leaves_a_picture_alone_unless_it_is_too_long() -> None:
    native = Preprocessing(fit="native", longest_edge=1000, multiple=1)
    assert preprocess(WHITE, native)[0].shape == (1, 3, 50, 100)
    assert network_size(500, 2000, native) == (250, 1000)


def test_channels_can_be_swapped_with_their_means() -> None:
    red = np.zeros((32, 32, 3), np.uint8) + np.array([200, 0, 0], np.uint8)
    swapped = Preprocessing(fit="native", channels="bgr", mean=(1, 2, 3), std=(1, 1, 1))
    assert preprocess(red, swapped)[0][0, :, 0, 0].tolist() == [-1, -2, 197]


@settings(deadline=None)
@given(
    sides=st.tuples(*[st.integers(8, 90)] * 4),
    grey=st.booleans(),
    odd=st.booleans(),
    channels=st.sampled_from(("rgb", "bgr")),
    seed=st.integers(0, 2**32 - 1),
)
def test_an_input_is_to_the_bit_what_scaling_and_normalising_all_channels_at_once_gives(
    sides: tuple[int, ...],
    grey: bool,
    odd: bool,
    channels: Literal["rgb", "bgr"],
    seed: int,
) -> None:
    rows, columns, *size = sides
    how = Preprocessing(
        fit="stretch",
        size=(32 + size[0], 32 + size[1]),
        channels=channels,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
    )
    chance = np.random.default_rng(seed)
    picture = chance.integers(0, 256, (rows, columns, 3), np.uint8)
    if grey:
        picture[:] = picture[..., :1]
    if odd:  # one pixel of one channel is what makes it a picture in colours
        picture[chance.integers(rows), chance.integers(columns), chance.integers(3)] ^= 1
    image, _ = preprocess(picture, how)
    scaled = np.asarray(
        Image.fromarray(picture).resize((32 + size[1], 32 + size[0]), Image.Resampling.BILINEAR)
    )
    assert np.array_equal(image[0], normalise(scaled, how).transpose(2, 0, 1))


def test_without_antialiasing_four_pixels_are_read_as_opencv_does() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, 0::4] = 255
    image, _ = preprocess(stripes, Preprocessing(fit="stretch", size=(32, 32), antialias=False, **PLAIN))
    assert image.max() == 0  # columns 1 and 2 of each four are read, and both are black
    image, _ = preprocess(stripes, Preprocessing(fit="stretch", size=(32, 32), **PLAIN))
    assert 0.1 < image.mean() < 0.4


def test_a_fixed_input_is_never_cut_into_tiles_unless_asked() -> None:
    assert len(choose_tiles(4000, 4000, Preprocessing(fit="letterbox", size=(640, 640)))[0]) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"fit": "letterbox"}, {"size": (640, 640)}, {"fit": "stretch", "size": (8, 8)}, {"std": (1, 0, 1)}],
)
def test_what_does_not_fit_together_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"size|std"):
        Preprocessing.model_validate(wrong)
