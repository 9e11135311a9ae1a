"""Who goes on at the same time.

What may be slow for a client's sake has a few threads of its own, and never takes those of the pages.
"""

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
FINISHING_SECONDS = 0.05
"""How long a picture waits until the one before is drawn and stored: some three times what that takes."""


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


class SingleFile:
    """Lets one on after the other, where each takes little time, and nobody wait for longer than `patience` seconds.

    Threads that work at the same time take Python's lock from each other at each step: all of them end late then.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._one = threading.Lock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be the one, or one of several where the one before takes too long."""
        alone = self._one.acquire(timeout=self._patience)
        try:
            yield
        finally:
            if alone:
                self._one.release()
