"""The trend, the statistics and the numbers under them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from planimeter.rules import Verdict
from planimeter.store import Filter, Store
from planimeter.store.distribution import (
    distribution,
    distribution_of_runs,
    histogram,
    outliers,
    round_step,
)
from stored import add, measurement, open_store

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)  # a Monday
VALUES = st.lists(st.floats(0, 100), min_size=1, max_size=60)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


class Clock:
    """Gives ids of the moment that a test sets."""

    def __init__(self) -> None:
        self.now = NOON
        self._count = 0

    def next_and_moment(self) -> tuple[str, datetime]:
        self._count += 1
        return str(ULID.from_int(round(self.now.timestamp() * 1000) << 80 | self._count)), self.now


@pytest.fixture
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(store, "_ids", clock)
    return clock


def add_percents(store: Store, clock: Clock, percents: list[int], step: timedelta) -> list[str]:
    """Add one measurement a step, with so many percent of scratches."""
    ids = []
    for value in percents:
        ids.append(add(store, measurement(f"{value}.png", classes={"scratches": value})).id)
        clock.now += step
    return ids


def test_five_numbers_are_those_of_the_definition() -> None:
    spread = distribution(np.array([1.0, 2, 3, 4, 10]))
    assert spread is not None
    assert (spread.count, spread.mean) == (5, 4.0)
    assert (spread.minimum, spread.lower_quartile, spread.median) == (1, 2, 3)
    assert (spread.upper_quartile, spread.maximum) == (4, 10)
    assert spread.fences == (2 - 3, 4 + 3)
    assert outliers(np.array([1.0, 2, 3, 4, 10])).tolist() == [4]
    assert distribution(np.zeros(0)) is None


def test_outliers_come_by_their_distance_from_the_fences() -> None:
    values = np.array([50.0, 51, 52, 53, 54, 0, 99, 60])
    assert outliers(values).tolist() == [5, 6]


@given(VALUES)
def test_a_histogram_holds_every_value_in_few_bins_of_one_width(values: list[float]) -> None:
    edges, counts = histogram(np.array(values))
    assert sum(counts) == len(values)
    assert 1 <= len(counts) <= 20
    assert len(edges) == len(counts) + 1
    assert edges[0] == 0
    assert edges[-1] >= max(values) - 1e-6
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        inside = [value for value in values if low < value < high]
        assert len(inside) <= count


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1, 1), (2.1, 2.5), (7, 10), (0.0005, 0.0005)])
def test_steps_are_round(least: float, step: float) -> None:
    assert round_step(least) == pytest.approx(step)


@given(VALUES)
def test_a_mean_never_leaves_the_range(values: list[float]) -> None:
    spread = distribution(np.array(values))
    assert spread is not None
    assert spread.minimum <= spread.mean <= spread.maximum


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_quartiles_of_pieces_are_those_of_the_whole(pieces: list[list[float]]) -> None:
    whole = distribution(np.array([value for piece in pieces for value in piece]))
    found = distribution_of_runs([np.sort(np.array(piece)) for piece in pieces])
    assert whole is not None
    assert found is not None
    assert found.mean == pytest.approx(whole.mean)
    assert replace(found, mean=0) == replace(whole, mean=0)


def test_few_measurements_are_points_with_their_classes(store: Store, clock: Clock) -> None:
    ids = add_percents(store, clock, [1, 2, 3], timedelta(minutes=10))
    trend = store.trend()
    assert [point.id for point in trend.points] == ids
    assert [point.percent_masked for point in trend.points] == [1, 2, 3]
    assert [point.created_at for point in trend.points] == [
        NOON + i * timedelta(minutes=10) for i in range(3)
    ]
    assert [dict(point.by_class) for point in trend.points] == [{"scratches": i} for i in (1, 2, 3)]
    assert [point.filename for point in trend.points] == ["1.png", "2.png", "3.png"]
    assert trend.classes == ["scratches"]


def test_buckets_sum_up_the_measurements_between_their_ends(store: Store, clock: Clock) -> None:
    add_percents(store, clock, [0, 10, 20, 30], timedelta(minutes=15))  # 12:00 to 12:45
    clock.now = NOON + timedelta(hours=5)
    add(store, measurement(classes={"scratches": 4, "pits": 2}))
    trend = store.trend(most_buckets=10)
    assert trend.bucket_seconds == 3600
    first, second = trend.buckets
    assert (first.since, first.until) == (NOON, NOON + timedelta(hours=1))
    assert (first.spread.count, first.spread.mean, first.spread.median) == (4, 15, 15)
    assert (first.spread.lower_quartile, first.spread.upper_quartile) == (7.5, 22.5)
    assert (first.spread.minimum, first.spread.maximum) == (0, 30)
    assert dict(first.by_class) == {"scratches": 15}
    assert (second.since, second.spread.count) == (NOON + timedelta(hours=5), 1)
    assert dict(second.by_class) == {"scratches": 4, "pits": 2}


def test_verdicts_are_those_that_were_stored_one_by_one_and_counted(store: Store, clock: Clock) -> None:
    verdicts: list[Verdict | None] = ["pass", "fail", "fail", None, "undecided"]
    for value, verdict in enumerate(verdicts):
        what = measurement(f"{value}.png", classes={"scratches": 9 - value})
        add(store, what.model_copy(update={"verdict": verdict}))
        clock.now += timedelta(minutes=20)
    trend = store.trend(most_buckets=3)
    assert [point.verdict for point in trend.points] == verdicts
    assert [dict(bucket.verdicts) for bucket in trend.buckets] == [{"pass": 1, "fail": 2}, {"undecided": 1}]
    failed = store.trend(Filter(verdict="fail"))
    assert [dict(bucket.verdicts) for bucket in failed.buckets] == [{"fail": 1}, {"fail": 1}]


def test_weeks_begin_on_mondays(store: Store, clock: Clock) -> None:
    clock.now = NOON - timedelta(days=365)
    add_percents(store, clock, [1] * 53, timedelta(days=7))
    trend = store.trend(most_buckets=60)
    assert trend.bucket_seconds == 7 * 86400
    assert {bucket.since.weekday() for bucket in trend.buckets} == {0}
    assert sum(bucket.spread.count for bucket in trend.buckets) == 53


def test_outliers_are_those_of_the_filter(store: Store, clock: Clock) -> None:
    ids = add_percents(store, clock, [5, 6, 5, 6, 5, 6, 90], timedelta(minutes=1))
    trend = store.trend()
    assert ([point.id for point in trend.outliers], trend.outlier_count) == ([ids[-1]], 1)
    assert store.trend(Filter(max_percent=50)).outliers == []
    assert store.trend(Filter(filename="90")).outlier_count == 0, "one alone is none"


def test_filters_hold_for_every_figure(store: Store, clock: Clock) -> None:
    add_percents(store, clock, [2, 4], timedelta(minutes=1))
    add(store, measurement(model="nuclei", classes={"nucleus": 8}))
    for wanted in (
        Filter(model="steel"),
        Filter(class_name="scratches"),
        Filter(filename=".png", max_percent=4),
    ):
        trend, total = store.trend(wanted), store.statistics(wanted, limit_percent=2)
        assert trend.spread is not None
        assert total.spread is not None
        assert (trend.spread.count, trend.spread.mean) == (total.spread.count, total.spread.mean) == (2, 3)
        assert [dict(bucket.by_class) for bucket in trend.buckets][-1] == {"scratches": 4}
        assert (total.pixels_masked, total.pixels_counted) == (2400, 80000)
        assert total.verdicts == {"pass": 1, "fail": 1, "undecided": 0}
        assert [
            (entry.name, entry.measurements, entry.instances, entry.mean_percent) for entry in total.by_class
        ] == [("scratches", 2, 6, 3.0)]
        assert sum(total.counts) == 2


def test_nothing_has_no_figures(store: Store) -> None:
    trend, total = store.trend(), store.statistics(limit_percent=1)
    assert (trend.spread, trend.buckets, trend.points, trend.outliers) == (None, (), (), ())
    assert (total.spread, total.instances, total.counts) == (None, 0, [])
    assert total.verdicts == {"pass": 0, "fail": 0, "undecided": 0}
