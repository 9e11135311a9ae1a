"""The records of measurements, in a database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from planimeter.errors import InvalidOption, StoreFailed, UnknownMeasurement
from planimeter.measurement import Measurement, classes_found
from planimeter.store import migrations
from planimeter.store.files import FileNames
from planimeter.store.ids import first_id_at, is_id, time_of
from planimeter.store.tables import CandidatesRow, ClassRow, MeasurementRow, StoreRow, ThresholdRow

_BUSY_SECONDS = 30
_Query = TypeVar("_Query", bound=sa.Select[Any])


@dataclass(frozen=True)
class Record:
    """A stored measurement, and where its pictures are."""

    id: str
    created_at: datetime
    measurement: Measurement
    upload_path: Path
    overlay_path: Path
    mask_path: Path


@dataclass(frozen=True)
class Filter:
    """Which records are meant: all that fulfil every condition given. `since` is included, `until` is not."""

    model: str | None = None
    class_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Records:
    """The record database; from any thread."""

    def __init__(self, database: str) -> None:
        self._engine = _engine(database)
        self._name = self._engine.url.render_as_string(hide_password=True)
        self._writing = threading.Lock()  # SQLite takes one writer; waiting here is fair, its own wait is not
        try:
            self.store_id = self._migrate()
        except StoreFailed:
            self.close()
            raise

    def insert(
        self, id_: str, measurement: Measurement, names: FileNames, *, candidates: bytes | None = None
    ) -> None:
        """Record a measurement whose files are in place."""
        row = MeasurementRow(
            id=id_,
            created_at=time_of(id_),
            model=measurement.model.name,
            percent_masked=measurement.coverage.percent_masked,
            filename=measurement.image.filename,
            upload_name=names.upload,
            overlay_name=names.overlay,
            mask_name=names.mask,
            document=measurement.model_dump_json(by_alias=True),
        )
        row.classes = [
            ClassRow(
                class_id=entry.class_id,
                class_name=entry.class_name,
                count=entry.count,
                percent_masked=entry.percent_masked,
            )
            for entry in classes_found(measurement)
        ]
        with self._failing(), self._writing, Session(self._engine) as session, session.begin():
            session.add(row)
            if candidates is not None:
                session.flush()
                session.add(CandidatesRow(measurement_id=id_, packed=candidates))

    def find(self, id_: str) -> MeasurementRow:
        """Return the row of a measurement."""
        with self._failing(), Session(self._engine) as session:
            row = session.get(MeasurementRow, id_) if is_id(id_) else None
        if row is None:
            raise _unknown(id_)
        return row

    def exists(self, id_: str) -> bool:
        """Say whether a measurement is recorded."""
        with self._failing(), self._engine.connect() as connection:
            return connection.scalar(sa.select(MeasurementRow.id).where(MeasurementRow.id == id_)) is not None

    def remove(self, id_: str) -> None:
        """Remove a record, but no file."""
        with self._failing(), self._writing, self._engine.begin() as connection:
            removed = connection.execute(sa.delete(MeasurementRow).where(MeasurementRow.id == id_)).rowcount
        if not removed:
            raise _unknown(id_)

    def page(self, wanted: Filter, *, limit: int, before: str | None) -> list[MeasurementRow]:
        """Return up to `limit` rows older than the id `before`, newest first."""
        if limit < 1:
            raise InvalidOption(f"The limit is {limit}: ask for at least 1 measurement.")
        if before is not None and not is_id(before):
            raise InvalidOption(f"The cursor {before!r} is not the id of a measurement.")
        query = _filtered(sa.select(MeasurementRow), wanted)
        if before is not None:
            query = query.where(_id_column(wanted) < before)
        with self._failing(), Session(self._engine) as session:
            return [*session.scalars(query.order_by(_id_column(wanted).desc()).limit(limit))]

    def count(self, wanted: Filter) -> int:
        """Return how many records there are."""
        query = _filtered(sa.select(sa.func.count()).select_from(MeasurementRow), wanted)
        with self._failing(), self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def candidates(self, id_: str) -> bytes | None:
        """Return what was kept of all that the network found in a measurement; None where nothing was."""
        query = sa.select(CandidatesRow.packed).where(CandidatesRow.measurement_id == id_)
        with self._failing(), self._engine.connect() as connection:
            return connection.scalar(query)

    def thresholds(self) -> dict[str, float]:
        """Return the score thresholds that were saved, by model."""
        with self._failing(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(ThresholdRow.model, ThresholdRow.score))
            return {model: score for model, score in rows}  # noqa: C416  rows are not pairs to the types

    def save_threshold(self, model: str, score: float | None) -> None:
        """Save the score threshold of a model, or forget it."""
        with self._failing(), self._writing, Session(self._engine) as session, session.begin():
            if score is None:
                session.execute(sa.delete(ThresholdRow).where(ThresholdRow.model == model))
            else:
                session.merge(ThresholdRow(model=model, score=score))

    def check(self) -> None:
        """Raise StoreFailed when the database cannot be written."""
        with self._failing(), self._writing, self._engine.connect() as connection:
            connection.execute(sa.update(StoreRow).values(id=StoreRow.id))
            connection.rollback()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _migrate(self) -> str:
        try:
            with self._failing(), self._engine.begin() as connection:
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
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            message = (
                f"The database {self._name} cannot be used: {reason}. "
                "Check that its disk has space and that this user may write to it, or choose another one."
            )
            raise StoreFailed(message) from error


def measurement_of(row: MeasurementRow) -> Measurement:
    """Return the measurement of a row."""
    try:
        return Measurement.model_validate_json(row.document)
    except ValidationError as error:
        message = f"The record of measurement {row.id} is damaged, or was written by a newer Planimeter."
        raise StoreFailed(message) from error


def _unknown(id_: str) -> UnknownMeasurement:
    return UnknownMeasurement(f"There is no measurement {id_[:64]!r}: it may have been deleted.")


def _id_column(wanted: Filter) -> sa.ColumnElement[str]:
    """Return the column to sort by: of the table whose index answers the query."""
    return sa.type_coerce(
        MeasurementRow.id if wanted.class_name is None else ClassRow.measurement_id, sa.String()
    )


def _filtered(query: _Query, wanted: Filter) -> _Query:
    """Restrict a query. Dates become ranges of ids, which begin with the time: no further index is needed."""
    id_column = _id_column(wanted)
    if wanted.class_name is not None:
        query = query.join(ClassRow, ClassRow.measurement_id == MeasurementRow.id)
        query = query.where(ClassRow.class_name == wanted.class_name)
    if wanted.model is not None:
        query = query.where(MeasurementRow.model == wanted.model)
    if wanted.since is not None:
        query = query.where(id_column >= first_id_at(wanted.since))
    if wanted.until is not None:
        query = query.where(id_column < first_id_at(wanted.until))
    return query


def _engine(database: str) -> sa.Engine:
    try:
        url = sa.make_url(database)
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(url, pool_pre_ping=True)
        _create_parent(url)
        engine = sa.create_engine(url, max_overflow=-1, connect_args={"timeout": _BUSY_SECONDS})
    except (ArgumentError, ImportError, sa.exc.NoSuchModuleError) as error:
        message = f"The database URL {_without_password(database)!r} cannot be used: {error}. {_EXAMPLE}"
        raise StoreFailed(message) from error
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


_EXAMPLE = "An example: sqlite:///planimeter-data/planimeter.db"


def _without_password(database: str) -> str:
    """Hide what stands between the scheme and the host of a URL that may not even be one."""
    scheme, separator, rest = database.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _create_parent(url: sa.URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise StoreFailed(f"The database {url} would be lost at the end: name a file. {_EXAMPLE}")
    parent = Path(str(url.database)).absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"Cannot create the folder {parent} for the database: {error.strerror}. Choose another one."
        raise StoreFailed(message) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers go on while one writes
    cursor.execute("PRAGMA synchronous = FULL")  # an answered measurement survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
