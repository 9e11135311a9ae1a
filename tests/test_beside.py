"""Work that another thread does meanwhile."""

import threading

import pytest

from planimeter.measuring.beside import Helpers, beside


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
