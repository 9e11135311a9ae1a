"""The cores that networks share: how many there are, and whether another network is at work on them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_share: int | None = None


def available() -> int:
    """Return how many cores this process may use, which a container, `taskset` or `use` may have made fewer."""
    return _seen() if _share is None else min(_seen(), _share)


def use(number: int) -> None:
    """Use no more than so many cores from now on: those that a cluster gave to this process."""
    global _share  # noqa: PLW0603 - of the process, as its cores are
    _share = number


def shared() -> bool:
    """Return whether other processes have a right to some of the cores that this one sees."""
    return _share is not None and _share < _seen()


def _seen() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Running:
    """How many networks are at work now."""

    def __init__(self) -> None:
        self._number = 0
        self._lock = threading.Lock()

    @contextmanager
    def one_more(self) -> Iterator[bool]:
        """Be at work, and be told whether no other is."""
        with self._lock:
            alone = not self._number
            self._number += 1
        try:
            yield alone
        finally:
            with self._lock:
                self._number -= 1


RUNNING = Running()
"""Those of this process, whichever model they belong to."""
