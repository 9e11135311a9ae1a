"""Files of measurements brought from their folders to others: each compared byte for byte once it is there."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import get_args

import sqlalchemy as sa

from planimeter.errors import StoreFailed
from planimeter.store.files import FileKind, FileNames
from planimeter.store.folders import Folders
from planimeter.store.moving.records import AT_ONCE, Tell
from planimeter.store.trashed import MEASUREMENTS, TRASHED

_THREADS = 4
"""Measurements whose files are on their way: while one waits for the disk, others are read."""
_KINDS: tuple[FileKind, ...] = get_args(FileKind)


@dataclass(frozen=True)
class Named:
    """The files of one measurement."""

    id: str
    names: FileNames


@dataclass
class Brought:
    """What became of the files."""

    copied: int = 0
    there: int = 0
    """Those that were there before, and are the same."""
    missing: int = 0
    bytes: int = 0
    """Of all that are there now."""


def count_named(connection: sa.Connection) -> int:
    """Return how many measurements have files, those in the trash too."""
    return sum(
        connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in (MEASUREMENTS, TRASHED)
    )


def named(connection: sa.Connection) -> Iterator[list[Named]]:
    """Yield the names of all files that are recorded, some measurements at a time; raises StoreFailed."""
    for table in (MEASUREMENTS, TRASHED):
        after = ""
        columns = (table.c.id, table.c.upload_name, table.c.overlay_name, table.c.mask_name)
        while True:
            rows = connection.execute(
                sa.select(*columns).where(table.c.id > after).order_by(table.c.id).limit(AT_ONCE)
            ).all()
            yield [_named(*row) for row in rows]
            if len(rows) < AT_ONCE:
                break
            after = rows[-1][0]


def _named(id_: str, *names: str) -> Named:
    if any(set(name) & set("/\\\0") or name in {"", ".", ".."} for name in names):
        raise StoreFailed(
            f"The record of measurement {id_} names files in other folders ({', '.join(names)}): it was changed by "
            "hand. Bring back a copy of the database, or delete that measurement."
        )
    return Named(id_, FileNames(*names))


def find_missing(connection: sa.Connection, folders: Folders, tell: Tell) -> tuple[int, str]:
    """Return how many files are not where they should be, and which one is the first."""
    total, done, missing, first = count_named(connection), 0, 0, ""
    for portion in named(connection):
        for each in portion:
            for kind in _KINDS:
                if folders.bytes_of(each.names, kind) is None:
                    missing += 1
                    first = first or f"{getattr(each.names, kind)} of measurement {each.id}"
        done += len(portion)
        tell("Looking for files", done, total)
    return missing, first


def bring(
    connection: sa.Connection, source: Folders, target: Folders, kinds: Sequence[FileKind], tell: Tell
) -> Brought:
    """Copy the files of these kinds that are not there yet, and compare all of them.

    `connection` is one to the source. Raises StoreFailed where one cannot be written, or is another one when it is read
    back.
    """
    brought = Brought()
    total, done = count_named(connection), 0

    def one(each: Named) -> Brought:
        return _bring(each.names, source, target, kinds)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="move") as threads:
        for portion in named(connection):
            for result in threads.map(one, portion):
                brought.copied += result.copied
                brought.there += result.there
                brought.missing += result.missing
                brought.bytes += result.bytes
                done += 1
                tell("Copying files", done, total)
    return brought


def _bring(names: FileNames, source: Folders, target: Folders, kinds: Sequence[FileKind]) -> Brought:
    result = Brought()
    contents: dict[FileKind, bytes] = {}
    for kind in kinds:
        data = _content(source, names, kind)
        if data is None:
            result.missing += 1
            continue
        result.bytes += len(data)
        if _content(target, names, kind) == data:
            result.there += 1
        else:
            contents[kind] = data
    if contents:
        _discard(target, names, contents)
        target.write(names, contents)
    for kind, data in contents.items():
        if _content(target, names, kind) != data:
            raise StoreFailed(
                f"{getattr(names, kind)} is another file when it is read back from where it was copied to: check that "
                "disk, then start again."
            )
        result.copied += 1
    return result


def _discard(target: Folders, names: FileNames, kinds: Iterable[FileKind]) -> None:
    """Remove what a move that was killed left of these files."""
    new = {getattr(names, kind) for kind in kinds}
    for place, files in target.files_of(names).items():
        for name in new & {*files}:
            with place.failing("write to"):
                place.discard(name)


def _content(folders: Folders, names: FileNames, kind: FileKind) -> bytes | None:
    """Return a file; None where there is none."""
    try:
        return folders.read(names, kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreFailed(
            f"{getattr(names, kind)} cannot be read ({error.strerror}): check the disk, then start again."
        ) from error
