"""The memory that pictures may take: reserved before they are decoded, and waited for where it is taken."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from planimeter.errors import TooManyPixels
from planimeter.service.deadline import Deadline

SMALL_SHARE = 8
"""One part in so many more is for small pictures alone: these never wait for large ones."""
SMALLEST_LARGE = 32 * 2**20


class Memory:
    """Bytes that are reserved and given back, first come first served, from any thread."""

    def __init__(self, size: int) -> None:
        """`size` is what all pictures together may take, in bytes; small ones have an eighth beside it."""
        self.size = size
        self._large = _Pool(size)
        self._small = _Pool(size // SMALL_SHARE)

    @property
    def reserved_bytes(self) -> int:
        """How much is reserved now."""
        return self._large.taken + self._small.taken

    @contextmanager
    def reserved(self, wanted: int, deadline: Deadline) -> Iterator[None]:
        """Hold `wanted` bytes; raises `TooManyPixels` where there will never be as many, and `DeadlineExceeded`."""
        if wanted > self.size:
            raise TooManyPixels(
                f"the picture takes {wanted / 2**20:,.0f} MiB of memory to decode and measure, and the limit is "
                f"{self.size / 2**20:,.0f}; send it in fewer pixels or as PNG, JPEG or TIFF, or start the service with "
                "more --memory"
            )
        pool = self._small if wanted <= min(SMALLEST_LARGE, self._small.size) else self._large
        pool.take(wanted, deadline)
        try:
            yield
        finally:
            pool.give_back(wanted)


class _Pool:
    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def take(self, wanted: int, deadline: Deadline) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self.taken + wanted > self.size:
                    deadline.check("memory")
                    self._changed.wait(deadline.left)
                self.taken += wanted
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_back(self, held: int) -> None:
        with self._changed:
            self.taken -= held
            self._changed.notify_all()
