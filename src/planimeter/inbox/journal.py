"""What was begun with the pictures of a watched folder and is not finished, in a hidden folder inside it.

An entry is written before a picture is sent and removed after it was moved. So a picture on which a kill fell is
finished as it was begun, with the same key and the same options: the service then measures it no second time.
"""

import json
import os
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from planimeter.locks import lock_file

HIDDEN = ".planimeter"
MOST_ENTRIES = 100
Fields = tuple[tuple[str, str], ...]
"""What is asked of a picture, as the fields of a request."""


@dataclass(frozen=True)
class Entry:
    """A picture that was begun."""

    name: str
    """Under which it was."""
    sha256: str
    """Of its content."""
    inode: int
    """Of its file, which stays when it is renamed; a copy has one of its own."""
    fields: Fields
    id: str | None = None
    """The measurement, where it is there already and the picture could not be moved yet."""

    @property
    def filename(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def key(self) -> str:
        """The key of its request: the same picture under the same name, with the same asked of it."""
        said = json.dumps([self.name, self.sha256, self.fields])
        return f"watch-{sha256(said.encode()).hexdigest()}"


class Journal:
    """The pictures that were begun, in memory and on the disk; raises OSError where it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / HIDDEN
        self._file = self._home / "begun.json"
        self._held = ExitStack()
        self._entries: dict[str, Entry] = {}

    def open(self) -> bool:
        """Take the folder for this process and read what was begun; return whether that could be read.

        Raises `InvalidOption` where another process has it.
        """
        self._home.mkdir(exist_ok=True)
        taken = (
            f"another planimeter watch is at work on {self._folder}: end that one, or watch another folder"
        )
        self._held.enter_context(lock_file(self._home / "lock", taken))
        with suppress(FileNotFoundError):
            try:
                found = json.loads(self._file.read_bytes())
                self._entries = {name: _entry(each) for name, each in found.items()}
            except (ValueError, TypeError, KeyError, AttributeError):
                return False
        return True

    def begun(self, name: str, content: str, fields: Fields) -> Entry:
        """Return the entry of a picture with this SHA-256: that which is there, else a new one.

        One that was renamed since it was begun keeps the entry that it had.
        """
        entry = self._entries.get(name)
        if entry is not None and entry.sha256 == content:
            return entry
        inode = (self._folder / name).lstat().st_ino
        same = (old for old, each in self._entries.items() if (each.sha256, each.inode) == (content, inode))
        before = next((old for old in same if not (self._folder / old).exists()), None)
        entry = Entry(name, content, inode, fields) if before is None else self._entries[before]
        self._put(name, entry, before)
        return entry

    def measured(self, name: str, entry: Entry, id_: str) -> None:
        """Note the measurement of a picture that cannot be moved yet."""
        if entry.id != id_:
            self._put(name, replace(entry, id=id_))

    def end(self, name: str) -> None:
        """Forget a picture that was moved."""
        self._put(name, None)

    def close(self) -> None:
        """Leave the folder to others."""
        self._held.close()

    def _put(self, name: str, entry: Entry | None, instead_of: str | None = None) -> None:
        kept = {each: found for each, found in self._entries.items() if each not in {name, instead_of}}
        if entry is not None:
            kept[name] = entry
        for old in [*kept][:-MOST_ENTRIES]:  # of pictures that somebody took away
            del kept[old]
        aside = self._file.with_suffix(".new")
        self._home.mkdir(exist_ok=True)
        with aside.open("w", encoding="utf-8") as file:
            json.dump({each: asdict(found) for each, found in kept.items()}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._file)
        self._entries = kept


def _entry(found: Any) -> Entry:
    fields = tuple((str(name), str(value)) for name, value in found["fields"])
    id_ = found["id"]
    return Entry(
        str(found["name"]),
        str(found["sha256"]),
        int(found["inode"]),
        fields,
        None if id_ is None else str(id_),
    )
