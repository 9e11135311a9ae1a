"""The two places of a store, which may be one: for uploads, and for what is made of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import BinaryIO

from planimeter.store.files import FileKind, FileNames, Folder
from planimeter.store.opened import Opened
from planimeter.store.places import Place, Remote, Where, place_of
from planimeter.store.syncing import begin_writing, sync_folder
from planimeter.store.together import together


class Folders:
    """Where the files of measurements are."""

    def __init__(self, uploads: Place, outputs: Place, new: Sequence[Place] = ()) -> None:
        self.uploads = uploads
        self.outputs = outputs
        self.new = new
        """Those in which there was nothing."""

    @classmethod
    def create(cls, upload_folder: Where, output_folder: Where) -> "Folders":
        """Create what is missing; raises StoreFailed."""
        uploads, outputs = place_of(upload_folder, "upload"), place_of(output_folder, "output")
        uploads.create()
        outputs.create()
        new = [place for place in (uploads, outputs) if place.new]
        return cls(uploads, uploads if _same(uploads, outputs) else outputs, new)

    def __iter__(self) -> Iterator[Place]:
        """Yield each place once."""
        return iter(dict.fromkeys((self.uploads, self.outputs)))

    @property
    def elsewhere(self) -> bool:
        """Whether one of them is on another machine, where writing takes its time."""
        return len(self._local()) < len([*self])

    @property
    def full(self) -> bool:
        """Whether there is no room to speak of on a disk of theirs."""
        return any(place.full for place in self)

    def hold_reserve(self) -> None:
        """Keep some bytes on the disk, for the time when it is full."""
        for folder in self._local():
            folder.hold_reserve()

    def drop_reserve(self) -> None:
        """Give the bytes back, so that deleting and starting find the room that they need."""
        for folder in self._local():
            folder.drop_reserve()

    def _local(self) -> list[Folder]:
        return [place for place in self if isinstance(place, Folder)]

    def write(self, names: FileNames, files: Mapping[FileKind, bytes]) -> None:
        """Write files of a measurement: each whole, in its place, and on the disk when this returns.

        Raises StoreFailed; what was written until then stays.
        """
        with self.writing(names, files):
            pass

    @contextmanager
    def writing(self, names: FileNames, files: Mapping[FileKind, bytes]) -> Iterator[None]:
        """Do the same as `write`, and something else while the disk is at work; all of it is done at the end."""
        named: dict[Place, dict[str, bytes]] = {}
        for kind, data in files.items():
            named.setdefault(self._place_of(kind), {})[getattr(names, kind)] = data
        folders = {place: data for place, data in named.items() if isinstance(place, Folder)}
        elsewhere = [
            partial(_put, place, name, content)
            for place, data in named.items()
            if not isinstance(place, Folder)
            for name, content in data.items()
        ]
        with _writing_folders(folders) if folders else nullcontext():
            yield
        together(elsewhere)

    def open(self, names: FileNames, kind: FileKind, start: int = 0, stop: int | None = None) -> Opened:
        """Open a file of a measurement, or some of it."""
        return self._place_of(kind).open(getattr(names, kind), start, stop)

    def read(self, names: FileNames, kind: FileKind) -> bytes:
        """Return a file of a measurement."""
        return self._place_of(kind).read(getattr(names, kind))

    def bytes_of(self, names: FileNames, kind: FileKind) -> int | None:
        """Return the bytes of a file of a measurement; None where it is gone."""
        return self._place_of(kind).size_of(getattr(names, kind))

    def _place_of(self, kind: FileKind) -> Place:
        return self.uploads if kind == "image" else self.outputs

    def size_of(self, names: FileNames) -> int:
        """Return the bytes of a measurement's files; one that is gone has none. Raises StoreFailed."""
        return sum(
            place.size_of(name) or 0 for place, files in self.files_of(names).items() for name in files
        )

    def files_of(self, names: FileNames) -> dict[Place, tuple[str, ...]]:
        """Return the names of a measurement's files by the place that they are in."""
        files: dict[Place, tuple[str, ...]] = {self.uploads: (names.image,)}
        files[self.outputs] = (*files.get(self.outputs, ()), *names.drawn)
        return files

    def check(self) -> None:
        """Raise StoreFailed when one of them cannot be written."""
        for place in self:
            place.check()

    def release(self) -> None:
        """Stop sharing them."""
        for place in self:
            place.release()


def _same(one: Place, other: Place) -> bool:
    if isinstance(one, Folder) and isinstance(other, Folder):
        return one.path.samefile(other.path)
    return one.shown == other.shown


def _put(place: Remote, name: str, data: bytes) -> None:
    with place.failing("write to"):
        place.put(name, data)


@contextmanager
def _writing_folders(files: Mapping[Folder, Mapping[str, bytes]]) -> Iterator[None]:
    """Write files into folders of this machine: all of them aside, then synced, then moved.

    While the disk begins with them, something else can be done. One is synced after the other: what makes sure of the
    first makes sure of most of the others too, where they are on one disk.
    """
    with ExitStack() as opened:
        aside: list[tuple[Folder, str, BinaryIO]] = []
        for folder, contents in files.items():
            for name, data in contents.items():
                with folder.failing("write to"):
                    aside.append((folder, name, opened.enter_context(folder.write_aside(name, data))))
        begin_writing([file for _, _, file in aside])
        yield
        for folder, _, file in aside:
            with folder.failing("write to"):
                os.fsync(file.fileno())
    for folder, name, _ in aside:
        with folder.failing("write to"):
            folder.move_in_place(name)
    for folder in files:
        with folder.failing("write to"):
            sync_folder(folder.path)
