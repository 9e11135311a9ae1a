"""Who goes on at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from planimeter.service.gates import SingleFile


def test_one_goes_on_after_the_other() -> None:
    single, inside, most = SingleFile(60), [0], [0]
    guard = threading.Lock()

    def go(_: int) -> None:
        for _ in range(50):
            with single.entered():
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with guard:
                    inside[0] -= 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(go, range(4)))
    assert most == [1]


def test_nobody_waits_for_longer_than_that_and_who_came_beside_lets_nobody_in() -> None:
    single = SingleFile(0.05)
    with single.entered():
        begun = monotonic()
        with single.entered():
            assert monotonic() - begun >= 0.05
        assert single._one.locked(), "the first is still inside"
    with single.entered():
        assert single._one.locked()
    assert not single._one.locked()


def test_one_that_fails_leaves() -> None:
    single = SingleFile(60)
    with pytest.raises(ValueError, match="inside"), single.entered():
        raise ValueError("inside")
    with single.entered():
        pass
