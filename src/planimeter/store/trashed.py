"""The tables of the trash: those of measurements once more, and when, by whom and with what each was thrown away.

What is in the trash is in no table of measurements, so nothing that lists, counts or sums these up can find it. A row
is moved as the database holds it, so that it comes back the same, a damaged one too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from planimeter.store.audit import append
from planimeter.store.files import FileNames
from planimeter.store.tables import (
    CandidatesRow,
    ClassRow,
    CorrectedRow,
    CorrectionRow,
    DocumentRow,
    KeptDocumentRow,
    MeasurementRow,
    Table,
    TagRow,
    UtcDateTime,
)

_PREFIX = "trashed_"
_PARTS = (
    DocumentRow,
    KeptDocumentRow,
    ClassRow,
    CandidatesRow,
    TagRow,
    CorrectionRow,
    CorrectedRow,
)
"""What goes with a measurement; the key of the request that made it does not: that one sent again measures anew."""


def _again(table: sa.Table) -> sa.Table:
    """Return a table with the same columns for what is in the trash."""
    columns = (
        sa.Column(
            column.name,
            column.type,
            *(
                [sa.ForeignKey(f"{_PREFIX}{MeasurementRow.__tablename__}.id", ondelete="CASCADE")]
                if column.foreign_keys
                else []
            ),
            primary_key=column.primary_key,
            nullable=column.nullable,
            server_default=column.server_default.arg  # type: ignore[attr-defined]
            if column.server_default is not None
            else None,
        )
        for column in table.columns
    )
    return sa.Table(f"{_PREFIX}{table.name}", Table.metadata, *columns)


def _table(row: Any) -> sa.Table:
    table: sa.Table = row.__table__
    return table


_PAIRS = [(_table(row), _again(_table(row))) for row in (MeasurementRow, *_PARTS)]
"""The tables of measurements with those of the trash, a measurement before its parts."""
MEASUREMENTS, TRASHED = _PAIRS[0]


def trashed_table(row: Any) -> sa.Table:
    """Return the table of the trash for one of those of measurements."""
    return next(trashed for table, trashed in _PAIRS if table is _table(row))


class TrashRow(Table):
    """That a measurement is in the trash."""

    __tablename__ = "trash"
    __table_args__ = (
        sa.Index("trash_by_time", "deleted_at", "measurement_id"),
        sa.Index("trash_by_deletion", "deletion"),
    )

    measurement_id: Mapped[str] = mapped_column(
        sa.ForeignKey(TRASHED.c.id, ondelete="CASCADE"), primary_key=True
    )
    deleted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_by: Mapped[str | None] = mapped_column(sa.String(100))
    """The name of the key; none where nobody is asked for one."""
    deletion: Mapped[str] = mapped_column(sa.String(26))
    """What was thrown away together has it in common."""


def move_to_trash(connection: sa.Connection, ids: Sequence[str]) -> list[str]:
    """Move the measurements with these ids to the tables of the trash; return the ids of those that were there."""
    return _move(connection, ids, _PAIRS)


def move_back(connection: sa.Connection, ids: Sequence[str]) -> list[str]:
    """Move them back; return the ids of those that were in the trash."""
    return _move(connection, ids, [(trashed, table) for table, trashed in _PAIRS])


def purge(connection: sa.Connection, table: sa.Table, ids: Sequence[str], by: str | None, why: str) -> int:
    """Remove measurements for good, of one of both tables, and say so in the audit trail; return how many."""
    told = said_of(connection, table, ids)
    removed = connection.execute(sa.delete(table).where(table.c.id.in_(ids))).rowcount
    append(connection, "purged", by, [(id_, what | {"why": why}) for id_, what in told.items()])
    return removed


def said_of(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what the audit trail says of measurements that go, by their ids."""
    columns = (table.c.id, table.c.filename, table.c.sha256, table.c.corrections)
    return {
        id_: {"filename": str(name), "picture_sha256": str(hashed), "corrections": count}
        for id_, name, hashed, count in connection.execute(sa.select(*columns).where(table.c.id.in_(ids)))
    }


def recorded_names(connection: sa.Connection, ids: Sequence[str]) -> dict[str, FileNames]:
    """Return the names of the files of those measurements among `ids` that are recorded, here or there.

    In one statement, so that none is missed that moves meanwhile.
    """
    of_both = sa.union_all(
        *(
            sa.select(table.c.id, table.c.upload_name, table.c.overlay_name, table.c.mask_name).where(
                table.c.id.in_(ids)
            )
            for table in (MEASUREMENTS, TRASHED)
        )
    )
    return {row[0]: FileNames(*row[1:]) for row in connection.execute(of_both)}


def _move(
    connection: sa.Connection, ids: Sequence[str], pairs: Sequence[tuple[sa.Table, sa.Table]]
) -> list[str]:
    parent = pairs[0][0]
    there = [*connection.scalars(sa.select(parent.c.id).where(parent.c.id.in_(ids)))]
    for source, target in pairs:
        names = [column.name for column in source.columns]
        of = source.c.id if source is parent else source.c.measurement_id
        rows = sa.select(*(source.c[name] for name in names)).where(of.in_(there))
        connection.execute(sa.insert(target).from_select(names, rows))
    connection.execute(sa.delete(parent).where(parent.c.id.in_(there)))  # its parts go with it
    return there
