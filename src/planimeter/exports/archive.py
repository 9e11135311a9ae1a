"""A zip that is written while it is sent."""

import zipfile
from datetime import datetime
from typing import Any, cast

_EPOCH = (1980, 1, 1, 0, 0, 0)


class Archive:
    """Takes files one after the other, and gives the bytes of the zip as they come about."""

    def __init__(self) -> None:
        self._pipe = _Pipe()
        # All that zipfile needs of a file that it cannot seek in is `write`.
        self._zip = zipfile.ZipFile(cast("Any", self._pipe), "w", zipfile.ZIP_STORED)

    def add(
        self, name: str, data: bytes | str, moment: datetime | None = None, *, packed: bool = True
    ) -> None:
        """Add a file, packed unless it is so already."""
        entry = zipfile.ZipInfo(name, moment.timetuple()[:6] if moment else _EPOCH)
        entry.external_attr = 0o644 << 16  # as a person's own files are
        self._zip.writestr(entry, data, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)

    def drained(self) -> bytes:
        """Return all that came about since the last time."""
        return self._pipe.drained()

    def closed(self) -> bytes:
        """Return the rest."""
        self._zip.close()
        return self._pipe.drained()


class _Pipe:
    """Takes what is written and gives it back."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._buffer += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: zipfile calls it."""

    def drained(self) -> bytes:
        """Return all that was written since the last time."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data
