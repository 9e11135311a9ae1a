"""Files that a person or another file names: only regular ones are read.

A pipe would be waited for without end, and a device such as /dev/zero read without end.
"""

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_file", "read_file_text", "refuse_irregular"]


def read_file(path: Path, *, most_bytes: int | None = None, follow_links: bool = True) -> bytes:
    """Return the content of a regular file, of which `most_bytes` and one more are read at the most.

    Raises `OSError` with a sentence as its `strerror` for anything else, a path with a NUL in it among them, and a link
    unless `follow_links` is set.
    """
    # Opening a pipe without this would wait for who writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError as error:
        raise OSError(errno.EINVAL, "there is a NUL character in its path", str(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        _check(os.fstat(descriptor).st_mode, path)
        return file.read() if most_bytes is None else file.read(most_bytes + 1)


def read_file_text(path: Path) -> str:
    """Return the content of a regular UTF-8 file; raises as `read_file` does, and `UnicodeDecodeError`."""
    return read_file(path).decode("utf-8")


def refuse_irregular(path: Path) -> None:
    """Raise `OSError` where `path` is no regular file: for what opens it by itself."""
    try:
        mode = path.stat().st_mode
    except ValueError as error:
        raise OSError(errno.EINVAL, "there is a NUL character in its path", str(path)) from error
    _check(mode, path)


def _check(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file, but a device, a pipe or the like", str(path))
