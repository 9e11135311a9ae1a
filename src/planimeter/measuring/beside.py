"""Work that another core does meanwhile, where there is one that nothing else does so with."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

from planimeter.runtimes.cores import available

Done = TypeVar("Done")


class Helpers:
    """Threads that help, as many as there are cores beside the first."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._busy = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one, where one is free."""
        with self._lock:
            most = available() - 1 if self._most is None else self._most
            if self._busy >= most:
                return False
            self._busy += 1
            return True

    def give_back(self) -> None:
        """Let others have it."""
        with self._lock:
            self._busy -= 1


HELPERS = Helpers()
"""Those of this process."""


class Begin(Protocol):
    """What begins a piece of work, and returns what waits for it and returns what it returned."""

    def __call__(self, work: Callable[[], Done], /) -> Callable[[], Done]:
        """Begin it, now or when it is waited for."""
        ...


def when_waited_for(work: Callable[[], Done]) -> Callable[[], Done]:
    """Return what does the work, once, when it is first asked for what came of it."""
    done: list[Done] = []

    def result() -> Done:
        if not done:
            done.append(work())
        return done[0]

    return result


@contextmanager
def helping(*, worth_it: bool = True, helpers: Helpers = HELPERS) -> Iterator[Begin]:
    """Yield what has one piece of work after the other done by another thread while the block runs.

    It should be of the kind that leaves Python to others. Where no helper is free, or a thread is not `worth_it`, each
    is done when it is waited for. What was not begun when the block fails is not done.
    """
    if not worth_it or not helpers.take():
        yield when_waited_for
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="beside")

    def begin(work: Callable[[], Done]) -> Callable[[], Done]:
        try:
            return pool.submit(work).result
        except RuntimeError:  # the system gives no more threads; none will be asked for again
            pool.shutdown(wait=False, cancel_futures=True)
            return when_waited_for(work)

    try:
        yield begin
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown()
        helpers.give_back()


@contextmanager
def beside(
    work: Callable[[], Done], *, worth_it: bool = True, helpers: Helpers = HELPERS
) -> Iterator[Callable[[], Done]]:
    """Have `work` done by another thread while the block runs, as `helping` does; yields what waits for it."""
    with helping(worth_it=worth_it, helpers=helpers) as begin:
        yield begin(work)
