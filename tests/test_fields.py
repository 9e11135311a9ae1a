"""ASTM E562's figures of several fields: hand-computed cases, Student's t against tables and scipy."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planimeter.fields import field_mean, fields_needed, half_width, student_t


def test_five_fields_by_hand() -> None:
    """12, 15, 11, 14, 13: mean 13, squares of the differences 1 + 4 + 4 + 1 + 0 = 10, s = √(10/4), t(4) = 2.776."""
    found = field_mean([12.0, 15.0, 11.0, 14.0, 13.0])
    assert found is not None
    assert (found.n, found.mean) == (5, 13.0)
    assert found.standard_deviation == pytest.approx(1.5811, abs=1e-4)
    # 2.77645 · 1.58114 / 2.23607 = 1.96325; 100 · 1.96325 / 13 = 15.102
    assert found.confidence == pytest.approx(1.96325, abs=1e-5)
    assert found.relative_accuracy == pytest.approx(15.102, abs=1e-3)


def test_four_fields_by_hand() -> None:
    """1, 9, 3, 5: mean 4.5, squares 12.25 + 20.25 + 2.25 + 0.25 = 35, s = √(35/3) = 3.41565, t(3) = 3.18245."""
    found = field_mean([1.0, 9.0, 3.0, 5.0])
    assert found is not None
    assert found.standard_deviation == pytest.approx(3.41565, abs=1e-5)
    assert found.confidence == pytest.approx(3.18245 * 3.41565 / 2, abs=1e-4)
    assert found.relative_accuracy == pytest.approx(120.78, abs=1e-2)


def test_how_many_fields_are_needed_by_hand() -> None:
    """s = 1.58114, ± 1: with 12 fields t(11) = 2.20099 gives ± 1.00461, with 13 t(12) = 2.17881 gives ± 0.95547."""
    deviation = sqrt(2.5)
    assert half_width(deviation, 12) == pytest.approx(1.00461, abs=1e-5)
    assert half_width(deviation, 13) == pytest.approx(0.95547, abs=1e-5)
    assert fields_needed(deviation, 1.0) == 13
    assert fields_needed(deviation, 1000.0) == 2
    assert fields_needed(0.0, 0.001) == 2


def test_one_field_has_no_interval_and_none_no_mean() -> None:
    assert field_mean([]) is None
    one = field_mean([4.0])
    assert one is not None
    assert (one.n, one.mean, one.standard_deviation, one.confidence) == (1, 4.0, None, None)
    assert one.relative_accuracy is None


def test_a_mean_of_nothing_has_no_relative_accuracy_and_equal_fields_no_spread() -> None:
    nothing = field_mean([0.0, 0.0, 0.0])
    assert nothing is not None
    assert (nothing.mean, nothing.confidence, nothing.relative_accuracy) == (0.0, 0.0, None)
    alike = field_mean([0.1] * 7)
    assert alike is not None
    assert (alike.mean, alike.standard_deviation, alike.relative_accuracy) == (0.1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228), (29, 2.045), (120, 1.980)],
)
def test_t_is_that_of_the_tables(freedom: int, table: float) -> None:
    assert student_t(freedom) == pytest.approx(table, abs=5e-4)


def test_t_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (*range(1, 260), 500, 1000, 12_345, 10**6, 10**9):
        for level in (0.9, 0.95, 0.99):
            expected = stats.t.ppf((1 + level) / 2, freedom)
            assert student_t(freedom, level) == pytest.approx(expected, rel=1e-9), (freedom, level)


@given(deviation=st.floats(0.01, 50), reach=st.floats(0.01, 50))
def test_as_many_as_are_needed_reach_it_and_one_fewer_do_not(deviation: float, reach: float) -> None:
    needed = fields_needed(deviation, reach)
    assert half_width(deviation, needed) <= reach
    assert needed == 2 or half_width(deviation, needed - 1) > reach
