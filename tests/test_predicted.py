"""Prediction-powered means: the values of ppi-python 0.2.3 with lam=1, and intervals that hold what they say."""

from statistics import NormalDist

import numpy as np
import pytest

from planimeter.fields import student_t
from planimeter.predicted import LEAST_REVIEWED, predicted_mean

TRUE = [10, 12, 14, 9, 11, 13, 20, 8, 7, 15, 16, 12]
MEASURED = [11, 12.5, 15, 9.5, 12, 13.5, 22, 8, 7.5, 16, 17, 13]
OTHERS = [(37 * k) % 29 / 2 + 5 for k in range(40)]


@pytest.mark.parametrize(
    ("true", "measured", "others", "mean", "low", "high"),
    [
        (TRUE, MEASURED, OTHERS, 11.116666666666665, 9.789134982630559, 12.444198350702772),
        (range(5, 15), range(14, 4, -1), OTHERS, 11.95, 8.159483365806027, 15.740516634193972),
        (
            range(1, 11), range(2, 22, 2), [k % 50 for k in range(1000)],
            19.0, 17.007718060493897, 20.992281939506103,
        ),
    ],
)  # fmt: skip
def test_the_mean_is_that_of_ppi_python_and_the_interval_that_of_students_t(  # noqa: PLR0917
    true: list[float], measured: list[float], others: list[float], mean: float, low: float, high: float
) -> None:
    found = predicted_mean([*map(float, true)], [*map(float, measured)], [*map(float, others)])
    assert found is not None
    assert found.mean == pytest.approx(mean, abs=1e-12)
    wider = student_t(len(true) - 1) / NormalDist().inv_cdf(0.975)  # ppi-python's are for many pictures
    assert (found.mean - found.low) / (mean - low) == pytest.approx(wider, abs=1e-9)
    assert (found.high - found.mean) / (high - mean) == pytest.approx(wider, abs=1e-9)


def test_the_interval_is_not_stated_of_too_few_pictures_or_without_others() -> None:
    few = TRUE[: LEAST_REVIEWED - 1]
    assert predicted_mean(few, few, OTHERS) is None
    assert predicted_mean(TRUE, MEASURED, []) is None
    assert predicted_mean(TRUE, MEASURED, OTHERS[: len(TRUE) - 1]) is None
    assert predicted_mean([], [], OTHERS) is None
    same = predicted_mean([3.0] * 12, [3.0] * 12, [3.0] * 15)
    assert same is not None
    assert (same.mean, same.low, same.high, same.bias) == (3, 3, 3, 0)


def test_the_intervals_hold_the_true_mean_of_a_biased_model_and_are_narrower_than_without_it() -> None:
    chance = np.random.default_rng(5)
    inside, narrower, rounds = 0, 0, 300
    for _ in range(rounds):
        true = chance.gamma(4, 3, 200)
        measured = 1.1 * true + 2 + chance.normal(0, 1, 200)
        found = predicted_mean(true[:20].tolist(), measured[:20].tolist(), measured[20:].tolist())
        assert found is not None
        assert found.reviewed_alone.confidence is not None
        inside += found.low <= 12 <= found.high  # the mean of the distribution
        narrower += found.high - found.low < 2 * found.reviewed_alone.confidence
    assert inside / rounds > 0.93
    assert narrower / rounds > 0.98
