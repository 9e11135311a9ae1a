"""The records of measurements: written, changed, read, removed by their ids."""

import logging
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from planimeter.corrections import Corrected
from planimeter.errors import StoreFailed
from planimeter.measurement import Measurement
from planimeter.store.audit import Action, append
from planimeter.store.corrections import put_figures, refuse_other
from planimeter.store.database import Database
from planimeter.store.files import FileNames
from planimeter.store.ids import is_id
from planimeter.store.new_record import NewRecord
from planimeter.store.outbox import Outbox
from planimeter.store.record import (
    Record,
    Row,
    class_figures_of,
    damaged,
    figures_of,
    record_of,
    thrown_away,
    unknown,
)
from planimeter.store.requests import RequestKey, measured_for, put_key
from planimeter.store.rows import read_rows
from planimeter.store.tables import (
    CandidatesRow,
    ClassRow,
    DocumentRow,
    KeptDocumentRow,
    MeasurementRow,
)
from planimeter.store.trashed import MEASUREMENTS, purge, recorded_names

_log = logging.getLogger(__name__)


class Records:
    """The records of measurements in a database; from any thread."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def insert(self, new: NewRecord, request: RequestKey | None = None) -> None:
        """Record a measurement whose files are in place; raises `KeyInUse` where another has its `request`'s key."""
        with self._database.writing() as connection:
            for insert, rows in new.inserts:
                connection.execute(insert, rows)
            if request is not None:
                put_key(connection, request, new.id)
            self._outbox.put(connection, "measurement.created", new.id)
            connection.commit()

    def asked_before(self, request: RequestKey) -> str | None:
        """Return the id of the measurement that this request made; raises `KeyReused` where another had its key."""
        with self._database.reading() as connection:
            return measured_for(connection, request)

    def pin(self, id_: str, *, pinned: bool, by: str | None = None) -> None:
        """Let retention leave a measurement alone, or not; raises UnknownMeasurement."""
        change = sa.update(MeasurementRow).where(MeasurementRow.id == id_).values(pinned=pinned)
        with self._database.writing() as connection:
            changed = connection.execute(change).rowcount
            if changed:
                append(connection, "pinned" if pinned else "unpinned", by, [(id_, {})])
            connection.commit()
        if not changed:
            self.find(id_)  # says where it is instead
            raise unknown(id_)

    def keep(
        self,
        record: Record,
        measurement: Measurement,
        names: FileNames,
        *,
        as_measured: bool,
        stored_bytes: int | None = None,
        corrected: Corrected | None = None,
        by: str | None = None,
    ) -> None:
        """Let a measurement count as `measurement` says, in one transaction; its first document stays as it is.

        `corrected` are its corrected figures then, where they change too. Raises UnknownMeasurement where it was
        deleted meanwhile, and CorrectedMeanwhile where it was corrected since `record` was read.
        """
        id_, after = record.id, record.corrections
        figures = figures_of(measurement, names) | {"stored_bytes": stored_bytes}
        classes = [{"measurement_id": id_, **entry} for entry in class_figures_of(measurement)]
        own = MeasurementRow.id == id_
        change = sa.update(MeasurementRow).where(own, MeasurementRow.corrections == after).values(**figures)
        with self._database.writing() as connection:
            # From here on, others wait who would change the same one.
            if not connection.execute(change).rowcount:
                rows = read_rows(connection, [id_])
                if id_ in rows:
                    refuse_other(record_of(rows[id_]), after)
                raise unknown(id_)
            connection.execute(sa.delete(ClassRow).where(ClassRow.measurement_id == id_))
            if classes:
                connection.execute(sa.insert(ClassRow), classes)
            connection.execute(sa.delete(KeptDocumentRow).where(KeptDocumentRow.measurement_id == id_))
            if not as_measured:
                document = measurement.model_dump_json(by_alias=True)
                connection.execute(sa.insert(KeptDocumentRow), {"measurement_id": id_, "document": document})
            if corrected is not None:
                put_figures(connection, id_, corrected)
            counts_else = measurement.options.counting != record.measurement.options.counting
            action: Action = "counting_set" if counts_else else "threshold_kept"
            append(connection, action, by, [(id_, _kept(measurement, corrected))])
            self._outbox.put(connection, "measurement.changed", id_)
            connection.commit()

    def document(self, id_: str) -> Row:
        """Return the row of a measurement with its document as it was measured."""
        query = (
            sa.select(MeasurementRow, DocumentRow.document)
            .join(DocumentRow, DocumentRow.measurement_id == MeasurementRow.id)
            .where(MeasurementRow.id == id_)
        )
        try:
            with self._database.reading() as connection, Session(connection) as session:
                found = session.execute(query).first()
        except (ValueError, TypeError) as error:
            raise damaged(id_) from error
        if found is None:
            raise unknown(id_)
        return Row(*found)

    def find(self, id_: str) -> Row:
        """Return the row of a measurement."""
        rows = self.rows([id_]) if is_id(id_) else []
        if rows:
            return rows[0]
        raise thrown_away(id_) if is_id(id_) and self.recorded([id_]) else unknown(id_)

    def remove(self, ids: Sequence[str], *, by: str | None = None) -> int:
        """Remove the records with these ids in one transaction, but no file; return how many there were."""
        with self._database.writing(locked=True) as connection:
            removed = purge(connection, MEASUREMENTS, ids, by, "asked")
            connection.commit()
            return removed

    def recorded(self, ids: Sequence[str]) -> dict[str, FileNames]:
        """Return the names of the files of those among `ids` that are recorded, be it in the trash."""
        with self._database.reading() as connection:
            return recorded_names(connection, ids)

    def decided(self, ids: Sequence[str]) -> dict[str, FileNames]:
        """Return the same after all that was being written: what a lost connection left is there, or never will be."""
        with self._database.reading(decided=True) as connection:
            return recorded_names(connection, ids)

    def names(self, ids: Sequence[str]) -> dict[str, FileNames]:
        """Return the names of the files of those measurements among `ids` that are recorded."""
        columns = (
            MeasurementRow.id,
            MeasurementRow.upload_name,
            MeasurementRow.overlay_name,
            MeasurementRow.mask_name,
        )
        query = sa.select(*columns).where(MeasurementRow.id.in_(ids))
        with self._database.reading() as connection:
            return {row[0]: FileNames(*row[1:]) for row in connection.execute(query)}

    def candidates(self, id_: str) -> bytes | None:
        """Return what was kept of all that the network found in a measurement; None where nothing was."""
        query = sa.select(CandidatesRow.packed).where(CandidatesRow.measurement_id == id_)
        with self._database.reading() as connection:
            return connection.scalar(query)

    def rows(self, ids: Sequence[str]) -> list[Row]:
        """Return the rows of `ids` in their order, without those that are gone meanwhile."""
        try:
            with self._database.reading() as connection:
                rows = read_rows(connection, ids)
        except (ValueError, TypeError) as error:  # a value that its column cannot have, in one of the rows
            if len(ids) == 1:
                raise damaged(ids[0]) from error
            return [row for id_ in ids for row in self._readable(id_)]
        return [rows[id_] for id_ in ids if id_ in rows]

    def _readable(self, id_: str) -> list[Row]:
        try:
            return self.rows([id_])
        except StoreFailed as error:
            _log.warning("left out: %s", error)
            return []


def _kept(measurement: Measurement, corrected: Corrected | None) -> dict[str, Any]:
    """Return what the audit trail says of what counts now."""
    kept = measurement.options.model_dump(mode="json", exclude_none=True)
    kept |= {"percent_masked": measurement.coverage.percent_masked}
    return kept if corrected is None else kept | {"percent_corrected": corrected.coverage.percent_masked}
