"""Work that another thread does meanwhile."""

import threading
from functools import partial

import numpy as np
import pytest

import planimeter
from planimeter.measuring.beside import Helpers, beside, helping
from planimeter.pictures.decode import decode
from planimeter.samples import find_sample


@pytest.mark.parametrize("worth_it", [True, False])
def test_what_is_done_beside_is_what_is_waited_for(worth_it: bool) -> None:
    helpers = Helpers(1)
    with beside(threading.get_ident, worth_it=worth_it, helpers=helpers) as ident:
        assert (ident() == threading.get_ident()) is not worth_it
        assert ident() == ident()


def test_it_goes_on_while_the_block_runs_and_is_over_after_it() -> None:
    begun, goes_on, over = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert goes_on.wait(30)
        over.set()

    with beside(work, helpers=Helpers(1)):
        assert begun.wait(30)
        goes_on.set()
    assert over.is_set()


def test_without_a_helper_it_is_done_when_it_is_waited_for() -> None:
    helpers = Helpers(1)
    with beside(threading.get_ident, helpers=helpers) as first:
        with beside(threading.get_ident, helpers=helpers) as second:
            assert second() == threading.get_ident()
        assert first() != threading.get_ident()
    with beside(threading.get_ident, helpers=helpers) as third:
        assert third() != threading.get_ident(), "the helper was given back"
    with beside(threading.get_ident, helpers=Helpers(0)) as none:
        assert none() == threading.get_ident()


@pytest.mark.parametrize("most", [0, 1])
def test_its_error_is_raised_where_it_is_waited_for(most: int) -> None:
    helpers = Helpers(most)

    def fail() -> None:
        raise ValueError("damaged")

    with beside(fail, helpers=helpers) as failed, pytest.raises(ValueError, match="damaged"):
        failed()
    with pytest.raises(KeyError), beside(fail, helpers=helpers):
        raise KeyError("of the block")
    assert helpers.take() is (most == 1), "the helper was given back"


def test_works_are_done_one_after_the_other_by_one_thread() -> None:
    helpers = Helpers(1)
    with helping(helpers=helpers) as begin:
        idents = [begin(threading.get_ident) for _ in range(20)]
        assert len({ident() for ident in idents} - {threading.get_ident()}) == 1
        with helping(helpers=helpers) as other:
            assert other(threading.get_ident)() == threading.get_ident(), "no helper is left"
    assert helpers.take()


def test_what_was_not_begun_when_the_block_fails_is_not_done() -> None:
    begun, goes_on, done = threading.Event(), threading.Event(), list[int]()

    def first() -> None:
        begun.set()
        assert goes_on.wait(30)

    def fail() -> None:
        with helping(helpers=Helpers(1)) as begin:
            begin(first)
            for number in range(5):
                begin(lambda number=number: done.append(number))  # type: ignore[misc]
            assert begun.wait(30)
            threading.Timer(0.2, goes_on.set).start()
            raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"):
        fail()
    assert goes_on.is_set()
    assert done == []


def test_where_the_system_gives_no_thread_each_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused, done = threading.Thread.start, [True], list[int]()

    def refuse_first(thread: threading.Thread) -> None:
        if refused.pop() if refused else False:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_first)
    with helping(helpers=Helpers(1)) as begin:
        for wait in [begin(lambda number=number: done.append(number)) for number in range(4)]:  # type: ignore[misc]
            wait()
    assert done == [0, 1, 2, 3]


@pytest.mark.parametrize("model", ["steel", "nuclei"])
def test_a_picture_in_tiles_is_measured_the_same_with_a_helper_and_without(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = {"steel": "steel-scratches", "nuclei": "nuclei-culture"}[model]
    pixels = decode(find_sample(sample).read(), filename="sample").pixels
    pixels = np.ascontiguousarray(np.tile(pixels, (6, 6, 1))[:1300, :1600])
    segmenter = planimeter.load(model, infer_with_cpu=True)
    assert segmenter.tiles(*pixels.shape[:2]) > 2
    found = []
    for helpers in (Helpers(1), Helpers(0)):
        monkeypatch.setattr("planimeter.measuring.segmenter.helping", partial(helping, helpers=helpers))
        measured = segmenter.measure(pixels)
        found.append((measured.candidates().packed().pack(), measured.coverage, measured.notes))
    assert found[0] == found[1]
    assert found[0][1].percent_masked
