"""What waits for the disk, at the same time: a disk that writes several at once takes the time of one."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def at_once(calls: Sequence[Callable[[], None]]) -> list[BaseException | None]:
    """Make all calls at the same time, the first of them in this thread; return what each raised.

    Threads, not a pool of them: they are few and short-lived, and none is missing after a fork.
    """
    failed: list[BaseException | None] = [None] * len(calls)

    def make(index: int) -> None:
        try:
            calls[index]()
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            failed[index] = error

    others = [threading.Thread(target=make, args=(index,)) for index in range(1, len(calls))]
    for thread in others:
        thread.start()
    if calls:
        make(0)
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
