"""The store: pictures in folders and records in a database, kept in step."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from planimeter.errors import CountDiffers, StoreFailed
from planimeter.measurement import Measurement
from planimeter.store import journal
from planimeter.store.files import FileKind, FileNames, Folder, file_names
from planimeter.store.filters import EVERYTHING, Filter
from planimeter.store.ids import Ids, is_id
from planimeter.store.inspection import refuse_orphans
from planimeter.store.journal import Note
from planimeter.store.keys import Keys
from planimeter.store.lines import Line
from planimeter.store.order import NEWEST, Order
from planimeter.store.record import Record, Row, measurement_of, unknown
from planimeter.store.records import Records
from planimeter.store.requests import RequestKey
from planimeter.store.scales import Scales
from planimeter.store.trend import Statistics, Trend, statistics, trend

_log = logging.getLogger(__name__)
_AT_ONCE = 100
"""Measurements read or deleted together: their documents fit in memory, whatever is in them."""
_PageOfNames = list[str]
_PageOfLines = list[Line]
_PageOfRecords = list[Record]  # inside the class, `list` is the method


@dataclass(frozen=True)
class Around:
    """Where a measurement stands among those that match, and its neighbours, each side in the order asked for."""

    position: int | None
    """From 1; None where it is none of them itself."""
    count: int
    earlier: Sequence[Line]
    later: Sequence[Line]


class Store:
    """Keeps measurements with their pictures; from any thread, and beside other processes."""

    def __init__(self, records: Records, uploads: Folder, outputs: Folder) -> None:
        self._records = records
        self._uploads = uploads
        self._outputs = outputs
        self._ids = Ids()
        self.keys = Keys(records)
        """Who may use a service with this store."""
        self.scales = Scales(records)
        """How large the pixels of measurements are, where people set it."""
        self._keeping = threading.Lock()

    @classmethod
    def open(
        cls, database: str, upload_folder: Path, output_folder: Path, *, begin_anew: bool = False
    ) -> "Store":
        """Open a store, creating what is missing, and remove what a killed process left behind.

        `database` is an SQLAlchemy URL. Raises StoreFailed when a folder or the database cannot be written, and, unless
        `begin_anew` is set, where the database is new but the folders hold the pictures of measurements.
        """
        if not begin_anew:
            refuse_orphans(database, upload_folder, output_folder)
        uploads = Folder(upload_folder.absolute(), "upload")
        outputs = Folder(output_folder.absolute(), "output")
        uploads.create()
        outputs.create()
        if uploads.path.samefile(outputs.path):
            outputs = uploads
        folders = {uploads, outputs}
        try:
            return cls._opened(database, uploads, outputs)
        except StoreFailed:
            if not any(folder.full for folder in folders):
                raise
        # On a full disk what is stored can still be read and deleted: that is the way out.
        for folder in folders:
            folder.drop_reserve()
        return cls._opened(database, uploads, outputs, only_to_delete=True)

    @classmethod
    def _opened(
        cls, database: str, uploads: Folder, outputs: Folder, *, only_to_delete: bool = False
    ) -> "Store":
        store = cls(Records(database), uploads, outputs)
        try:
            try:
                store.check()
            except StoreFailed as error:
                if not only_to_delete:
                    raise
                _log.warning("nothing can be stored until measurements are deleted: %s", error)
            store._sweep()
            for folder in {uploads, outputs}:
                folder.hold_reserve()
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
        batch: str | None = None,
        request: RequestKey | None = None,
    ) -> Record:
        """Store a measurement with its pictures: all of it, or, on StoreFailed, nothing.

        `candidates` is all that the network found, packed, for `candidates` to return; `batch` the name under
        which pictures were sent together, `request` what a client tells a repeated request by.
        """
        # The moment is the clock's, the order the id's: where the clock is set back, ids go on rising.
        id_, created_at = self._ids.next_and_moment()
        names = file_names(measurement.image.filename, measurement.image.format, id_)
        notes = self._notes(id_, names)
        try:
            for folder, note in notes.items():
                with folder.failing("write to"):
                    journal.write_note(folder, note)
            with self._uploads.failing("write to"):
                self._uploads.write(names.image, picture)
            with self._outputs.failing("write to"):
                self._outputs.write(names.overlay, overlay_png)
                self._outputs.write(names.mask, mask_png)
            for folder in notes:
                with folder.failing("write to"):
                    folder.sync()
            self._records.insert(
                id_, created_at, measurement, names, candidates=candidates, batch=batch, request=request
            )
        except BaseException:
            self._undo(notes)
            raise
        self._remove_notes(notes)
        return Record(id_, created_at, measurement, batch, names, measurement.options.score_threshold)

    def asked_before(self, request: RequestKey) -> Record | None:
        """Return the measurement that this request made; raises `KeyReused` where another had its key."""
        id_ = self._records.asked_before(request)
        return None if id_ is None else self.get(id_)

    def keep(
        self, record: Record, measurement: Measurement, *, overlay_png: bytes, mask_png: bytes
    ) -> Record:
        """Let a stored measurement count at another score threshold from now on, in numbers and pictures.

        `measurement` is what counts there; that of `measured` takes it back. All of it happens, or, on StoreFailed or
        UnknownMeasurement, nothing.
        """
        threshold = measurement.options.score_threshold
        as_measured = threshold == record.measured_threshold
        names = record.files.at(None if as_measured else threshold)
        with self._keeping:
            files = tuple({*_drawn(names), *_drawn(self.get(record.id).files)})
            note = Note(store=self._records.store_id, id=record.id, files=files)
            notes = {self._outputs: note}
            try:
                with self._outputs.failing("write to"):
                    journal.write_note(self._outputs, note)
                    self._outputs.write(names.overlay, overlay_png)
                    self._outputs.write(names.mask, mask_png)
                    self._outputs.sync()
                self._records.keep(record.id, measurement, names, as_measured=as_measured)
            finally:
                self._undo(notes)  # of both sets of files, what the record does not name
        return self.get(record.id)

    def kept_threshold(self, id_: str) -> float | None:
        """Return the score threshold that a user keeps for a measurement; None is the measured one.

        Raises UnknownMeasurement, and StoreFailed for a damaged record.
        """
        lines = self._records.lines([id_])
        return lines[0].kept_threshold if lines else self.get(id_).kept_threshold

    def measured(self, id_: str) -> Measurement:
        """Return a measurement as it was made, whatever is kept for it; raises UnknownMeasurement."""
        return measurement_of(self._records.document(id_))

    def read(self, record: Record, kind: FileKind) -> bytes:
        """Return the picture as it was uploaded, the drawn one, or the mask; raises StoreFailed where it is gone."""
        with self.stream(record, kind) as file:
            return file.read()

    def stream(self, record: Record, kind: FileKind) -> BinaryIO:
        """Open what `read` returns, to be read piece by piece; raises StoreFailed where it is gone."""
        folder = self._uploads if kind == "image" else self._outputs
        try:
            return folder.open(getattr(record.files, kind))
        except OSError as error:
            raise StoreFailed(
                f"the {kind} of measurement {record.id} cannot be read ({error.strerror}): was it moved by hand?"
            ) from error

    def get(self, id_: str) -> Record:
        """Return a measurement; raises UnknownMeasurement."""
        return self._read(self._records.find(id_))

    def list(
        self,
        wanted: Filter = EVERYTHING,
        *,
        limit: int = 50,
        before: str | None = None,
        order: Order = NEWEST,
    ) -> _PageOfRecords:
        """Return up to `limit` measurements, newest first or in another order.

        For the next page, `before` is the last one's id.
        """
        found: _PageOfRecords = []
        portion = limit
        while ids := self._records.ids(wanted, limit=portion, after=before, order=order):
            found += self._records_of(ids)
            if len(found) >= limit or len(ids) < portion:
                break
            before, portion = ids[-1], max(_AT_ONCE, limit - len(found))  # in place of damaged ones
        return found[:limit]

    def walk(
        self, wanted: Filter = EVERYTHING, *, before: str | None = None, order: Order = NEWEST
    ) -> Iterator[Record]:
        """Yield measurements in `order`, a few in memory at a time; what is deleted meanwhile is left out."""
        while ids := self._records.ids(wanted, limit=_AT_ONCE, after=before, order=order):
            yield from self._records_of(ids)
            before = ids[-1]

    def lines(
        self, wanted: Filter = EVERYTHING, *, limit: int, offset: int = 0, order: Order = NEWEST
    ) -> _PageOfLines:
        """Return up to `limit` measurements as lines of a list, after the first `offset`."""
        return self._records.lines(self._records.ids(wanted, limit=limit, offset=offset, order=order))

    def around(self, id_: str, wanted: Filter, order: Order, *, reach: int) -> Around:
        """Return where a measurement stands among those that match, and up to `reach` on each side of it."""
        earlier = self._records.ids(wanted, limit=reach, after=id_, order=order, backwards=True)[::-1]
        later = self._records.ids(wanted, limit=reach, after=id_, order=order)
        return Around(
            position=self._records.position(wanted, id_, order),
            count=self._records.count(wanted),
            earlier=self._records.lines(earlier),
            later=self._records.lines(later),
        )

    def repeated(self, wanted: Filter = EVERYTHING) -> _PageOfNames:
        """Return the ids of matching measurements whose picture was measured again by a later one that matches too."""
        return self._records.repeated(wanted)

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """Return how many measurements there are."""
        return self._records.count(wanted)

    def trend(self, wanted: Filter = EVERYTHING, *, most_buckets: int = 60) -> Trend:
        """Return how the percent masked went over time, in at most so many buckets of a round duration."""
        with self._records.reading() as connection:
            return trend(connection, wanted, most_buckets=most_buckets)

    def statistics(self, wanted: Filter = EVERYTHING, *, limit_percent: float | None = None) -> Statistics:
        """Return sums and spread; with a limit, also how many are above it."""
        with self._records.reading() as connection:
            return statistics(connection, wanted, limit_percent=limit_percent)

    def models(self) -> _PageOfNames:
        """Return the names of the models that measured what is stored."""
        return self._records.model_names()

    def classes(self) -> _PageOfNames:
        """Return the names of the classes that were found, alphabetically."""
        return self._records.class_names()

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
        if not is_id(id_) or not self._delete([id_]):
            raise unknown(id_)

    def delete_many(self, wanted: Filter, *, count: int) -> int:
        """Delete the matching measurements, with their pictures; return how many were deleted.

        Raises CountDiffers where they are not `count`: whoever deletes must know how many. Each portion of
        them is deleted whole or not at all; one that fails leaves the later ones.
        """
        ids = self._records.ids(wanted, limit=count + 1) if count >= 0 else []
        if len(ids) != count:
            found = self._records.count(wanted)
            raise CountDiffers(
                f"{found:,} measurements match, not {count:,}: nothing was deleted; look at them again"
            )
        return sum(self._delete(ids[start : start + _AT_ONCE]) for start in range(0, count, _AT_ONCE))

    def _delete(self, ids: Sequence[str]) -> int:
        """Delete those of a few measurements that are there, and return how many; raises StoreFailed.

        Deleting needs a little room itself: on a full disk the reserve is given up for it.
        """
        folders = {self._uploads, self._outputs}
        try:
            return self._delete_at_once(ids)
        except StoreFailed:
            if not any(folder.full for folder in folders):
                raise
        for folder in folders:
            folder.drop_reserve()
        try:
            return self._delete_at_once(ids)
        finally:
            for folder in folders:
                folder.hold_reserve()

    def _delete_at_once(self, ids: Sequence[str]) -> int:
        notes = [self._notes(id_, names) for id_, names in self._records.names(ids).items()]
        try:
            for folder, note in _each(notes):
                with folder.failing("write to"):
                    journal.write_note(folder, note)
            removed = self._records.remove(ids) if notes else 0
        except BaseException:
            for one in notes:
                self._undo(one)
            raise
        for folder, note in _each(notes):
            with folder.failing("remove a file from"):
                journal.remove_leftovers(folder, note)
        return removed

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
        files = {self._uploads: (names.image,)}
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
        """Keep the files that a record names and remove the others."""
        recorded = self._records.names([note.id]).get(note.id)
        named = set() if recorded is None else {recorded.image, *_drawn(recorded)}
        left = tuple(name for name in note.files if name not in named)
        journal.remove_leftovers(folder, note.model_copy(update={"files": left}))

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

    def _readable(self, rows: Sequence[Row]) -> _PageOfRecords:
        """Return the records of rows; one that is damaged costs no more than itself, and is told in the log."""
        found = []
        for row in rows:
            try:
                found.append(self._read(row))
            except StoreFailed as error:
                _log.warning("left out: %s", error)
        return found

    def _records_of(self, ids: Sequence[str]) -> _PageOfRecords:
        return self._readable(self._records.rows(ids))

    def _read(self, row: Row) -> Record:
        columns = row.columns
        names = FileNames(columns.upload_name, columns.overlay_name, columns.mask_name)
        kept = columns.score_threshold if columns.score_threshold != columns.measured_threshold else None
        return Record(
            id=columns.id,
            created_at=columns.created_at,
            measurement=measurement_of(row),
            batch=columns.batch,
            files=names,
            measured_threshold=columns.measured_threshold,
            kept_threshold=kept,
        )


def _drawn(names: FileNames) -> tuple[str, str]:
    return names.overlay, names.mask


def _each(notes: Sequence[dict[Folder, Note]]) -> Iterator[tuple[Folder, Note]]:
    return chain.from_iterable(one.items() for one in notes)
