"""Where files of measurements are: a folder of this machine, or a part of an object store; told by a path or a URL."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from planimeter.errors import StoreFailed
from planimeter.store import object_urls
from planimeter.store.files import Folder
from planimeter.store.opened import Opener

Where = Path | str
"""A folder, or the URL of a part of an object store, as `s3://bucket/prefix`."""


LEFT_SECONDS = 3600.0
"""After which noted work is taken for unfinished, where nothing else tells it from what is under way."""

START_SECONDS = 6.0
"""How long the first look at an object store may take, whatever becomes of names, networks and credentials."""


class Files(Opener, Protocol):
    """Files of measurements in one place: each is there whole or not at all. Their names are plain, without slashes.

    What is about to happen to files is noted beside them, so that what a kill leaves behind can be told from the rest.
    """

    by_age: bool
    """Whether unfinished work is told by its age: no process can say to others that it is at work."""
    new: bool
    """Whether there was nothing when it was opened."""

    @property
    def shown(self) -> str:
        """What the place is called: its path or URL."""
        ...

    @property
    def full(self) -> bool:
        """Whether there is no room to speak of."""
        ...

    def failing(self, action: str) -> AbstractContextManager[None]:
        """Turn what goes wrong inside into StoreFailed: a sentence with the place and a remedy."""
        ...

    def create(self) -> None:
        """Make the place where it is missing and can be made; raises StoreFailed."""
        ...

    def check(self) -> None:
        """Raise StoreFailed when nothing can be written here."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        ...

    def listed(self) -> Iterator[tuple[str, int]]:
        """Yield all files with their bytes."""
        ...

    def discard(self, *names: str) -> None:
        """Remove files, wherever on their way they are."""
        ...

    def note_down(self, texts: Mapping[tuple[str, str, str], str]) -> None:
        """Write notes: by store, id and piece of work."""
        ...

    def forget(self, store: str, id_: str, work: str) -> None:
        """Remove a note, now or soon."""
        ...

    def forget_now(self) -> None:
        """Remove the notes that are to be removed soon."""
        ...

    def noted(self, store: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield the notes of a store that nobody can be at work on: id, piece of work, text."""
        ...

    def unfinished(self) -> int:
        """Return how many notes there are that a start, or time, has to see to."""
        ...

    def claimed(self) -> AbstractContextManager[bool]:
        """Yield whether no other process is at work here; afterwards share the place until `release`."""
        ...

    def release(self) -> None:
        """Stop sharing the place."""
        ...


class Remote(Files, Protocol):
    """Files on another machine, each written by itself."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file: it is kept for good when this returns."""
        ...


Place = Folder | Remote


def place_of(where: Where, role: str) -> Place:
    """Return the place that is meant, without a look at it; `role` is what its files are there for.

    Raises StoreFailed for a URL that cannot be used.
    """
    if not object_urls.is_url(where):
        return Folder(Path(where).absolute(), role)
    url = object_urls.parse(str(where), role)
    try:
        from planimeter.store.objects import Bucket  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise StoreFailed(
            f"The {role} folder {url} needs obstore: pip install 'planimeter[objects]' ({error})."
        ) from error
    return Bucket(url, role)


def shown(where: Where) -> str:
    """Return what a place is called, without what should not be seen; for a URL that cannot be used too."""
    return object_urls.shown(str(where)) if object_urls.is_url(where) else str(Path(where).absolute())
