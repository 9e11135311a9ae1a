"""Records brought from one database to another: table by table, those that others refer to first.

Both sides are read in the order of their keys, some rows at a time, and only what differs is written. So this goes on
where it was stopped, and it needs no memory of how far it was.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from planimeter.errors import StoreFailed
from planimeter.store.audit import AuditHeadRow, written
from planimeter.store.database import Database
from planimeter.store.tables import StoreRow, Table

AT_ONCE = 200
"""Rows in memory, of each side."""
Row = Mapping[str, Any]
Key = tuple[Any, ...]
Held = Callable[[Row], Row]
"""Returns a row as the target can hold it."""
Tell = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Content:
    """What is in a table: how many rows, and the hash of all of them in the order of their keys."""

    rows: int
    sha256: str


def tables() -> list[sa.Table]:
    """Return all that are brought over, those first that others refer to; what is made of them is made anew there."""
    return [
        table
        for table in Table.metadata.sorted_tables
        if table.name != StoreRow.__tablename__ and not table.info.get("derived")
    ]


def count_rows(connection: sa.Connection) -> int:
    """Return how many rows there are in all of them."""
    return sum(_count(connection, table) for table in tables())


def count_records(connection: sa.Connection) -> int:
    """Return the same without the end of the audit trail, which an empty store has too."""
    return count_rows(connection) - _count(connection, Table.metadata.tables[AuditHeadRow.__tablename__])


def bring(source: sa.Connection, target: Database, held: Held, tell: Tell) -> dict[str, Content]:
    """Make all tables of the target what they are in the source, and return what is in the source by table.

    Raises StoreFailed. Each portion is written whole or not at all.
    """
    total, done = count_rows(source), 0
    contents: dict[str, Content] = {}
    for table in tables():
        hashed, rows = sha256(), 0
        for after, up_to, found in _portions(source, table, held):
            with target.reading() as connection:
                there = _read(connection, table, after, up_to)
            _write(target, table, found, there)
            _add(hashed, found)
            rows += len(found)
            done += len(found)
            tell("Copying records", done, total)
        contents[table.name] = Content(rows, hashed.hexdigest())
    return contents


def read_back(target: Database, total: int, tell: Tell) -> dict[str, Content]:
    """Return what is in the tables of the target."""
    contents: dict[str, Content] = {}
    done = 0
    for table in tables():
        hashed, rows, after = sha256(), 0, None
        while True:
            with target.reading() as connection:
                found = _read(connection, table, after, limit=AT_ONCE)
            _add(hashed, found)
            rows += len(found)
            done += len(found)
            tell("Comparing records", done, total)
            if len(found) < AT_ONCE:
                break
            after = _key(table, found[-1])
        contents[table.name] = Content(rows, hashed.hexdigest())
    return contents


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _portions(
    source: sa.Connection, table: sa.Table, held: Held
) -> Iterator[tuple[Key | None, Key | None, list[Row]]]:
    """Yield the rows of the source with the keys between which they are: after the first, up to the second."""
    after: Key | None = None
    while True:
        with _reading(table):
            found = _read(source, table, after, limit=AT_ONCE)
        last = len(found) < AT_ONCE
        up_to = None if last else _key(table, found[-1])
        yield after, up_to, [held(row) for row in found]
        if last:
            return
        after = up_to


@contextmanager
def _reading(table: sa.Table) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:  # a value that its column cannot have
        raise StoreFailed(
            f"A row of the table {table.name} cannot be read ({error}): planimeter doctor tells what is damaged."
        ) from error


def _read(
    connection: sa.Connection,
    table: sa.Table,
    after: Key | None,
    up_to: Key | None = None,
    *,
    limit: int | None = None,
) -> list[Row]:
    columns = [*table.primary_key.columns]
    query = sa.select(table).order_by(*columns).limit(limit)
    if after is not None:
        query = query.where(_ordered(columns) > _ordered(columns, after))
    if up_to is not None:
        query = query.where(_ordered(columns) <= _ordered(columns, up_to))
    return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001  SQLAlchemy's public name


def _ordered(columns: Sequence[sa.Column[Any]], key: Key | None = None) -> Any:
    """Return what is compared: the columns of the key, or the values that they have."""
    parts = (
        columns
        if key is None
        else [sa.literal(value, column.type) for value, column in zip(key, columns, strict=True)]
    )
    return parts[0] if len(parts) == 1 else sa.tuple_(*parts)


def _key(table: sa.Table, row: Row) -> Key:
    return tuple(row[column.name] for column in table.primary_key.columns)


def _write(target: Database, table: sa.Table, wanted: Sequence[Row], there: Sequence[Row]) -> None:
    """Make the rows of a stretch of keys those that are wanted."""
    old = {_key(table, row): row for row in there}
    new = {_key(table, row): row for row in wanted}
    gone = [key for key in old if key not in new]
    changed = [key for key in new if key in old and old[key] != new[key]]
    missing = [row for key, row in new.items() if key not in old]
    if not (gone or changed or missing):
        return
    columns = [*table.primary_key.columns]
    named = sa.and_(*(column == sa.bindparam(f"of_{column.name}", type_=column.type) for column in columns))
    with target.writing(locked=True) as connection, _fitting(table):
        if gone:
            connection.execute(sa.delete(table).where(named), [_named(columns, key) for key in gone])
        if changed:
            others = [column.name for column in table.columns if not column.primary_key]
            change = (
                sa.update(table).where(named).values({name: sa.bindparam(f"to_{name}") for name in others})
            )
            connection.execute(
                change,
                [_named(columns, key) | {f"to_{name}": new[key][name] for name in others} for key in changed],
            )
        if missing:
            connection.execute(sa.insert(table), missing)
        connection.commit()


def _named(columns: Sequence[sa.Column[Any]], key: Key) -> dict[str, Any]:
    return {f"of_{column.name}": value for column, value in zip(columns, key, strict=True)}


@contextmanager
def _fitting(table: sa.Table) -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise StoreFailed(
            f"Rows of the table {table.name} do not fit into the new database ({error.orig}): planimeter doctor tells "
            "what is damaged in the source."
        ) from error


def _add(hashed: Any, rows: Iterable[Row]) -> None:
    for row in rows:
        hashed.update(json.dumps([*row.values()], default=_told, separators=(",", ":")).encode())
        hashed.update(b"\n")


def _told(value: Any) -> str:
    return written(value) if isinstance(value, datetime) else bytes(value).hex()
