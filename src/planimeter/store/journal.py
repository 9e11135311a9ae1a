"""What is about to be written or removed, noted before it happens.

A note lists files of one measurement in one folder and means: without the record, these files are leftovers.
That holds before an add is recorded and after a delete for good is (what is in the trash has a record still), so
that one rule cleans up after a kill at any moment of both: keep the files of a record, remove the others, then
remove the note.

Notes are not synced to the disk: after a power cut, unlike a kill, files without a record may remain, but
never a record without its files.
"""

import time
from collections.abc import Iterator, Sequence
from secrets import token_hex

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planimeter.store.ids import is_id
from planimeter.store.places import Files


class Note(BaseModel):
    """The files of one measurement in one place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str
    """Which database knows the record: folders may be shared, or used with another database next time."""
    id: str
    files: tuple[str, ...]
    work: str = Field(default_factory=lambda: token_hex(4), exclude=True)
    """Tells what is done at one time from what is done at another, where both may be noted."""
    begun: float = Field(default_factory=time.time, exclude=True)
    """When, in seconds since 1970."""

    def names_only_its_own(self) -> bool:
        """Say whether every file is a plain name that carries the id."""
        return all(f"_{self.id}" in name and not set(name) & set("/\\\0") for name in self.files)


def write_note(place: Files, *notes: Note) -> None:
    """Note down what is about to happen."""
    place.note_down({(note.store, note.id, note.work): note.model_dump_json() for note in notes})


def remove_note(place: Files, note: Note) -> None:
    """Remove the note of work that is done."""
    place.forget(note.store, note.id, note.work)


def remove_leftovers(place: Files, notes: Sequence[Note]) -> None:
    """Remove the files of measurements that have no record, then the notes."""
    place.discard(*(name for note in notes for name in note.files))
    for note in notes:
        remove_note(place, note)


def notes(place: Files, store: str) -> Iterator[Note]:
    """Yield the notes that this store left in a place, where nobody can be at work on them any more.

    A note cut short by a kill comes without files, if at all, because none had been written yet. Whatever else lies
    there is not ours and is passed over.
    """
    for id_, work, text in place.noted(store):
        if not is_id(id_):
            continue
        try:
            note = Note.model_validate_json(text).model_copy(update={"work": work})
        except ValidationError:
            note = Note(store=store, id=id_, files=(), work=work)
        if note.store == store and note.id == id_ and note.names_only_its_own():
            yield note
