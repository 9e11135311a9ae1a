"""Files and folders made sure of together: a disk that writes several at once takes the time of one."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def sync_all(descriptors: Sequence[int]) -> list[OSError | None]:
    """Wait until what was written to each open file or folder is on the disk; return what went wrong with each.

    Threads, not a pool of them: they are few and short-lived, and none is missing after a fork.
    """
    failed: list[OSError | None] = [None] * len(descriptors)

    def sync(index: int) -> None:
        try:
            os.fsync(descriptors[index])
        except OSError as error:
            failed[index] = error

    others = [threading.Thread(target=sync, args=(index,)) for index in range(1, len(descriptors))]
    for thread in others:
        thread.start()
    if descriptors:
        sync(0)
    for thread in others:
        thread.join()
    return failed


@contextmanager
def opened_folders(paths: Sequence[Path]) -> Iterator[list[int]]:
    """Open folders to be synced; none on Windows, which cannot."""
    with ExitStack() as stack:
        descriptors = []
        for path in paths if os.name != "nt" else ():
            descriptors.append(os.open(path, os.O_RDONLY))
            stack.callback(_close, descriptors[-1])
        yield descriptors


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)
