"""Where pictures come from and results go to: folders, and buckets by their addresses (`s3://bucket/folder`)."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from planimeter.errors import StoreFailed
from planimeter.pictures.sources import read_picture_file
from planimeter.reading import read_file
from planimeter.settings import Limits

HIDDEN = ".planimeter"
"""Folder beside the tables in which a run keeps what is no result yet; readers of Parquet pass it over."""


class Place(Protocol):
    """What is kept by name in one folder or below one address of a bucket; raises `StoreFailed` and `Unreachable`."""

    address: str
    hidden: Path | None
    """A folder of this machine for what is being worked on; None for a bucket."""

    def names(self, folder: str) -> list[str]:
        """Return the names of what is in a folder, in the order of the alphabet: `folder/name`."""

    def read(self, name: str) -> bytes | None:
        """Return the content of one, or None where it is not there."""

    def write(self, name: str, data: bytes) -> None:
        """Write one, whole or not at all."""

    def remove(self, name: str) -> None:
        """Remove one, where it is there."""


class FolderPlace:
    """A folder of this machine, or one that all machines share."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  links in it stay as they are
        self.address = str(self._folder)
        self.hidden: Path | None = self._folder / HIDDEN
        self._aside = self._folder / HIDDEN / "aside"

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder of it."""
        with _failing(self._folder / folder, "read"):
            try:
                return sorted(f"{folder}/{name}" for name in os.listdir(self._folder / folder))  # noqa: PTH208
            except FileNotFoundError:
                return []

    def read(self, name: str) -> bytes | None:
        """Return the content of a file."""
        with _failing(self._folder / name, "read"):
            try:
                return read_file(self._folder / name)
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file aside, have it on the disk, and move it into its place."""
        target = self._folder / name
        with _failing(target, "written"):
            self._aside.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._aside, delete=False) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).chmod(0o644)  # what it was until now is for this user alone
            Path(file.name).replace(target)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with _failing(self._folder / name, "removed"):
            (self._folder / name).unlink(missing_ok=True)


def open_place(address: str) -> Place:
    """Return the place that an address or a path names."""
    if is_address(address):
        from planimeter.bulk.buckets import BucketPlace  # noqa: PLC0415 - an extra

        return BucketPlace(address)
    return FolderPlace(Path(address))


def is_address(text: str) -> bool:
    """Return whether a text is the address of something in a bucket rather than a path."""
    return "://" in text


def read_picture(key: str, limits: Limits) -> bytes:
    """Return the bytes of a picture; raises `MissingPicture`, `TooManyBytes`, and `Unreachable` where its bucket is."""
    if is_address(key):
        from planimeter.bulk.buckets import read_object  # noqa: PLC0415 - an extra

        return read_object(key, limits.max_bytes)
    return read_picture_file(Path(key), limits)


def name_of(key: str) -> str:
    """Return the last part of a key: the name of the picture's file."""
    return key.rpartition("/")[2] if is_address(key) else Path(key).name


@contextmanager
def _failing(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"{path} cannot be {verb}: {error.strerror or error}") from error
