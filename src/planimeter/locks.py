"""A lock that the system takes back from a process that ends, however it does."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from planimeter.errors import InvalidOption


@contextmanager
def lock_file(path: Path, taken: str, *, with_others: bool = False, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock on a file, which is made where it is missing: alone, or with all who hold it `with_others`.

    Raises `InvalidOption`, with the sentence `taken`, where it is not to be had for `patience` seconds, and OSError
    where the file cannot be opened. On Windows, and on network drives that have no locks, nothing is held.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - not on Windows

    kind = fcntl.LOCK_SH if with_others else fcntl.LOCK_EX
    until = time.monotonic() + patience
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise InvalidOption(taken) from None
                time.sleep(0.05)
            except OSError:
                break  # some network drives have no locks
        yield
    finally:
        os.close(descriptor)
