"""Budgets of threads: what may be slow for a client's sake has a few of its own, and never takes those of the pages."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from planimeter.errors import QueueFull

DOWNLOADS = 4
"""Files that are written while they are sent, at the same time: each holds a thread as long as its client reads."""
DRAWINGS = 2
WAITING_DRAWINGS = 12
"""Pictures that are decoded and drawn to be shown, and those that wait for it."""
RETRY_SECONDS = 5


class Gate:
    """Lets `inside` through at the same time, and `waiting` wait; refuses the others at once."""

    def __init__(self, what: str, inside: int, waiting: int = 0) -> None:
        self._what = what
        self._places = threading.BoundedSemaphore(inside + waiting)
        self._inside = threading.BoundedSemaphore(inside)

    def enter(self) -> Callable[[], None]:
        """Come in, as soon as there is room, and return what leaves again, once; raises `QueueFull`."""
        if not self._places.acquire(blocking=False):
            raise QueueFull(
                f"there are as many {self._what} under way as can be; try again in {RETRY_SECONDS} s",
                retry_after=RETRY_SECONDS,
            )
        self._inside.acquire()
        inside = [True]

        def leave() -> None:
            if inside:
                inside.clear()
                self._inside.release()
                self._places.release()

        return leave

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside."""
        leave = self.enter()
        try:
            yield
        finally:
            leave()
