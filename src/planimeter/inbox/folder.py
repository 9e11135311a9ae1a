"""What lies in a watched folder, and since when each file is as it is."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from planimeter.pictures.formats import LITTER, OTHER_PICTURES, SUFFIXES
from planimeter.reading import read_file

ENDINGS = frozenset(SUFFIXES) | OTHER_PICTURES
"""Of files that are taken: of pictures, also such as the service may refuse, so that somebody is told."""


@dataclass(frozen=True)
class State:
    """What shows that somebody writes to a file, or that another one is in its place.

    No number of an inode: some network drives give a file a new one at every look.
    """

    size: int
    modified_ns: int


@dataclass(frozen=True)
class Found:
    """A file in the folder."""

    name: str
    """Relative to the folder, with slashes."""
    path: Path
    state: State

    def unchanged(self) -> bool:
        """Say whether it is still the same, as far as its size and time tell."""
        try:
            return state_of(self.path) == self.state
        except OSError:
            return False

    def read(self, most_bytes: int) -> bytes:
        """Return its content, one byte more than `most_bytes` at the most; raises OSError."""
        return read_file(self.path, most_bytes=most_bytes, follow_links=False)


def state_of(path: Path) -> State:
    """Return how a file is now; raises OSError."""
    return _state(path.lstat())


def find_pictures(folder: Path, apart: Iterable[Path], *, subfolders: bool) -> list[Found]:
    """Return the pictures in a folder, the oldest first, but none in the folders `apart`; raises OSError.

    Only regular files: a link could lead to what nobody put here. Hidden and temporary names are passed over.
    """
    left = {path.resolve() for path in apart}
    return sorted(
        _walk(folder, "", left, subfolders=subfolders), key=lambda each: (each.state.modified_ns, each.name)
    )


def _walk(folder: Path, prefix: str, left: set[Path], *, subfolders: bool) -> Iterator[Found]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "~")) or entry.name in LITTER:
                continue
            name, path = f"{prefix}{entry.name}", Path(entry.path)
            try:
                if entry.is_dir(follow_symlinks=False):
                    if subfolders and path.resolve() not in left:
                        yield from _walk(path, f"{name}/", left, subfolders=True)
                elif path.suffix.lower() in ENDINGS and entry.is_file(follow_symlinks=False):
                    yield Found(name, path, _state(entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue  # it went away while we looked


def _state(found: os.stat_result) -> State:
    return State(found.st_size, found.st_mtime_ns)


class Settling:
    """Since when each file is as it is: one that is still being written changes its size or its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[str, tuple[State, float]] = {}

    def settled(self, found: Sequence[Found], now: float) -> list[Found]:
        """Return those that have not changed for long enough, by looks at `now` and before.

        An empty file is never settled: its writer is still to come.
        """
        before, self._since = self._since, {}
        for each in found:
            state, since = before.get(each.name, (each.state, now))
            self._since[each.name] = (each.state, since if state == each.state else now)
        return [
            each for each in found if each.state.size and now - self._since[each.name][1] >= self._seconds
        ]
