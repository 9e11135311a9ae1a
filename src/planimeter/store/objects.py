"""Files in an object store: S3 and what speaks as it does, Google Cloud Storage, Azure Blob Storage.

An object is there whole or not at all, and for good once its writing was answered; but nothing can be moved, and no
process can say to others that it is at work. So what is about to happen is noted in an object of its own before, and
what such a note names is taken for left behind once the note is old, see `places.LEFT_SECONDS`.
"""

import errno
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from io import BytesIO
from mimetypes import guess_type
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from planimeter.errors import StoreFailed
from planimeter.store import object_clients, places
from planimeter.store.files import INCOMING
from planimeter.store.ids import is_id
from planimeter.store.object_urls import ObjectUrl
from planimeter.store.opened import Opened, whole_or_section
from planimeter.store.together import together, within

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

CHECKED_SECONDS = 5.0
"""For so long a check holds: anybody may ask for one, and each costs a request."""
IN_MEMORY_BYTES = 2**18
"""What is larger is sent from a temporary file, so that neither memory nor threads wait for a slow client."""
_PIECE_BYTES = 2**20
_PROBE = f"{INCOMING}/probe"
_AT_ONCE = 1000
"""Objects in one answer, or removed by one request."""


class Bucket:
    """A part of an object store; from any thread, and beside other processes."""

    by_age = True
    full = False

    def __init__(self, url: ObjectUrl, role: str) -> None:
        self.new = False
        self._url = url
        self._role = role
        self._quick, self._large = object_clients.open_clients(url, role)
        self._forgotten: set[str] = set()
        self._forgetting = threading.Lock()
        self._checking = threading.Lock()
        self._checked: tuple[float, StoreFailed | None] = (-CHECKED_SECONDS, None)

    @property
    def shown(self) -> str:
        """The URL."""
        return str(self._url)

    @contextmanager
    def failing(self, action: str) -> Iterator[None]:
        """Turn what the object store says, or that it says nothing, into a sentence with its name and a remedy."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            reason = object_clients.reason(error, self._url)
            # Not `from error`: the text of that may hold an address with a signature.
            raise StoreFailed(f"Cannot {action} the {self._role} folder {self.shown}: {reason}") from None

    def create(self) -> None:
        """Look whether objects can be listed, written, read and removed here; the bucket itself is never made."""
        with self.failing("use"):
            within(places.START_SECONDS, self._try_all)

    def _try_all(self) -> None:
        self.new = next(iter(obstore.list(self._quick, chunk_size=1)), None) is None
        obstore.put(self._quick, _PROBE, b"probe", use_multipart=False)
        obstore.get(self._quick, _PROBE).bytes()
        self._delete([_PROBE])

    def check(self) -> None:
        """Raise StoreFailed when nothing can be written here, or could not a moment ago."""
        with self._checking:
            if time.monotonic() - self._checked[0] >= CHECKED_SECONDS:
                failed = None
                try:
                    with self.failing("write to"):
                        obstore.put(self._quick, _PROBE, b"probe", use_multipart=False)
                except StoreFailed as error:
                    failed = error
                self._checked = (time.monotonic(), failed)
            failed = self._checked[1]
        if failed is not None:
            raise StoreFailed(str(failed))

    def put(self, name: str, data: bytes) -> None:
        """Write an object in one request: parts would be kept, unseen and paid for, where they come to no end."""
        kind = guess_type(name)[0] or "application/octet-stream"
        client = self._quick if len(data) <= IN_MEMORY_BYTES else self._large
        obstore.put(client, name, data, attributes={"Content-Type": kind}, use_multipart=False)

    def read(self, name: str) -> bytes:
        """Return the content of an object; raises FileNotFoundError."""
        with self._reading(name):
            return bytes(obstore.get(self._quick, name).bytes())

    def open(self, name: str, start: int = 0, stop: int | None = None) -> Opened:
        """Fetch an object, or the bytes from `start` to before `stop`; raises FileNotFoundError."""
        options: GetOptions = {}
        if stop is not None:
            options["range"] = (start, stop)
        elif start:
            options["range"] = {"offset": start}
        with self._reading(name):
            try:
                return _fetched(obstore.get(self._quick, name, options=options))
            except BaseError as error:
                if not object_clients.is_no_range(error):
                    raise
            whole = _fetched(obstore.get(self._quick, name))  # some stores know no ranges
        return whole_or_section(whole.file, whole.size, start, stop)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        gone = False
        with self.failing("read from"):
            try:
                yield
            except FileNotFoundError as error:
                if object_clients.is_bucket_gone(error):
                    raise
                gone = True
        if gone:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)

    def size_of(self, name: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        with self.failing("read from"):
            try:
                return obstore.head(self._quick, name)["size"]
            except FileNotFoundError:
                return None

    def listed(self) -> Iterator[tuple[str, int]]:
        """Yield all objects with their bytes, but for those below another prefix."""
        with self.failing("read from"):
            for portion in obstore.list(self._quick, chunk_size=_AT_ONCE):
                yield from ((entry["path"], entry["size"]) for entry in portion if "/" not in entry["path"])

    def discard(self, *names: str) -> None:
        """Remove objects; those that are gone do not hinder."""
        self._delete(names)

    def _delete(self, names: "tuple[str, ...] | list[str]") -> None:
        if not names:
            return
        try:
            obstore.delete(self._quick, [*names])
        except FileNotFoundError as error:  # other stores than S3 tell of those that are gone, and stop there
            if object_clients.is_bucket_gone(error):
                raise
            for name in names:
                with suppress(FileNotFoundError):
                    obstore.delete(self._quick, name)

    def note_down(self, texts: Mapping[tuple[str, str, str], str]) -> None:
        """Write notes by store, id and piece of work, each into an object of its own."""
        put = partial(obstore.put, self._quick, use_multipart=False)
        together([partial(put, _note(*key), text.encode()) for key, text in texts.items()])

    def forget(self, store: str, id_: str, work: str) -> None:
        """Remove a note soon, together with others: nobody waits for that."""
        with self._forgetting:
            self._forgotten.add(_note(store, id_, work))

    def forget_now(self) -> None:
        """Remove them."""
        with self._forgetting:
            names = [*self._forgotten]
        self._delete(names)
        with self._forgetting:
            self._forgotten.difference_update(names)

    def noted(self, store: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield the notes of a store that are old enough: id, piece of work, text."""
        old = self._old(f"{INCOMING}/{store}", datetime.now(timezone.utc))
        if old:  # our clock may be wrong, and the store's tells when notes were written
            old = self._old(f"{INCOMING}/{store}", self._now())
        for name in old:
            id_, _, work = name.rpartition("/")[2].removesuffix(".json").partition("_")
            with suppress(FileNotFoundError):  # another process was quicker
                yield id_, work, bytes(obstore.get(self._quick, name).bytes())

    def _old(self, prefix: str, now: datetime) -> list[str]:
        by_then = now - timedelta(seconds=places.LEFT_SECONDS)
        found = obstore.list(self._quick, prefix, chunk_size=_AT_ONCE)
        entries = [entry for portion in found for entry in portion if entry["last_modified"] <= by_then]
        return [entry["path"] for entry in entries if entry["path"].endswith(".json")]

    def _now(self) -> datetime:
        obstore.put(self._quick, _PROBE, b"probe", use_multipart=False)
        return obstore.head(self._quick, _PROBE)["last_modified"]

    def unfinished(self) -> int:
        """Return how many notes are old enough to be settled."""
        with self.failing("read from"):
            old = self._old(INCOMING, datetime.now(timezone.utc))
        return sum(1 for name in old if is_id(name.rpartition("/")[2].partition("_")[0]))

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Yield that nobody else is at work on what is old enough."""
        yield True

    def release(self) -> None:
        """Remove the notes that are to be removed soon; what cannot be done now, another start does."""
        with suppress(StoreFailed), self.failing("clean up"):
            within(places.START_SECONDS, self.forget_now)


def _fetched(found: "GetResult") -> Opened:
    begin, end = found.range
    if end - begin <= IN_MEMORY_BYTES:
        return Opened(BytesIO(found.bytes()), end - begin)
    with ExitStack() as closing:
        file = closing.enter_context(tempfile.TemporaryFile())
        for piece in found.stream(min_chunk_size=_PIECE_BYTES):
            file.write(piece)
        file.seek(0)
        closing.pop_all()
    return Opened(file, end - begin)


def _note(store: str, id_: str, work: str) -> str:
    return f"{INCOMING}/{store}/{id_}_{work}.json"
