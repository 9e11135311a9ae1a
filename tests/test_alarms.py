"""Calls at a moment, by one thread: in their order, and never once they were taken back."""

import threading
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planimeter.service.alarms import Alarms

PATIENCE = 30.0


def test_alarms_ring_in_the_order_of_their_moments_whatever_the_order_they_were_set_in() -> None:
    alarms, rung, all_rung = Alarms(), list[int](), threading.Event()
    begun = monotonic()
    for number in (3, 1, 2, 0):
        alarms.set(0.05 * number, lambda number=number: rung.append(number))  # type: ignore[misc]
    alarms.set(0.3, all_rung.set)
    assert all_rung.wait(PATIENCE)
    assert rung == [0, 1, 2, 3]
    assert monotonic() - begun >= 0.3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_one_that_was_cancelled_never_rings_and_all_others_do_once(wanted: list[tuple[int, bool]]) -> None:
    alarms, rung, all_rung = Alarms(), list[int](), threading.Event()
    with alarms._changed:  # none rings before all that are to be cancelled are
        for number, (delay, cancel) in enumerate(wanted):
            alarm = alarms.set(delay / 1000, lambda number=number: rung.append(number))  # type: ignore[misc]
            if cancel:
                alarm.cancel()
    kept = [number for number, (_, cancel) in enumerate(wanted) if not cancel]
    alarms.set(0.05, all_rung.set)
    assert all_rung.wait(PATIENCE)
    assert sorted(rung) == kept


def test_one_thread_serves_thousands_of_them() -> None:
    alarms = Alarms()
    before = threading.active_count()
    for _ in range(5000):
        alarms.set(60, threading.Event().set).cancel()
    assert threading.active_count() == before + 1
    rung = threading.Event()
    alarms.set(0, rung.set)
    assert rung.wait(PATIENCE)


def test_one_that_fails_takes_none_of_the_others_along(caplog: pytest.LogCaptureFixture) -> None:
    alarms, rung = Alarms(), threading.Event()

    def fail() -> None:
        raise OSError("gone")

    alarms.set(0.01, fail)
    alarms.set(0.05, rung.set)
    assert rung.wait(PATIENCE)
    assert "an alarm failed" in caplog.text
