"""Work that a failure or a kill left unfinished: one rule settles it, from the notes in the folders."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from planimeter.errors import StoreFailed
from planimeter.store import journal
from planimeter.store.files import FileNames, Folder
from planimeter.store.folders import Folders
from planimeter.store.journal import Note

Notes = dict[Folder, Note]
"""Of one measurement: a note in each folder."""


class Unfinished:
    """Notes what is about to happen to the files of measurements, and finishes or takes back what did not."""

    def __init__(
        self, folders: Folders, store_id: str, named: Callable[[Sequence[str]], dict[str, FileNames]]
    ) -> None:
        """`named` returns the files that are recorded, of those ids that are."""
        self._folders = folders
        self._store_id = store_id
        self.named = named

    def notes(self, id_: str, names: FileNames) -> Notes:
        """Return the notes for all files of a measurement."""
        return {
            folder: self.note(id_, its_files) for folder, its_files in self._folders.files_of(names).items()
        }

    def note(self, id_: str, files: Sequence[str]) -> Note:
        """Return the note for some files of a measurement."""
        return Note(store=self._store_id, id=id_, files=tuple(files))

    def begin(self, notes: Notes) -> None:
        """Write the notes, before anything happens; raises StoreFailed."""
        for folder, note in notes.items():
            with folder.failing("write to"):
                journal.write_note(folder, note)

    def take_back(self, notes: Notes) -> None:
        """Take back work that failed; what cannot be done now, the next start does."""
        for folder, note in notes.items():
            with suppress(OSError, StoreFailed):
                self._settle(folder, note)

    def end(self, notes: Notes) -> None:
        """Remove the notes of work that is done; one that stays does no harm until the next start."""
        for folder, note in notes.items():
            with suppress(OSError):
                journal.remove_note(folder, note.id)

    def sweep(self) -> None:
        """Finish what killed processes left unfinished, in folders where nobody else is at work."""
        for folder in self._folders:
            with folder.failing("clean up"), folder.claimed() as alone:
                for note in journal.notes(folder, self._store_id) if alone else ():
                    self._settle(folder, note)

    def _settle(self, folder: Folder, note: Note) -> None:
        """Keep the files that a record names and remove the others."""
        recorded = self.named([note.id]).get(note.id)
        named = set() if recorded is None else {recorded.image, *recorded.drawn}
        left = tuple(name for name in note.files if name not in named)
        journal.remove_leftovers(folder, note.model_copy(update={"files": left}))
