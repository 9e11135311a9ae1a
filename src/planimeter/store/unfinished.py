"""Work that a failure or a kill left unfinished: one rule settles it, from the notes beside the files."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from planimeter.errors import StoreFailed
from planimeter.store import journal, places
from planimeter.store.files import FileNames, Folder
from planimeter.store.folders import Folders
from planimeter.store.journal import Note
from planimeter.store.places import Place
from planimeter.store.together import together

Notes = dict[Place, Note]
"""Of one measurement: a note in each place."""


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
            place: self.note(id_, its_files) for place, its_files in self._folders.files_of(names).items()
        }

    def note(self, id_: str, files: Sequence[str]) -> Note:
        """Return the note for some files of a measurement."""
        return Note(store=self._store_id, id=id_, files=tuple(files))

    def begin(self, *works: Notes) -> None:
        """Write the notes of some measurements, before anything happens; raises StoreFailed, and nothing has begun."""
        noted = _by_place(works)
        try:
            _each(noted, lambda place: _write(place, noted[place]))
        except BaseException:
            for place, notes in noted.items():
                if not place.by_age:
                    for note in notes:
                        self._settle_if_possible(place, note)
            raise

    def check_in_time(self, notes: Notes) -> None:
        """Raise StoreFailed where work took so long that its files may be taken for leftovers soon.

        To be called right before files are recorded.
        """
        if any(
            place.by_age and time.time() - note.begun > places.LEFT_SECONDS / 2
            for place, note in notes.items()
        ):
            raise StoreFailed(
                f"Storing took longer than {places.LEFT_SECONDS / 120:g} minutes: it was given up."
            )

    def take_back(self, notes: Notes) -> None:
        """Take back work that failed; what cannot be done now, the next start does, or time."""
        # What was sent to another machine may arrive there still: its note stays, for the look of later.
        _each(notes, lambda place: self._settle_if_possible(place, notes[place], forget=not place.by_age))

    def settle(self, notes: Notes) -> None:
        """Remove what the record does not name, of work that is done."""
        _each(notes, lambda place: self._settle_if_possible(place, notes[place]))

    def end(self, notes: Notes) -> None:
        """Remove the notes of work that is done; one that stays does no harm until the next start."""
        for place, note in notes.items():
            with suppress(OSError):
                journal.remove_note(place, note)

    def remove(self, works: Sequence[Notes]) -> None:
        """Remove the files of measurements that have no record any more, and the notes; raises StoreFailed."""
        for place, notes in _by_place(works).items():
            with place.failing("remove a file from"):
                journal.remove_leftovers(place, notes)

    def sweep(self) -> None:
        """Finish what killed processes left unfinished, where nobody else is at work."""
        for place in self._folders:
            with place.failing("clean up"), place.claimed() as alone:
                for note in journal.notes(place, self._store_id) if alone else ():
                    self._settle(place, note)

    def tidy(self) -> None:
        """Do the same where leftovers are told by their age; raises StoreFailed."""
        for place in self._folders:
            if place.by_age:
                with place.failing("clean up"):
                    for note in journal.notes(place, self._store_id):
                        self._settle(place, note)
                    place.forget_now()

    def _settle_if_possible(self, place: Place, note: Note, *, forget: bool = True) -> None:
        with suppress(StoreFailed), place.failing("clean up"):
            self._settle(place, note, forget=forget)

    def _settle(self, place: Place, note: Note, *, forget: bool = True) -> None:
        """Keep the files that a record names and remove the others."""
        recorded = self.named([note.id]).get(note.id)
        named = set() if recorded is None else {recorded.image, *recorded.drawn}
        place.discard(*(name for name in note.files if name not in named))
        if forget:
            journal.remove_note(place, note)


def _each(places_: Iterable[Place], call: Callable[[Place], None]) -> None:
    """Make a call for each place: one after the other for folders here, at the same time for places elsewhere."""
    elsewhere = []
    for place in places_:
        if isinstance(place, Folder):
            call(place)
        else:
            elsewhere.append(partial(call, place))
    together(elsewhere)


def _by_place(works: Sequence[Notes]) -> dict[Place, list[Note]]:
    found: dict[Place, list[Note]] = {}
    for notes in works:
        for place, note in notes.items():
            found.setdefault(place, []).append(note)
    return found


def _write(place: Place, notes: Sequence[Note]) -> None:
    with place.failing("write to"):
        journal.write_note(place, *notes)
