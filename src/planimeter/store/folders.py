"""The two folders of a store, which may be one: uploads, and what is made of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from planimeter.store.files import FileKind, FileNames, Folder


class Folders:
    """Where the files of measurements are."""

    def __init__(self, uploads: Folder, outputs: Folder) -> None:
        self.uploads = uploads
        self.outputs = outputs

    @classmethod
    def create(cls, upload_folder: Path, output_folder: Path) -> "Folders":
        """Create what is missing; raises StoreFailed."""
        uploads = Folder(upload_folder.absolute(), "upload")
        outputs = Folder(output_folder.absolute(), "output")
        uploads.create()
        outputs.create()
        return cls(uploads, uploads if uploads.path.samefile(outputs.path) else outputs)

    def __iter__(self) -> Iterator[Folder]:
        """Yield each folder once."""
        return iter(dict.fromkeys((self.uploads, self.outputs)))

    @property
    def full(self) -> bool:
        """Whether there is no room to speak of on a disk of theirs."""
        return any(folder.full for folder in self)

    def hold_reserve(self) -> None:
        """Keep some bytes on the disk, for the time when it is full."""
        for folder in self:
            folder.hold_reserve()

    def drop_reserve(self) -> None:
        """Give the bytes back, so that deleting and starting find the room that they need."""
        for folder in self:
            folder.drop_reserve()

    def open(self, names: FileNames, kind: FileKind) -> BinaryIO:
        """Open a file of a measurement to be read piece by piece."""
        folder = self.uploads if kind == "image" else self.outputs
        return folder.open(getattr(names, kind))

    def size_of(self, names: FileNames) -> int:
        """Return the bytes of a measurement's files; one that is gone has none."""
        paths = (folder.path / name for folder, files in self.files_of(names).items() for name in files)
        return sum(path.stat().st_size for path in paths if path.is_file())

    def files_of(self, names: FileNames) -> dict[Folder, tuple[str, ...]]:
        """Return the names of a measurement's files by the folder that they are in."""
        files: dict[Folder, tuple[str, ...]] = {self.uploads: (names.image,)}
        files[self.outputs] = (*files.get(self.outputs, ()), *names.drawn)
        return files

    def check(self) -> None:
        """Raise StoreFailed when one of them cannot be written."""
        for folder in self:
            folder.check()

    def release(self) -> None:
        """Stop sharing them."""
        for folder in self:
            folder.release()
