"""Files and folders made sure of together: a disk that writes several at once takes the time of one."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

AT_ONCE = 16
"""Files and folders that are made sure of at the same time, of all measurements; the others wait for their turn."""


class Syncing:
    """What was written to open files or folders, on its way to the disk while something else is done."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._on_their_way = [_threads().submit(os.fsync, descriptor) for descriptor in descriptors]

    def wait(self) -> list[OSError | None]:
        """Wait until all of it is on the disk; return what went wrong with each. The files stay open until then."""
        return [_failed(each) for each in self._on_their_way]


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sync")


if hasattr(os, "register_at_fork"):  # a fork has none of the threads
    os.register_at_fork(after_in_child=_threads.cache_clear)


def _failed(each: "Future[None]") -> OSError | None:
    error = each.exception()
    if error is None or isinstance(error, OSError):
        return error
    raise error


def sync_folder(path: Path) -> None:
    """Wait until what was moved into a folder is on the disk; Windows has nothing for that."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
