"""The records of measurements, in a database."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from planimeter.errors import InvalidOption, StoreFailed, UnknownMeasurement
from planimeter.measurement import Measurement, classes_found
from planimeter.store import migrations
from planimeter.store.engine import BUSY_SECONDS, engine_of, file_bytes
from planimeter.store.files import FileNames
from planimeter.store.filters import EVERYTHING, Filter, class_names, distinct, folded, matching
from planimeter.store.ids import is_id
from planimeter.store.requests import RequestKey, measured_for
from planimeter.store.tables import (
    CandidatesRow,
    ClassRow,
    DocumentRow,
    MeasurementRow,
    RequestKeyRow,
    StoreRow,
    ThresholdRow,
)

_CHECKED_WHOLE = 32 * 2**20
"""Bytes up to which a probe checks the whole database."""
_DAMAGE = ("malformed", "not a database", "disk image")
"""What SQLite says of a damaged file."""
_log = logging.getLogger(__name__)
_CHECK_SECONDS = 0.5
"""How long the check of a probe does."""


@dataclass(frozen=True)
class Record:
    """A stored measurement, and the names of its pictures: `Store.read` gives what is in them."""

    id: str
    created_at: datetime
    measurement: Measurement
    batch: str | None
    """The name under which pictures were sent together."""
    files: FileNames


@dataclass(frozen=True)
class Row:
    """What the database holds of one measurement."""

    columns: MeasurementRow
    document: str


class Records:
    """The record database; from any thread."""

    def __init__(self, database: str) -> None:
        self._engine = engine_of(database)
        self._name = self._engine.url.render_as_string(hide_password=True)
        self.damage = ""
        """What is known to be wrong with the file."""
        self.patience = BUSY_SECONDS
        """How long writing waits for other writers, in this process and beside it, all in all."""
        self._writing = threading.Lock()  # SQLite takes one writer; waiting here is fair, its own wait is not
        try:
            self.store_id = self._migrate()
        except StoreFailed:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection for queries."""
        with self.failing(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[sa.Connection]:
        """Yield a connection to write by, alone in this process; raises StoreFailed after `patience` seconds."""
        patience = self.patience if patience is None else patience
        end = time.monotonic() + patience
        if not self._writing.acquire(timeout=patience):
            raise StoreFailed(
                f"The database {self._name} is busy: others wrote to it for {patience:g} s. Try again."
            )
        try:
            with self.failing(), self._engine.connect() as connection:
                self._wait_at_most(connection, end - time.monotonic())
                try:
                    yield connection
                finally:
                    connection.rollback()
                    self._wait_at_most(connection, self.patience)
        finally:
            self._writing.release()

    def _wait_at_most(self, connection: sa.Connection, seconds: float) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {max(1, round(1000 * seconds))}")
            connection.rollback()

    def model_names(self) -> list[str]:
        """Return the names of the models in the records, alphabetically."""
        with self.reading() as connection:
            return distinct(connection, MeasurementRow.model)

    def class_names(self) -> list[str]:
        """Return the names of the classes in the records, alphabetically."""
        with self.reading() as connection:
            return class_names(connection)

    def insert(
        self,
        id_: str,
        created_at: datetime,
        measurement: Measurement,
        names: FileNames,
        *,
        candidates: bytes | None = None,
        batch: str | None = None,
        request: RequestKey | None = None,
    ) -> None:
        """Record a measurement whose files are in place."""
        coverage, filename = measurement.coverage, measurement.image.filename
        row = MeasurementRow(
            id=id_,
            created_at=created_at,
            model=measurement.model.name,
            batch=batch,
            percent_masked=coverage.percent_masked,
            pixels_masked=coverage.pixels_masked,
            pixels_counted=coverage.pixels_counted,
            instances=len(measurement.instances),
            filename=filename,
            folded_name=folded(filename),
            upload_name=names.image,
            overlay_name=names.overlay,
            mask_name=names.mask,
        )
        row.document = DocumentRow(document=measurement.model_dump_json(by_alias=True))
        row.classes = [
            ClassRow(
                class_id=entry.class_id,
                class_name=entry.class_name,
                count=entry.count,
                percent_masked=entry.percent_masked,
            )
            for entry in classes_found(measurement)
        ]
        with self.writing() as connection, Session(connection) as session, session.begin():
            session.add(row)
            if candidates is not None:
                session.flush()
                session.add(CandidatesRow(measurement_id=id_, packed=candidates))
            if request is not None:
                session.flush()
                session.add(RequestKeyRow(key=request.key, request=request.request, measurement_id=id_))

    def asked_before(self, request: RequestKey) -> str | None:
        """Return the id of the measurement that this request made; raises `KeyReused` where another had its key."""
        with self.reading() as connection:
            return measured_for(connection, request)

    def find(self, id_: str) -> Row:
        """Return the row of a measurement."""
        rows = self.rows([id_]) if is_id(id_) else []
        if not rows:
            raise unknown(id_)
        return rows[0]

    def exists(self, id_: str) -> bool:
        """Say whether a measurement is recorded."""
        with self.reading() as connection:
            return connection.scalar(sa.select(MeasurementRow.id).where(MeasurementRow.id == id_)) is not None

    def remove(self, ids: Sequence[str]) -> int:
        """Remove the records with these ids in one transaction, but no file; return how many there were."""
        statement = sa.delete(MeasurementRow).where(MeasurementRow.id.in_(ids))
        with self.writing() as connection:
            removed = connection.execute(statement).rowcount
            connection.commit()
            return removed

    def names(self, ids: Sequence[str]) -> dict[str, FileNames]:
        """Return the names of the files of those measurements among `ids` that are recorded."""
        columns = (
            MeasurementRow.id,
            MeasurementRow.upload_name,
            MeasurementRow.overlay_name,
            MeasurementRow.mask_name,
        )
        query = sa.select(*columns).where(MeasurementRow.id.in_(ids))
        with self.reading() as connection:
            return {row[0]: FileNames(*row[1:]) for row in connection.execute(query)}

    def ids(self, wanted: Filter, *, limit: int, before: str | None = None) -> list[str]:
        """Return up to `limit` ids older than the id `before`, newest first."""
        if limit < 1:
            raise InvalidOption(f"The limit is {limit}: ask for at least 1 measurement.")
        if before is not None and not is_id(before):
            raise InvalidOption(f"The cursor {before!r} is not the id of a measurement.")
        query, id_column = matching(wanted)
        if before is not None:
            query = query.where(id_column < before)
        with self.reading() as connection:
            return [*connection.scalars(query.order_by(id_column.desc()).limit(limit))]

    def most_masked(self, wanted: Filter, *, limit: int) -> list[Row]:
        """Return up to `limit` rows, the highest percent masked first."""
        query, id_column = matching(wanted, needs_columns=True)
        query = query.order_by(MeasurementRow.percent_masked.desc(), id_column.desc()).limit(limit)
        with self.reading() as connection:
            ids = [*connection.scalars(query)]
        return self.rows(ids)

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """Return how many records there are."""
        query = sa.select(sa.func.count()).select_from(matching(wanted)[0].subquery())
        with self.reading() as connection:
            return connection.scalar(query) or 0

    def candidates(self, id_: str) -> bytes | None:
        """Return what was kept of all that the network found in a measurement; None where nothing was."""
        query = sa.select(CandidatesRow.packed).where(CandidatesRow.measurement_id == id_)
        with self.reading() as connection:
            return connection.scalar(query)

    def thresholds(self) -> dict[str, float]:
        """Return the score thresholds that were saved, by model."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(ThresholdRow.model, ThresholdRow.score))
            return {model: score for model, score in rows}  # noqa: C416  rows are not pairs to the types

    def save_threshold(self, model: str, score: float | None) -> None:
        """Save the score threshold of a model, or forget it."""
        with self.writing() as connection, Session(connection) as session, session.begin():
            if score is None:
                session.execute(sa.delete(ThresholdRow).where(ThresholdRow.model == model))
            else:
                session.merge(ThresholdRow(model=model, score=score))

    def rows(self, ids: Sequence[str]) -> list[Row]:
        """Return the rows of `ids` in their order, without those that are gone meanwhile."""
        query = (
            sa.select(MeasurementRow, DocumentRow.document)
            .join(DocumentRow, DocumentRow.measurement_id == MeasurementRow.id)
            .where(MeasurementRow.id.in_(ids))
        )
        try:
            with self.failing(), Session(self._engine) as session:
                rows = {columns.id: Row(columns, document) for columns, document in session.execute(query)}
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

    def check(self) -> None:
        """Raise StoreFailed when the database cannot be written, or is known to be damaged."""
        if self.damage:
            raise StoreFailed(self.damage)
        with self.writing(_CHECK_SECONDS) as connection:
            connection.execute(sa.update(StoreRow).values(id=StoreRow.id))
            connection.rollback()
            if connection.dialect.name == "sqlite" and file_bytes(self._engine) <= _CHECKED_WHOLE:
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
                connection.rollback()
                if found != "ok":
                    raise StoreFailed(self._note_damage(found))

    def _note_damage(self, reason: object) -> str:
        self.damage = (
            f"The database {self._name} is damaged: {reason}. Stop the service, run planimeter doctor, and bring back "
            "a copy of it from before."
        )
        return self.damage

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _migrate(self) -> str:
        try:
            with self.failing(), self._engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")  # two starts at once: one waits
                migrations.upgrade(connection)
                return connection.scalars(sa.select(StoreRow.id)).one()
        except CommandError as error:
            message = (
                f"The database {self._name} was written by a newer Planimeter ({error}). Install that one."
            )
            raise StoreFailed(message) from error

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Turn what the database says into a sentence with its name and a remedy."""
        try:
            yield
        except SQLAlchemyError as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            if any(words in str(reason) for words in _DAMAGE):
                raise StoreFailed(self._note_damage(reason)) from error
            message = (
                f"The database {self._name} cannot be used: {reason}. "
                "Check that its disk has space and that this user may write to it, or choose another one."
            )
            raise StoreFailed(message) from error


def measurement_of(row: Row) -> Measurement:
    """Return the measurement of a row."""
    try:
        return Measurement.model_validate_json(row.document)
    except ValidationError as error:
        raise damaged(row.columns.id) from error


def damaged(id_: str) -> StoreFailed:
    """Return the error for a record that cannot be read."""
    return StoreFailed(
        f"The record of measurement {id_} is damaged, or was written by a newer Planimeter; planimeter doctor lists "
        "all such records."
    )


def unknown(id_: str) -> UnknownMeasurement:
    """Return the error for an id that is not recorded."""
    return UnknownMeasurement(f"There is no measurement {id_[:64]!r}: it may have been deleted.")
