"""A file of a measurement, as whoever shows it gets it: neither path nor address."""

import errno
import os

from planimeter.errors import FileGone
from planimeter.store.files import FileKind
from planimeter.store.folders import Folders
from planimeter.store.opened import Opened
from planimeter.store.record import Record


class StoredFile:
    """A file of a measurement, which is opened when its bytes are wanted; raises StoreFailed where it is gone."""

    def __init__(self, folders: Folders, record: Record, kind: FileKind) -> None:
        self._folders = folders
        self._record = record
        self._kind: FileKind = kind

    def size(self) -> int:
        """Return its bytes, without opening it."""
        found = self._folders.bytes_of(self._record.files, self._kind)
        if found is None:
            raise self._gone(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        return found

    def read(self) -> bytes:
        """Return its content."""
        try:
            return self._folders.read(self._record.files, self._kind)
        except OSError as error:
            raise self._gone(error) from error

    def open(self, start: int = 0, stop: int | None = None) -> Opened:
        """Open it, or the bytes from `start` to before `stop`."""
        try:
            return self._folders.open(self._record.files, self._kind, start, stop)
        except OSError as error:
            raise self._gone(error) from error

    def _gone(self, error: OSError) -> FileGone:
        return FileGone(
            f"the {self._kind} of measurement {self._record.id} cannot be read ({error.strerror}): was it moved by "
            "hand?"
        )
