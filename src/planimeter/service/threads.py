"""The threads that answer: of those that rest, the one that worked last is called first.

What it used is still in the caches of its core, and the memory that it freed is there to be taken again; Waitress
calls the one that rested longest, so that requests that come one after the other each find a cold one.
"""

from threading import Lock

from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]


class Threads(ThreadedTaskDispatcher):  # type: ignore[misc]
    """So many threads for the requests of a server, whatever comes first is answered first."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.queue_cv = LastFirst(self.lock)
        self.set_thread_count(number)


class LastFirst:
    """A condition, as `threading.Condition` is one, that wakes whoever came last to wait for it.

    All of it is called with the lock held.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._waiting: list[Lock] = []

    def wait(self) -> None:
        """Let go of the lock until somebody notifies, then hold it again."""
        called = Lock()
        called.acquire()
        self._waiting.append(called)
        self._lock.release()
        try:
            called.acquire()
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        """Wake one that waits, where one does."""
        if self._waiting:
            self._waiting.pop().release()

    def notify_all(self) -> None:
        """Wake all that wait."""
        while self._waiting:
            self.notify()
