"""The two folders of a store, which may be one: uploads, and what is made of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from planimeter.store.files import FileKind, FileNames, Folder
from planimeter.store.syncing import opened_folders, sync_all


class Folders:
    """Where the files of measurements are."""

    def __init__(self, uploads: Folder, outputs: Folder, new: Sequence[Folder] = ()) -> None:
        self.uploads = uploads
        self.outputs = outputs
        self.new = new
        """Those that had to be made."""

    @classmethod
    def create(cls, upload_folder: Path, output_folder: Path) -> "Folders":
        """Create what is missing; raises StoreFailed."""
        uploads = Folder(upload_folder.absolute(), "upload")
        outputs = Folder(output_folder.absolute(), "output")
        new = [folder for folder in (uploads, outputs) if not folder.path.exists()]
        uploads.create()
        outputs.create()
        return cls(uploads, uploads if uploads.path.samefile(outputs.path) else outputs, new)

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

    def write(self, names: FileNames, files: Mapping[FileKind, bytes]) -> None:
        """Write files of a measurement: each whole, in its place, and on the disk when this returns.

        Raises StoreFailed; what was written until then stays.
        """
        with ExitStack() as opened:
            aside: list[tuple[Folder, str, BinaryIO]] = []
            for kind, data in files.items():
                folder, name = self._folder_of(kind), getattr(names, kind)
                with folder.failing("write to"):
                    aside.append((folder, name, opened.enter_context(folder.write_aside(name, data))))
            _told([folder for folder, _, _ in aside], sync_all([file.fileno() for _, _, file in aside]))
        for folder, name, _ in aside:
            with folder.failing("write to"):
                folder.move_in_place(name)
        folders = list(dict.fromkeys(folder for folder, _, _ in aside))
        with (
            folders[0].failing("write to"),
            opened_folders([folder.path for folder in folders]) as descriptors,
        ):
            _told(folders, sync_all(descriptors))

    def open(self, names: FileNames, kind: FileKind) -> BinaryIO:
        """Open a file of a measurement to be read piece by piece."""
        return self._folder_of(kind).open(getattr(names, kind))

    def _folder_of(self, kind: FileKind) -> Folder:
        return self.uploads if kind == "image" else self.outputs

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


def _told(folders: Sequence[Folder], failed: Sequence[OSError | None]) -> None:
    """Raise what went wrong first, if anything did, as a sentence about its folder."""
    for folder, error in zip(folders, failed, strict=False):
        if error is not None:
            with folder.failing("write to"):
                raise error
