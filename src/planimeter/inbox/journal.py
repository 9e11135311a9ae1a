"""What was begun with the pictures of a watched folder and is not finished, in a hidden folder inside it.

An entry is written before a picture is sent and removed after it was moved. So a picture on which a kill fell is
finished as it was begun, with the same key and the same options: the service then measures it no second time.
"""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from planimeter.errors import InvalidOption

HIDDEN = ".planimeter"
Fields = tuple[tuple[str, str], ...]
"""What is asked of a picture, as the fields of a request."""


@dataclass(frozen=True)
class Entry:
    """A picture that was begun."""

    sha256: str
    """Of its content."""
    fields: Fields
    id: str | None = None
    """The measurement, where it is there already and the picture could not be moved yet."""

    def key(self, name: str) -> str:
        """Return the key of its request: the same picture under the same name, with the same asked of it."""
        said = json.dumps([name, self.sha256, self.fields])
        return f"watch-{sha256(said.encode()).hexdigest()}"


class Journal:
    """The pictures that were begun, in memory and on the disk; raises OSError where it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / HIDDEN
        self._file = self._home / "begun.json"
        self._lock: int | None = None
        self._entries: dict[str, Entry] = {}

    def open(self) -> bool:
        """Take the folder for this process and read what was begun; return whether that could be read.

        Raises `InvalidOption` where another process has it.
        """
        self._home.mkdir(exist_ok=True)
        self._take()
        with suppress(FileNotFoundError):
            try:
                found = json.loads(self._file.read_bytes())
                self._entries = {name: _entry(each) for name, each in found.items()}
            except (ValueError, TypeError, KeyError, AttributeError):
                return False
        return True

    def begun(self, name: str, content: str, fields: Fields) -> Entry:
        """Return the entry of a picture with this SHA-256: that which is there, else a new one."""
        entry = self._entries.get(name)
        if entry is None or entry.sha256 != content:
            entry = Entry(content, fields)
            self._put(name, entry)
        return entry

    def measured(self, name: str, entry: Entry, id_: str) -> None:
        """Note the measurement of a picture that cannot be moved yet."""
        if entry.id != id_:
            self._put(name, Entry(entry.sha256, entry.fields, id_))

    def end(self, name: str) -> None:
        """Forget a picture that was moved."""
        self._put(name, None)

    def close(self) -> None:
        """Leave the folder to others."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _put(self, name: str, entry: Entry | None) -> None:
        # What is no longer there was moved, or taken away by somebody.
        kept = {each: found for each, found in self._entries.items() if (self._folder / each).exists()}
        kept.pop(name, None)
        if entry is not None:
            kept[name] = entry
        aside = self._file.with_suffix(".new")
        self._home.mkdir(exist_ok=True)
        with aside.open("w", encoding="utf-8") as file:
            json.dump({each: asdict(found) for each, found in kept.items()}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._file)
        self._entries = kept

    def _take(self) -> None:
        if sys.platform == "win32":
            return
        import fcntl  # noqa: PLC0415 - not on Windows

        self._lock = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise InvalidOption(
                f"another planimeter watch is at work on {self._folder}: end that one, or watch another folder"
            ) from None
        except OSError:
            pass  # some network drives have no locks


def _entry(found: Any) -> Entry:
    fields = tuple((str(name), str(value)) for name, value in found["fields"])
    id_ = found["id"]
    return Entry(str(found["sha256"]), fields, None if id_ is None else str(id_))
