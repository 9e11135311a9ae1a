"""Work that another core does meanwhile, where there is one that nothing else does so with."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

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


class _Work(Generic[Done]):
    def __init__(self, work: Callable[[], Done]) -> None:
        self._work = work
        self._done: list[Done] = []
        self._failed: BaseException | None = None

    def run(self) -> None:
        try:
            self._done.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._failed = error

    def result(self) -> Done:
        if self._failed is not None:
            raise self._failed
        if not self._done:
            self._done.append(self._work())
        return self._done[0]


@contextmanager
def beside(
    work: Callable[[], Done], *, worth_it: bool = True, helpers: Helpers = HELPERS
) -> Iterator[Callable[[], Done]]:
    """Have `work` done by another thread while the block runs; yields what waits for it and returns what it returned.

    It should be of the kind that leaves Python to others. Where no helper is free, or a thread is not `worth_it`, it
    is done when it is waited for.
    """
    task = _Work(work)
    if not worth_it or not helpers.take():
        yield task.result
        return
    thread = threading.Thread(target=task.run, name="beside")
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads
        helpers.give_back()
        yield task.result
        return

    def wait() -> Done:
        thread.join()
        return task.result()

    try:
        yield wait
    finally:
        thread.join()
        helpers.give_back()
