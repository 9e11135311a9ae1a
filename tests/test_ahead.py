"""Several pictures under way, their results in order, and nothing of them kept."""

import threading
import time
from pathlib import Path

import pytest

from fakes import BlockRuntime, block_pack, blocks, encoded
from planimeter.commands.measure import measure_file
from planimeter.errors import MissingPicture
from planimeter.measurement import Measurement
from planimeter.measuring.ahead import in_order
from planimeter.measuring.asked import Asked
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.tally import Tally
from planimeter.scale import GivenScale
from planimeter.settings import Limits


def test_results_come_in_order_and_no_more_than_asked_are_under_way() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02 * (number % 3 == 0))
        with lock:
            under_way -= 1
        return 10 * number

    assert list(in_order(range(20), work, 3, threading.Event())) == [10 * number for number in range(20)]
    assert 2 <= most <= 3
    assert list(in_order([], work, 3, threading.Event())) == []


def test_what_is_under_way_when_it_stops_is_finished_and_nothing_more_is_begun() -> None:
    stopping, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        return number

    found = []
    for number in in_order(range(1000), work, 2, stopping):
        found.append(number)
        if number == 4:
            stopping.set()
    assert found == begun == [*range(len(found))]
    assert len(found) <= 4 + 1 + 2


def test_an_error_is_raised_in_its_turn() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise MissingPicture("three")
        return number

    numbers = in_order(range(1000), work, 2, threading.Event())
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(MissingPicture, match="three"):
        next(numbers)


def test_what_is_kept_of_a_picture_is_its_measurement_alone(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    asked = Asked("blocks", None, None, GivenScale(), None)
    segmenter, tally = Segmenter(block_pack(), BlockRuntime()), Tally()
    for name in ("one.png", "none.png"):
        result = measure_file(segmenter, tmp_path / name, asked, Limits(), None)
        assert result.measurement is None or type(result.measurement) is Measurement
        tally.add(result.measurement)
    assert tally.words(2) == "1 measured, 1 failed, mean 25.00 % masked; stopped, 2 not measured"
