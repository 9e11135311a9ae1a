"""One picture at a time through the model; the others wait in line, and the line has an end."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from planimeter.errors import DeadlineExceeded, QueueFull

LONGEST_RETRY = 60


class Queue:
    """A bounded queue, first come first served, in front of something that serves one at a time.

    First a `place` is taken, which fails at once when the queue is full; then, inside it, the `turn`. What a
    request prepares between the two (decoding) overlaps with the turns of others, and the number of decoded
    pictures that wait in memory stays bounded.
    """

    def __init__(self, size: int, deadline: float) -> None:
        """`size`: how many may wait beside the one being served; `deadline`: seconds each may wait."""
        self._size = size
        self._deadline = deadline
        self._lock = threading.Lock()
        self._taken = 0
        self._busy = False
        self._waiting: deque[threading.Event] = deque()
        self._turn_seconds = 0.1

    @property
    def length(self) -> int:
        """How many wait for their turn now."""
        return len(self._waiting)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the `size` + 1 places; raises `QueueFull` when all are taken."""
        with self._lock:
            if self._taken > self._size:
                seconds = min(LONGEST_RETRY, max(1, ceil(self._taken * self._turn_seconds)))
                raise QueueFull(
                    f"{self._taken} pictures are in the queue already and it holds no more; try again in "
                    f"{seconds} s",
                    retry_after=seconds,
                )
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for the turn and hold it; yields the seconds waited, raises `DeadlineExceeded`."""
        started = time.perf_counter()
        self._wait()
        served = time.perf_counter()
        try:
            yield served - started
        finally:
            self._pass_on(time.perf_counter() - served)

    def _wait(self) -> None:
        with self._lock:
            if not self._busy:
                self._busy = True
                return
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(self._deadline):
            return
        with self._lock:
            if called.is_set():  # called between the timeout and this line: the turn is ours after all
                return
            self._waiting.remove(called)
        raise DeadlineExceeded(
            f"the picture waited {self._deadline:g} s for the model and was not measured; try again when "
            "there is less to do, or start the service with a longer --deadline"
        )

    def _pass_on(self, seconds: float) -> None:
        with self._lock:
            self._turn_seconds += 0.2 * (seconds - self._turn_seconds)
            if self._waiting:
                self._waiting.popleft().set()  # stays busy: handed over, so nobody can push in
            else:
                self._busy = False
