"""What is about to be written or removed, noted before it happens.

A note lists files of one measurement in one folder and means: without the record, these files are leftovers.
That holds before an add is recorded and after a delete for good is (what is in the trash has a record still), so
that one rule cleans up after a kill at any moment of both: keep the files of a record, remove the others, then
remove the note.

Notes are not synced to the disk: after a power cut, unlike a kill, files without a record may remain, but
never a record without its files.
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError

from planimeter.store.files import Folder
from planimeter.store.ids import is_id


class Note(BaseModel):
    """The files of one measurement in one folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str
    """Which database knows the record: folders may be shared, or used with another database next time."""
    id: str
    files: tuple[str, ...]

    def names_only_its_own(self) -> bool:
        """Say whether every file is a plain name that carries the id."""
        return all(f"_{self.id}" in name and not set(name) & set("/\\\0") for name in self.files)


def write_note(folder: Folder, note: Note) -> None:
    """Note down what is about to happen."""
    folder.incoming.mkdir(exist_ok=True)  # a person may have tidied it away
    (folder.incoming / f"{note.id}.json").write_text(note.model_dump_json(), encoding="utf-8")


def remove_note(folder: Folder, id_: str) -> None:
    """Remove the note of work that is done."""
    (folder.incoming / f"{id_}.json").unlink(missing_ok=True)


def remove_leftovers(folder: Folder, note: Note) -> None:
    """Remove the files of a measurement that has no record, then the note."""
    for name in note.files:
        folder.discard(name)
    remove_note(folder, note.id)


def notes(folder: Folder, store: str) -> Iterator[Note]:
    """Yield the notes that this store left in the folder.

    A note cut short by a kill comes without files, because none had been written yet. Whatever else lies
    in the folder is not ours and is passed over.
    """
    for path in sorted(folder.incoming.glob("*.json")):
        if not is_id(path.stem):
            continue
        try:
            note = Note.model_validate_json(path.read_bytes())
        except ValidationError:
            note = Note(store=store, id=path.stem, files=())
        if note.store == store and note.id == path.stem and note.names_only_its_own():
            yield note
