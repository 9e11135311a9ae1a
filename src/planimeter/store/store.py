"""The store: pictures in folders and records in a database, kept in step."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from planimeter.errors import StoreFailed
from planimeter.measurement import Measurement
from planimeter.store import journal
from planimeter.store.files import FileNames, Folder, file_names
from planimeter.store.ids import Ids, time_of
from planimeter.store.journal import Note
from planimeter.store.records import Filter, Record, Records, measurement_of
from planimeter.store.tables import MeasurementRow

_PageOfRecords = list[Record]  # inside the class, `list` is the method


class Store:
    """Keeps measurements with their pictures; from any thread, and beside other processes."""

    def __init__(self, records: Records, uploads: Folder, outputs: Folder) -> None:
        self._records = records
        self._uploads = uploads
        self._outputs = outputs
        self._ids = Ids()

    @classmethod
    def open(cls, database: str, upload_folder: Path, output_folder: Path) -> "Store":
        """Open a store, creating what is missing, and remove what a killed process left behind.

        `database` is an SQLAlchemy URL. Raises StoreFailed when a folder or the database cannot be written.
        """
        uploads = Folder(upload_folder.absolute(), "upload")
        outputs = Folder(output_folder.absolute(), "output")
        uploads.create()
        outputs.create()
        if uploads.path.samefile(outputs.path):
            outputs = uploads
        store = cls(Records(database), uploads, outputs)
        try:
            store.check()
            store._sweep()
        except BaseException:
            store.close()
            raise
        return store

    def add(
        self,
        measurement: Measurement,
        *,
        picture: bytes,
        overlay_png: bytes,
        mask_png: bytes,
        candidates: bytes | None = None,
    ) -> Record:
        """Store a measurement with its pictures: all of it, or, on StoreFailed, nothing.

        `candidates` is all that the network found, packed, for `candidates` to return.
        """
        id_ = self._ids.next()
        names = file_names(measurement.image.filename, measurement.image.format, id_)
        notes = self._notes(id_, names)
        try:
            for folder, note in notes.items():
                with folder.failing("write to"):
                    journal.write_note(folder, note)
            with self._uploads.failing("write to"):
                self._uploads.write(names.upload, picture)
            with self._outputs.failing("write to"):
                self._outputs.write(names.overlay, overlay_png)
                self._outputs.write(names.mask, mask_png)
            for folder in notes:
                with folder.failing("write to"):
                    folder.sync()
            self._records.insert(id_, measurement, names, candidates=candidates)
        except BaseException:
            self._undo(notes)
            raise
        self._remove_notes(notes)
        return self._record(id_, measurement, names)

    def get(self, id_: str) -> Record:
        """Return a measurement; raises UnknownMeasurement."""
        return self._read(self._records.find(id_))

    def list(
        self,
        *,
        limit: int = 50,
        before: str | None = None,
        model: str | None = None,
        class_name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> _PageOfRecords:
        """Return up to `limit` measurements, newest first; for the next page, `before` is the last one's id.

        `class_name` asks for at least one instance of that class. `since` is included, `until` is not; a
        time without a zone is UTC.
        """
        wanted = Filter(model=model, class_name=class_name, since=since, until=until)
        return [self._read(row) for row in self._records.page(wanted, limit=limit, before=before)]

    def count(
        self,
        *,
        model: str | None = None,
        class_name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Return how many measurements there are; the filters are those of `list`."""
        return self._records.count(Filter(model=model, class_name=class_name, since=since, until=until))

    def candidates(self, id_: str) -> bytes | None:
        """Return what `add` was given; None for a measurement from before it was kept."""
        return self._records.candidates(id_)

    def thresholds(self) -> dict[str, float]:
        """Return the score thresholds that were saved as defaults, by the name of the model."""
        return self._records.thresholds()

    def save_threshold(self, model: str, score: float | None) -> None:
        """Save the default score threshold of a model; None goes back to the model's own."""
        self._records.save_threshold(model, score)

    def delete(self, id_: str) -> None:
        """Delete a measurement with its pictures; raises UnknownMeasurement."""
        row = self._records.find(id_)
        notes = self._notes(id_, _names_of(row))
        try:
            for folder, note in notes.items():
                with folder.failing("write to"):
                    journal.write_note(folder, note)
            self._records.remove(id_)
        except BaseException:
            self._undo(notes)
            raise
        for folder, note in notes.items():
            with folder.failing("remove a file from"):
                journal.remove_leftovers(folder, note)

    def check(self) -> None:
        """Raise StoreFailed when a folder or the database cannot be written."""
        for folder in {self._uploads, self._outputs}:
            folder.check()
        self._records.check()

    def close(self) -> None:
        """Close the database and stop sharing the folders."""
        self._records.close()
        self._uploads.release()
        self._outputs.release()

    def _notes(self, id_: str, names: FileNames) -> dict[Folder, Note]:
        files = {self._uploads: (names.upload,)}
        files[self._outputs] = (*files.get(self._outputs, ()), names.overlay, names.mask)
        store = self._records.store_id
        return {folder: Note(store=store, id=id_, files=its_files) for folder, its_files in files.items()}

    def _sweep(self) -> None:
        """Finish what killed processes left unfinished, in folders where nobody else is at work."""
        for folder in dict.fromkeys((self._uploads, self._outputs)):
            with folder.failing("clean up"), folder.claimed() as alone:
                for note in journal.notes(folder, self._records.store_id) if alone else ():
                    self._settle(folder, note)

    def _settle(self, folder: Folder, note: Note) -> None:
        """Keep the files of a record and remove the others."""
        if self._records.exists(note.id):
            journal.remove_note(folder, note.id)
        else:
            journal.remove_leftovers(folder, note)

    def _undo(self, notes: dict[Folder, Note]) -> None:
        """Take back an add or a delete that failed; what cannot be done now, the next start does."""
        for folder, note in notes.items():
            with suppress(OSError, StoreFailed):
                self._settle(folder, note)

    def _remove_notes(self, notes: dict[Folder, Note]) -> None:
        """Remove the notes of work that is done; one that stays does no harm until the next start."""
        for folder, note in notes.items():
            with suppress(OSError):
                journal.remove_note(folder, note.id)

    def _read(self, row: MeasurementRow) -> Record:
        return self._record(row.id, measurement_of(row), _names_of(row))

    def _record(self, id_: str, measurement: Measurement, names: FileNames) -> Record:
        return Record(
            id=id_,
            created_at=time_of(id_),
            measurement=measurement,
            upload_path=self._uploads.path / names.upload,
            overlay_path=self._outputs.path / names.overlay,
            mask_path=self._outputs.path / names.mask,
        )


def _names_of(row: MeasurementRow) -> FileNames:
    return FileNames(upload=row.upload_name, overlay=row.overlay_name, mask=row.mask_name)
