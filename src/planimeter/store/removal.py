"""Removing measurements for good: first the record, then the files, with notes that say what is left to do."""

from collections.abc import Callable, Sequence

from planimeter.errors import StoreFailed
from planimeter.store.files import FileNames
from planimeter.store.folders import Folders
from planimeter.store.unfinished import Unfinished


class Removal:
    """Removes measurements with their files."""

    def __init__(self, folders: Folders, unfinished: Unfinished) -> None:
        self._folders = folders
        self._unfinished = unfinished

    def remove(self, named: dict[str, FileNames], remove_records: Callable[[Sequence[str]], int]) -> int:
        """Remove a few measurements, whose files are `named`, and return how many were there; raises StoreFailed.

        Removing needs a little room itself: on a full disk the reserve is given up for it.
        """
        try:
            return self._at_once(named, remove_records)
        except StoreFailed:
            if not self._folders.full:
                raise
        self._folders.drop_reserve()
        try:
            return self._at_once(named, remove_records)
        finally:
            self._folders.hold_reserve()

    def _at_once(self, named: dict[str, FileNames], remove_records: Callable[[Sequence[str]], int]) -> int:
        notes = {id_: self._unfinished.notes(id_, names) for id_, names in named.items()}
        self._unfinished.begin(*notes.values())
        try:
            removed = remove_records([*named]) if named else 0
        except BaseException:
            for one in notes.values():
                self._unfinished.take_back(one)
            raise
        still = self._unfinished.named([*named])
        for id_ in still:  # they were brought back or thrown away meanwhile
            self._unfinished.end(notes.pop(id_))
        self._unfinished.remove([*notes.values()])
        return removed
