"""Corrections of measurements: added, never changed; each with the figures that they come to."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import accumulate
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from planimeter.corrections import Changes, Corrected, Object, summary_of
from planimeter.errors import CorrectedMeanwhile
from planimeter.store.audit import append, canonical, written
from planimeter.store.database import Database
from planimeter.store.outbox import Outbox
from planimeter.store.record import Record, corrected_columns, damaged, record_of, unknown
from planimeter.store.rows import read_rows
from planimeter.store.tables import CorrectedRow, CorrectionRow, MeasurementRow

_OBJECTS = TypeAdapter(list[Object])


@dataclass(frozen=True)
class StoredCorrection:
    """One correction, as it was made."""

    number: int
    at: datetime
    by: str | None
    reason: str
    complete: bool
    changes: Changes
    """With all masks as run lengths."""
    percent_masked: float | None
    """After it."""
    sha256: str
    """Of all of it, as the audit trail holds it."""


class Corrections:
    """The corrections of measurements; from any thread, and beside other processes."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def count(self, id_: str) -> int:
        """Return how many corrections a measurement has."""
        query = sa.select(sa.func.count()).where(CorrectionRow.measurement_id == id_)
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def page(self, id_: str, *, after: int, limit: int, most_characters: int) -> Sequence[int]:
        """Return the numbers of the corrections after one, rising: one, and more while they are not too long."""
        row = CorrectionRow
        query = sa.select(row.number, sa.func.length(row.document))
        query = query.where(row.measurement_id == id_, row.number > after).order_by(row.number).limit(limit)
        with self._database.reading() as connection:
            found = connection.execute(query).all()
        lengths = accumulate(length for _, length in found)
        return [
            number
            for place, ((number, _), length) in enumerate(zip(found, lengths, strict=True))
            if not place or length <= most_characters
        ]

    def list(self, id_: str, numbers: Sequence[int]) -> Iterator[StoredCorrection]:
        """Yield corrections of a measurement, one after the other: each may be large. Those gone are left out."""
        for number in numbers:
            query = sa.select(CorrectionRow.document).where(
                CorrectionRow.measurement_id == id_, CorrectionRow.number == number
            )
            with self._database.reading() as connection:
                document = connection.scalar(query)
            if document is not None:
                yield _stored(id_, document)

    def objects(self, id_: str) -> Sequence[Object] | None:
        """Return all objects of a measurement as corrections left them; None where there were none."""
        query = sa.select(CorrectedRow.objects).where(CorrectedRow.measurement_id == id_)
        with self._database.reading() as connection:
            text = connection.scalar(query)
        if text is None:
            return None
        try:
            return _OBJECTS.validate_json(text)
        except ValidationError as error:
            raise damaged(id_) from error

    def add(
        self,
        record: Record,
        changes: Changes,
        corrected: Corrected,
        objects: Sequence[Object],
        *,
        reason: str,
    ) -> None:
        """Add a correction of a measurement, with the figures and objects that it comes to, in one transaction.

        `record` is what it was made of. Raises CorrectedMeanwhile where that is not what is stored any more,
        UnknownMeasurement, and StoreFailed; nothing has changed then.
        """
        id_ = record.id
        text = canonical(_OBJECTS.dump_python(list(objects), mode="json", by_alias=True))
        document = _document(id_, changes, corrected, text, reason)
        hashed = _hash(document)
        told = {
            "number": corrected.number,
            "reviewed": corrected.reviewed,
            "reason": reason,
            "changes": summary_of(changes),
            "percent_measured": record.measurement.coverage.percent_masked,
            "percent_corrected": corrected.coverage.percent_masked,
            "document_sha256": hashed,
        }
        with self._database.writing(locked=True) as connection:  # what is read here is written below
            refuse_changed(connection, record)
            own = CorrectedRow.measurement_id == id_
            row = {"measurement_id": id_, "number": corrected.number, "document": document}
            connection.execute(sa.insert(CorrectionRow), row)
            connection.execute(sa.delete(CorrectedRow).where(own))
            figures = {"document": corrected.model_dump_json(by_alias=True), "objects": text}
            connection.execute(sa.insert(CorrectedRow), {"measurement_id": id_, **figures})
            change = sa.update(MeasurementRow).where(MeasurementRow.id == id_)
            connection.execute(change.values(**corrected_columns(corrected)))
            append(connection, "corrected", corrected.by, [(id_, told)])
            self._outbox.put(connection, "measurement.changed", id_)
            connection.commit()


def refuse_changed(connection: sa.Connection, record: Record) -> None:
    """Raise CorrectedMeanwhile where a measurement is not as in a record any more, or UnknownMeasurement."""
    try:
        rows = read_rows(connection, [record.id])
    except (ValueError, TypeError) as error:
        raise damaged(record.id) from error
    if record.id not in rows:
        raise unknown(record.id)
    found = record_of(rows[record.id])
    refuse_other(found, record.corrections)
    if found.measurement != record.measurement:
        raise CorrectedMeanwhile(
            f"The threshold, the region or the scale of measurement {record.id} was changed meanwhile: nothing was "
            "corrected; read it again."
        )


def refuse_other(record: Record, after: int) -> None:
    """Raise CorrectedMeanwhile where a measurement has another number of corrections."""
    found, number = record.corrected, record.corrections
    if number == after:
        return
    if found is None or number < after:
        raise CorrectedMeanwhile(
            f"Measurement {record.id} has {_times(number)}, not {after:,}: nothing was changed; read it again."
        )
    who = found.by or "somebody"
    raise CorrectedMeanwhile(
        f"Measurement {record.id} was corrected by {who} at {written(found.at)[:19]}Z meanwhile: it has "
        f"{_times(number)}, not {after:,}. Nothing was changed; read it again."
    )


def put_figures(connection: sa.Connection, id_: str, corrected: Corrected) -> None:
    """Write the corrected figures of a measurement anew, where what counts or the scale changed: no correction."""
    own = CorrectedRow.measurement_id == id_
    text = corrected.model_dump_json(by_alias=True)
    connection.execute(sa.update(CorrectedRow).where(own).values(document=text))
    change = sa.update(MeasurementRow).where(MeasurementRow.id == id_)
    connection.execute(change.values(**corrected_columns(corrected)))


def _times(number: int) -> str:
    return "1 correction" if number == 1 else f"{number:,} corrections"


def _document(id_: str, changes: Changes, corrected: Corrected, objects: str, reason: str) -> str:
    return canonical(
        {
            "measurement": id_,
            "number": corrected.number,
            "at": written(corrected.at),
            "by": corrected.by,
            "reason": reason,
            "complete": corrected.reviewed,
            "changes": changes.model_dump(mode="json", by_alias=True, exclude_none=True),
            "percent_masked": corrected.coverage.percent_masked,
            "objects_sha256": _hash(objects),
        }
    )


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _stored(id_: str, document: str) -> StoredCorrection:
    try:
        found: dict[str, Any] = json.loads(document)
        return StoredCorrection(
            number=found["number"],
            at=datetime.fromisoformat(found["at"].replace("Z", "+00:00")),
            by=found["by"],
            reason=found["reason"],
            complete=found["complete"],
            changes=Changes.model_validate(found["changes"]),
            percent_masked=found["percent_masked"],
            sha256=_hash(document),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(id_) from error
