"""Stored files, opened to be sent: whole or in part, from this machine's disk or from memory."""

import io
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class Opened:
    """A file at the first byte that is wanted; reading ends after the last one."""

    file: BinaryIO
    size: int
    """Bytes that it gives."""


class Opener(Protocol):
    """What opens files by name."""

    def open(self, name: str, start: int = 0, stop: int | None = None) -> Opened:
        """Open a file, or the bytes from `start` to before `stop`."""
        ...

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file; None where there is none."""
        ...


class Section(io.RawIOBase):
    """The bytes of a file from `start` to before `stop`, as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self._file = file
        self._start = start
        self._size = stop - start
        file.seek(start)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as Python calls it
        """Read as many bytes as there are and fit."""
        data = self._file.read(min(len(buffer), max(0, self._size - self.tell())))
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        """Return where it is."""
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere in it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        self._file.seek(self._start + max(0, base + offset))
        return self.tell()

    def close(self) -> None:
        """Close the file that it is of."""
        self._file.close()
        super().close()


def whole_or_section(file: BinaryIO, size: int, start: int, stop: int | None) -> Opened:
    """Return an open file of `size` bytes, or some of it."""
    stop = size if stop is None else min(stop, size)
    if (start, stop) == (0, size):
        return Opened(file, size)
    return Opened(io.BufferedReader(Section(file, start, stop)), max(0, stop - start))
