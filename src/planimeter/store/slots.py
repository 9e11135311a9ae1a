"""Small files that notes are written into, one note after the other.

Making a new file for each takes ten times as long.
"""

import errno
import os
import threading
from collections.abc import Hashable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

SUFFIX = ".slot"
_FREE = b"\n"
MOST_FREE = 16
"""Slots that are kept open: as many as pictures are usually stored at a time."""
_LONGEST = 2**16
"""Bytes of a note; each names some files of one measurement."""


class Slots:
    """The slots of one process in a folder; from any thread.

    A note is the first line of its slot; where that is empty, there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._free: list[_Slot] = []
        self._used: dict[Hashable, _Slot] = {}

    def write(self, key: Hashable, note: bytes) -> None:
        """Write a note, in the place of that which has this key already."""
        with self._lock:
            slot = self._used.pop(key, None) or (self._free.pop() if self._free else None)
        while slot is not None and not slot.is_there():  # a person may have tidied it away
            slot.close()
            with self._lock:
                slot = self._free.pop() if self._free else None
        if slot is None:
            slot = _Slot.create(self._folder)
        with self._lock:
            self._used[key] = slot
        slot.write(note + b"\n")

    def clear(self, key: Hashable) -> bool:
        """Remove a note of this process; return whether there is one with this key."""
        with self._lock:
            slot = self._used.pop(key, None)
        if slot is None:
            return False
        with self._lock:
            kept = len(self._free) < MOST_FREE
        try:
            if kept:
                slot.write(_FREE)
        except OSError:  # a full disk, where nothing can be written over in its place
            kept = False
        if kept:
            with self._lock:
                self._free.append(slot)
        else:
            slot.remove()
        return True

    def close(self) -> None:
        """Remove the slots, but those with a note: they are for whoever comes next."""
        with self._lock:
            free, used, self._free, self._used = self._free, self._used, [], {}
        for slot in free:
            with suppress(OSError):  # a later start removes it
                slot.remove()
        for slot in used.values():
            slot.close()


class _Slot:
    """A file, held open."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._is = os.fstat(descriptor)

    @classmethod
    def create(cls, folder: Path) -> "_Slot":
        path = folder / f"{token_hex(8)}{SUFFIX}"
        binary = getattr(os, "O_BINARY", 0)  # Windows
        return cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | binary, 0o666))

    def is_there(self) -> bool:
        """Return whether it is still found under its name."""
        try:
            return os.path.samestat(self.path.stat(), self._is)
        except OSError:
            return False

    def write(self, text: bytes) -> None:
        """Write at its beginning."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        written = os.write(self._descriptor, text)
        if written < len(text):
            raise OSError(errno.EIO, "only a part of a note could be written")

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._descriptor)

    def remove(self) -> None:
        """Close and remove it."""
        self.close()
        self.path.unlink(missing_ok=True)


def written_slots(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield all slots in a folder, whosever they are, with their notes; those that have none with nothing."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):
            yield path, note_in(path)


def note_in(slot: Path) -> bytes:
    """Return the note in a slot; nothing where there is none."""
    with slot.open("rb") as file:
        return file.readline(_LONGEST).strip()
