"""The figures of a shape are those of scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from planimeter.masks.shapes import measure_shape
from planimeter.masks.window import WindowMask

measure = pytest.importorskip("skimage.measure", reason="needs the dev extra")


def compare(pixels: NDArray[np.bool_]) -> None:
    (region,) = measure.regionprops(pixels.astype(np.uint8))
    shape = measure_shape(WindowMask(3, 5, pixels))
    assert shape.equivalent_diameter_area == pytest.approx(region.equivalent_diameter_area)
    assert shape.perimeter == pytest.approx(region.perimeter, abs=1e-9)
    assert shape.feret_diameter_max == pytest.approx(region.feret_diameter_max, abs=1e-9)
    if region.perimeter:
        assert shape.circularity == pytest.approx(4 * np.pi * region.area / region.perimeter**2)
    else:
        assert shape.circularity is None


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_mask_of_any_shape_has_the_figures_of_scikit_image(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    bits = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width).filter(any))
    compare(np.array(bits).reshape(height, width))


@pytest.mark.parametrize("angle", range(0, 180, 15))
def test_an_ellipse_at_any_angle_has_the_figures_of_scikit_image(angle: int) -> None:
    y, x = np.mgrid[-60:61, -60:61]
    turn = np.radians(angle)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    compare((u / 50) ** 2 + (v / 20) ** 2 <= 1)


def test_a_disc_is_nearly_round_and_a_line_is_not() -> None:
    y, x = np.mgrid[-40:41, -40:41]
    disc = measure_shape(WindowMask(0, 0, x**2 + y**2 <= 40**2))
    assert disc.circularity == pytest.approx(1, abs=0.1)
    assert disc.feret_diameter_max == pytest.approx(81, abs=1)
    line = measure_shape(WindowMask(0, 0, np.ones((2, 80), bool)))
    assert line.circularity is not None
    assert line.circularity < 0.2


def test_an_empty_mask_has_no_shape() -> None:
    shape = measure_shape(WindowMask(0, 0, np.zeros((0, 0), bool)))
    assert (shape.equivalent_diameter_area, shape.perimeter, shape.feret_diameter_max) == (0, 0, 0)
    assert shape.circularity is None
