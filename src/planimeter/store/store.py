"""The store: pictures in folders and records in a database, kept in step."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from planimeter.corrections import Corrected
from planimeter.details import NOTHING_SAID, Details
from planimeter.errors import CountDiffers, NoRoom, StoreFailed
from planimeter.measurement import Measurement
from planimeter.store.audit import Audit
from planimeter.store.block_building import Blocks
from planimeter.store.corrections import Corrections
from planimeter.store.database import Database
from planimeter.store.details import DetailsOfMeasurements
from planimeter.store.files import FileKind, file_names
from planimeter.store.filters import Filter
from planimeter.store.folders import Folders
from planimeter.store.ids import Ids, id_at, is_id
from planimeter.store.inspection import refuse_orphans
from planimeter.store.jobs import Jobs
from planimeter.store.keys import Keys
from planimeter.store.lots import Lots
from planimeter.store.model_changes import ModelChanges
from planimeter.store.new_record import prepare_record
from planimeter.store.outbox import Outbox
from planimeter.store.places import Where
from planimeter.store.profiles import Profiles
from planimeter.store.reading import Reading
from planimeter.store.record import Record, unknown
from planimeter.store.records import Records
from planimeter.store.removal import Removal
from planimeter.store.requests import RequestKey
from planimeter.store.retention import Retention
from planimeter.store.reviews import Reviews
from planimeter.store.scales import Scales
from planimeter.store.sizes import stored_bytes
from planimeter.store.stored_file import StoredFile
from planimeter.store.thresholds import save_threshold
from planimeter.store.trash import AT_ONCE, Trash
from planimeter.store.unfinished import Unfinished

_log = logging.getLogger(__name__)


class Store(Reading):
    """Keeps measurements with their pictures; from any thread, and beside other processes."""

    def __init__(self, database: Database, folders: Folders) -> None:
        self.outbox = Outbox(database)
        """What is to be told to others of what happens here."""
        super().__init__(database, Records(database, self.outbox))
        self._folders = folders
        self._unfinished = Unfinished(folders, database.store_id, self._records.decided)
        self._removal = Removal(folders, self._unfinished)
        self.trash = Trash(database, self._removal)
        """What was deleted and can be brought back."""
        self.retention = Retention(database, folders, self._removal)
        """What is removed by itself, where a service asks for it."""
        self._ids = Ids()
        self.keys = Keys(database)
        """Who may use a service with this store."""
        self.scales = Scales(database, self.outbox)
        """How large the pixels of measurements are, where people set it."""
        self.details = DetailsOfMeasurements(database, self.outbox)
        """What people say of measurements."""
        self.blocks = Blocks(database)
        """What makes sums over many quick."""
        self.lots = Lots(database)
        """What belongs together by what they say."""
        self.profiles = Profiles(database)
        """How stations measure, by names."""
        self.corrections = Corrections(database, self.outbox)
        """What people corrected of measurements."""
        self.reviews = Reviews(database)
        """What people reviewed, in numbers."""
        self.audit = Audit(database)
        """Who changed what, and when."""
        self.jobs = Jobs(database, self._ids)
        """What takes long, beside the service."""
        self.model_changes = ModelChanges(database, self._ids)
        """Which versions of models were put to use, and by whom."""
        self._keeping = threading.Lock()

    @classmethod
    def open(
        cls, database: str, upload_folder: Where, output_folder: Where, *, begin_anew: bool = False
    ) -> "Store":
        """Open a store, creating what is missing, and remove what a killed process left behind.

        `database` is an SQLAlchemy URL; the others are folders, or URLs of parts of object stores. Raises StoreFailed
        when one of them cannot be used, and, unless `begin_anew` is set, where the database is new but there are
        pictures of measurements.
        """
        if not begin_anew:
            refuse_orphans(database, upload_folder, output_folder)
        folders = Folders.create(upload_folder, output_folder)
        try:
            return cls._opened(database, folders)
        except StoreFailed:
            if not folders.full:
                raise
        # On a full disk what is stored can still be read and deleted: that is the way out.
        folders.drop_reserve()
        return cls._opened(database, folders, only_to_delete=True)

    @classmethod
    def _opened(cls, database: str, folders: Folders, *, only_to_delete: bool = False) -> "Store":
        store = cls(Database(database), folders)
        try:
            try:
                store.check()
            except StoreFailed as error:
                if not only_to_delete:
                    raise
                _log.warning("nothing can be stored until measurements are deleted: %s", error)
            store._tell_new_folders()
            store._unfinished.sweep()
            folders.hold_reserve()
        except BaseException:
            store.close()
            raise
        return store

    def _tell_new_folders(self) -> None:
        """Tell where a folder had to be made although there are measurements: it may be elsewhere."""
        recorded = self.count() if self._folders.new else 0
        for folder in self._folders.new if recorded else ():
            _log.warning(
                "The folder %s is new, but %s recorded: if their files are elsewhere, stop, and name that folder.",
                folder.shown,
                "1 measurement is" if recorded == 1 else f"{recorded:,} measurements are",
            )

    def add(
        self,
        measurement: Measurement,
        *,
        picture: bytes,
        overlay_png: bytes,
        mask_png: bytes,
        candidates: bytes | Callable[[], bytes] | None = None,
        batch: str | None = None,
        request: RequestKey | None = None,
        by: str | None = None,
        details: Details = NOTHING_SAID,
        measured_at: datetime | None = None,
    ) -> Record:
        """Store a measurement with its pictures: all of it, or, on StoreFailed, nothing.

        `candidates` is all that the network found, packed, for `candidates` to return, or packs it, while the disk is
        at work; `batch` the name under which pictures were sent together, `request` what a client tells a repeated
        request by, `by` who measured, and `details` what is said of the picture. `measured_at` is when it was measured,
        where that was elsewhere: it takes its place in the history then.
        """
        # The moment is the clock's, the order the id's: where the clock is set back, ids go on rising.
        id_, created_at = (
            self._ids.next_and_moment() if measured_at is None else (id_at(measured_at), measured_at)
        )
        names = file_names(measurement.image.filename, measurement.image.format, id_)
        notes = self._unfinished.notes(id_, names)
        self._unfinished.begin(notes)
        try:
            with self._folders.writing(names, {"image": picture, "overlay": overlay_png, "mask": mask_png}):
                new = prepare_record(
                    id_,
                    created_at,
                    measurement,
                    names,
                    details,
                    candidates=candidates() if callable(candidates) else candidates,
                    batch=batch,
                    measured_by=by,
                    stored_bytes=len(picture) + len(overlay_png) + len(mask_png),
                )
            self._unfinished.check_in_time(notes)
            self._records.insert(new, request)
        except BaseException:
            self._unfinished.take_back(notes)
            raise
        self._unfinished.end(notes)
        threshold = measurement.options.score_threshold
        return Record(id_, created_at, measurement, batch, names, threshold, measured_by=by, details=details)

    def keep(
        self,
        record: Record,
        measurement: Measurement,
        *,
        overlay_png: bytes,
        mask_png: bytes,
        corrected: Corrected | None = None,
        by: str | None = None,
    ) -> Record:
        """Let a stored measurement count at another threshold or in another region from now on, in all figures.

        `measurement` is what counts there; that of `measured` takes it back. `corrected` are the corrected figures of
        what counts there, where there are such; `by` is who does it. All of it happens, or, on StoreFailed,
        UnknownMeasurement or CorrectedMeanwhile, nothing.
        """
        threshold = measurement.options.score_threshold
        counting = measurement.options.counting
        as_measured = measurement.options == self.measured(record.id).options
        names = record.files.at(
            None if threshold == record.measured_threshold else threshold,
            counting.model_dump_json() if counting is not None and counting.set_afterwards else "",
        )
        outputs = self._folders.outputs
        with self._keeping:
            files = {*names.drawn, *self.get(record.id).files.drawn}
            notes = {outputs: self._unfinished.note(record.id, sorted(files))}
            self._unfinished.begin(notes)
            try:
                self._folders.write(names, {"overlay": overlay_png, "mask": mask_png})
                size = self._folders.size_of(names)
                self._unfinished.check_in_time(notes)
                self._records.keep(
                    record,
                    measurement,
                    names,
                    as_measured=as_measured,
                    corrected=corrected,
                    by=by,
                    stored_bytes=size,
                )
            except BaseException:
                self._unfinished.take_back(notes)
                raise
            self._unfinished.settle(notes)  # of both sets of files, what the record does not name
        return self.get(record.id)

    def read(self, record: Record, kind: FileKind) -> bytes:
        """Return the picture as it was uploaded, the drawn one, or the mask; raises StoreFailed where it is gone."""
        return self.file(record, kind).read()

    def file(self, record: Record, kind: FileKind) -> StoredFile:
        """Return what `read` reads, to be read piece by piece."""
        return StoredFile(self._folders, record, kind)

    def pin(self, id_: str, *, pinned: bool = True, by: str | None = None) -> Record:
        """Let retention leave a measurement alone, or not any more; raises UnknownMeasurement."""
        self._records.pin(id_, pinned=pinned, by=by)
        return self.get(id_)

    @property
    def elsewhere(self) -> bool:
        """Whether files go to another machine, so that storing waits more than it works."""
        return self._folders.elsewhere

    def stored_bytes(self) -> int:
        """Return how many bytes are stored, those in the trash too."""
        with self._database.reading() as connection:
            return stored_bytes(connection)

    def save_threshold(self, model: str, score: float | None) -> None:
        """Save the default score threshold of a model; None goes back to the model's own."""
        with self._database.writing(locked=True) as connection:
            save_threshold(connection, model, score)
            connection.commit()

    def discard(self, id_: str, *, by: str | None = None) -> str:
        """Throw a measurement away, into the trash; return what brings it back. `by` is who does it.

        Raises UnknownMeasurement, and NoRoom where the disk is too full for that.
        """
        deletion = self.trash.new_deletion()
        if not is_id(id_) or not self._discard([id_], deletion, by):
            raise unknown(id_)
        return deletion

    def discard_many(self, wanted: Filter, *, count: int, by: str | None = None) -> tuple[int, str]:
        """Throw the matching measurements away; return how many, and what brings them back. Else like `delete_many`."""
        ids = self._as_many(wanted, count)
        deletion = self.trash.new_deletion()
        portions = (ids[start : start + AT_ONCE] for start in range(0, count, AT_ONCE))
        return sum(self._discard(portion, deletion, by) for portion in portions), deletion

    def delete(self, id_: str, *, by: str | None = None) -> None:
        """Delete a measurement with its pictures, for good; raises UnknownMeasurement."""
        if not is_id(id_) or not self._delete([id_], by):
            raise unknown(id_)

    def delete_many(self, wanted: Filter, *, count: int, by: str | None = None) -> int:
        """Delete the matching measurements with their pictures, for good; return how many were deleted.

        Raises CountDiffers where they are not `count`: whoever deletes must know how many. Each portion of
        them is deleted whole or not at all; one that fails leaves the later ones.
        """
        ids = self._as_many(wanted, count)
        return sum(self._delete(ids[start : start + AT_ONCE], by) for start in range(0, count, AT_ONCE))

    def _as_many(self, wanted: Filter, count: int) -> Sequence[str]:
        """Return the ids of the matching measurements; raises CountDiffers where they are not `count`."""
        ids = self._matching(wanted, limit=count + 1) if count >= 0 else []
        if len(ids) == count:
            return ids
        found = self.count(wanted)
        raise CountDiffers(
            f"{found:,} measurements match, not {count:,}: nothing was deleted; look at them again"
        )

    def _discard(self, ids: Sequence[str], deletion: str, by: str | None) -> int:
        """Throw those of a few measurements away that are there, and return how many."""
        try:
            return self.trash.put(ids, deletion, by)
        except StoreFailed:
            if not self._folders.full:
                raise
        self._folders.drop_reserve()
        try:
            return self.trash.put(ids, deletion, by)
        except StoreFailed as error:
            raise NoRoom(
                "The disk is full, and what is in the trash takes its place there still: delete for good instead, or "
                "empty the trash."
            ) from error
        finally:
            self._folders.hold_reserve()

    def _delete(self, ids: Sequence[str], by: str | None) -> int:
        """Delete those of a few measurements that are there, and return how many; raises StoreFailed."""
        return self._removal.remove(self._records.names(ids), partial(self._records.remove, by=by))

    def tidy(self) -> None:
        """Remove leftovers that are told by their age, and notes of what is done; raises StoreFailed."""
        with self._keeping:
            self._unfinished.tidy()

    def check(self) -> None:
        """Raise StoreFailed when a folder or the database cannot be written."""
        self._folders.check()
        self._database.check()

    def close(self) -> None:
        """Close the database and stop sharing the folders."""
        self._database.close()
        self._folders.release()
