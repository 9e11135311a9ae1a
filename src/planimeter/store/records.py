"""The records of measurements, in a database."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from planimeter.errors import CursorGone, InvalidOption, StoreFailed
from planimeter.measurement import Measurement
from planimeter.store import migrations
from planimeter.store.engine import BUSY_SECONDS, engine_of, file_bytes
from planimeter.store.files import FileNames
from planimeter.store.filters import EVERYTHING, Filter, class_names, distinct, folded, matching
from planimeter.store.ids import is_id
from planimeter.store.lines import Line, read_lines
from planimeter.store.order import NEWEST, Cursor, Order, beyond, column_of, sorting
from planimeter.store.record import Row, class_figures_of, damaged, figures_of, unknown
from planimeter.store.requests import RequestKey, measured_for
from planimeter.store.tables import (
    CandidatesRow,
    ClassRow,
    DocumentRow,
    KeptDocumentRow,
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
        filename = measurement.image.filename
        row = MeasurementRow(
            id=id_,
            created_at=created_at,
            model=measurement.model.name,
            batch=batch,
            measured_threshold=measurement.options.score_threshold,
            sha256=measurement.image.sha256,
            filename=filename,
            folded_name=folded(filename),
            upload_name=names.image,
            **figures_of(measurement, names),
        )
        row.document = DocumentRow(document=measurement.model_dump_json(by_alias=True))
        row.classes = [ClassRow(**entry) for entry in class_figures_of(measurement)]
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

    def keep(self, id_: str, measurement: Measurement, names: FileNames, *, as_measured: bool) -> None:
        """Let a measurement count as `measurement` says, in one transaction; its first document stays as it is.

        Raises UnknownMeasurement where it was deleted meanwhile.
        """
        figures = figures_of(measurement, names)
        classes = [{"measurement_id": id_, **entry} for entry in class_figures_of(measurement)]
        with self.writing() as connection, Session(connection) as session, session.begin():
            change = sa.update(MeasurementRow).where(MeasurementRow.id == id_).values(**figures)
            if not session.connection().execute(change).rowcount:
                raise unknown(id_)
            session.execute(sa.delete(ClassRow).where(ClassRow.measurement_id == id_))
            if classes:
                session.execute(sa.insert(ClassRow), classes)
            if as_measured:
                session.execute(sa.delete(KeptDocumentRow).where(KeptDocumentRow.measurement_id == id_))
            else:
                document = measurement.model_dump_json(by_alias=True)
                session.merge(KeptDocumentRow(measurement_id=id_, document=document))

    def document(self, id_: str) -> Row:
        """Return the row of a measurement with its document as it was measured."""
        query = (
            sa.select(MeasurementRow, DocumentRow.document)
            .join(DocumentRow, DocumentRow.measurement_id == MeasurementRow.id)
            .where(MeasurementRow.id == id_)
        )
        try:
            with self.failing(), Session(self._engine) as session:
                found = session.execute(query).first()
        except (ValueError, TypeError) as error:
            raise damaged(id_) from error
        if found is None:
            raise unknown(id_)
        return Row(*found)

    def find(self, id_: str) -> Row:
        """Return the row of a measurement."""
        rows = self.rows([id_]) if is_id(id_) else []
        if not rows:
            raise unknown(id_)
        return rows[0]

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

    def ids(
        self,
        wanted: Filter,
        *,
        limit: int,
        after: str | None = None,
        offset: int = 0,
        order: Order = NEWEST,
        backwards: bool = False,
    ) -> list[str]:
        """Return up to `limit` ids in `order`, without the first `offset`; only those that come after the id `after`.

        `backwards` those before it, the nearest first.
        """
        if limit < 1:
            raise InvalidOption(f"The limit is {limit}: ask for at least 1 measurement.")
        column = column_of(order)
        query, id_column = matching(wanted, needs_columns=column is not None)
        with self.reading() as connection:
            if after is not None:
                cursor = _cursor(connection, after, column)
                query = query.where(beyond(order, id_column, cursor, backwards=backwards))
            query = query.order_by(*sorting(order, id_column, backwards=backwards))
            return [*connection.scalars(query.limit(limit).offset(offset))]

    def position(self, wanted: Filter, id_: str, order: Order) -> int | None:
        """Return the place of a measurement among those that match, from 1; None where it is none of them."""
        column = column_of(order)
        query, id_column = matching(wanted, needs_columns=column is not None)
        with self.reading() as connection:
            if connection.scalar(query.where(id_column == id_)) is None:
                return None
            cursor = _cursor(connection, id_, column)
            earlier = query.where(beyond(order, id_column, cursor, backwards=True))
            return 1 + (connection.scalar(sa.select(sa.func.count()).select_from(earlier.subquery())) or 0)

    def repeated(self, wanted: Filter) -> list[str]:
        """Return the ids of matching measurements whose picture was measured again by a later one that matches too."""
        query, id_column = matching(wanted, needs_columns=True)
        newest: set[str] = set()
        repeated = []
        with self.reading() as connection:
            for id_, hash_ in connection.execute(
                query.add_columns(MeasurementRow.sha256).order_by(id_column.desc())
            ):
                if hash_ and hash_ in newest:
                    repeated.append(id_)
                newest.add(hash_)
        return repeated

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """Return how many records there are."""
        query = sa.select(sa.func.count()).select_from(matching(wanted)[0].subquery())
        with self.reading() as connection:
            return connection.scalar(query) or 0

    def lines(self, ids: Sequence[str]) -> list[Line]:
        """Return the lines of `ids` in their order, without those that are gone meanwhile."""
        with self.reading() as connection:
            return read_lines(connection, ids)

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
        document = sa.func.coalesce(KeptDocumentRow.document, DocumentRow.document)
        query = (
            sa.select(MeasurementRow, document)
            .join(DocumentRow, DocumentRow.measurement_id == MeasurementRow.id)
            .outerjoin(KeptDocumentRow, KeptDocumentRow.measurement_id == MeasurementRow.id)
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


def _cursor(connection: sa.Connection, id_: str, column: Any) -> Cursor:
    """Return where a measurement stands in an order; raises InvalidOption or CursorGone where that cannot be told."""
    if not is_id(id_):
        raise InvalidOption(f"The cursor {id_!r} is not the id of a measurement.")
    if column is None:
        return Cursor(id_)  # the id tells the time, also of one that was deleted
    row = connection.execute(sa.select(column).where(MeasurementRow.id == id_)).first()
    if row is None:
        raise CursorGone(f"The cursor {id_!r} was deleted: begin again at the first page.")
    return Cursor(id_, row[0])
