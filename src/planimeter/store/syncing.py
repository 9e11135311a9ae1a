"""Files and folders made sure of: what was written to them is on the disk."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def begin_writing(files: Sequence[BinaryIO]) -> None:
    """Have the disk begin with all that was written to open files, and wait for nothing.

    Linux begins at once with what will not be read again soon, and keeps it until it is written. So each `fsync` that
    follows finds most of its work done, and the first makes sure of the others' names and sizes too. Threads that
    sync at the same time take longer, on a disk that rests and on one that does not.
    """
    if hasattr(os, "posix_fadvise"):  # not on Windows and macOS
        for file in files:
            with suppress(OSError):  # a file system that takes no advice
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sync_folder(path: Path) -> None:
    """Wait until what was moved into a folder is on the disk; Windows has nothing for that."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
