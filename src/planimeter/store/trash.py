"""The trash: what was deleted and can still be brought back. Its files stay where they are."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial

import sqlalchemy as sa

from planimeter.errors import CountDiffers
from planimeter.store.audit import append
from planimeter.store.database import Database
from planimeter.store.files import FileNames
from planimeter.store.ids import Ids, first_id_at
from planimeter.store.record import not_in_trash
from planimeter.store.removal import Removal
from planimeter.store.trashed import (
    MEASUREMENTS,
    TRASHED,
    TrashRow,
    move_back,
    move_to_trash,
    purge,
    said_of,
)

_log = logging.getLogger(__name__)
AT_ONCE = 20
"""Measurements moved or removed together: their documents are copied, and nobody else writes meanwhile."""
_Ids = list[str]
_COLUMNS = (
    TRASHED.c.id,
    TRASHED.c.created_at,
    TRASHED.c.filename,
    TRASHED.c.model,
    TRASHED.c.batch,
    TRASHED.c.percent_masked,
    TRASHED.c.instances,
    TRASHED.c.measured_by,
    TrashRow.deleted_at,
    TrashRow.deleted_by,
    TrashRow.deletion,
)


@dataclass(frozen=True)
class Trashed:
    """One measurement in the trash."""

    id: str
    created_at: datetime
    filename: str
    model: str
    batch: str | None
    percent_masked: float | None
    instances: int
    measured_by: str | None
    deleted_at: datetime
    deleted_by: str | None
    deletion: str
    """What was thrown away together has it in common."""


_Page = list[Trashed]  # inside the class, `list` is the method


class Trash:
    """What was deleted and can be brought back; from any thread."""

    def __init__(self, database: Database, removal: Removal) -> None:
        self._database = database
        self._removal = removal
        self._deletions = Ids()

    def holds(self, moment: datetime, picture: str, model: str) -> bool:
        """Return whether a measurement of that moment is in the trash; `picture` and `model` are SHA-256."""
        own = TRASHED.c
        query = sa.select(own.id).where(
            own.id >= first_id_at(moment),
            own.id < first_id_at(moment + timedelta(milliseconds=1)),
            own.sha256 == picture,
            own.model_sha256 == model,
        )
        with self._database.reading() as connection:
            return connection.scalar(query.limit(1)) is not None

    def new_deletion(self) -> str:
        """Return what a deletion is known by, however many measurements it is of."""
        return self._deletions.next()

    def put(self, ids: Sequence[str], deletion: str, by: str | None) -> int:
        """Move a few measurements here, all or, on StoreFailed, none; return how many were there."""
        now = datetime.now(timezone.utc)
        with self._database.writing(locked=True) as connection:
            said = said_of(connection, MEASUREMENTS, ids)
            moved = move_to_trash(connection, ids)
            if moved:
                told = {"deleted_at": now, "deleted_by": by, "deletion": deletion}
                connection.execute(sa.insert(TrashRow), [{"measurement_id": id_, **told} for id_ in moved])
                append(connection, "deleted", by, [(id_, said[id_]) for id_ in moved])
            connection.commit()
        return len(moved)

    def restore(self, id_: str, *, by: str | None = None) -> None:
        """Bring a measurement back, as it was; raises UnknownMeasurement where it is not in the trash."""
        if not self._restore([id_], by):
            raise not_in_trash(id_)

    def restore_deletion(self, deletion: str, *, by: str | None = None) -> int:
        """Bring back what was thrown away together; return how many that were."""
        restored = 0
        while ids := self._ids(TrashRow.deletion == deletion):
            restored += self._restore(ids, by)
        return restored

    def list(self, *, limit: int = 50, offset: int = 0) -> _Page:
        """Return up to `limit` of what is here, what was thrown away last first, after the first `offset`."""
        newest = (TrashRow.deleted_at.desc(), TrashRow.measurement_id.desc())
        query = sa.select(TrashRow.measurement_id).order_by(*newest).limit(limit).offset(offset)
        with self._database.reading() as connection:
            return _read(connection, [*connection.scalars(query)])

    def count(self) -> int:
        """Return how many measurements are here."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(TrashRow)) or 0

    def delete(self, id_: str, *, by: str | None = None) -> None:
        """Delete a measurement here for good; raises UnknownMeasurement."""
        if not self.remove([id_], by):
            raise not_in_trash(id_)

    def empty(self, *, count: int, by: str | None = None) -> int:
        """Delete for good what is here, where it is as many as `count` says; return how many were deleted.

        Raises CountDiffers: whoever deletes must know how many.
        """
        found = self.count()
        if found != count:
            raise CountDiffers(
                f"{found:,} measurements are in the trash, not {count:,}: nothing was deleted; look at them again"
            )
        removed = 0
        now = datetime.now(timezone.utc)
        while removed < count and (ids := self.oldest(AT_ONCE, before=now)):
            removed += self.remove(ids, by)
        return removed

    def oldest(self, limit: int, *, before: datetime | None = None) -> _Ids:
        """Return up to `limit` ids, what was thrown away first first; with `before` only what was by then."""
        return self._ids(*([] if before is None else [TrashRow.deleted_at <= before]), limit=limit)

    def remove(self, ids: Sequence[str], by: str | None = None) -> int:
        """Remove a few measurements that are here, with their files; return how many were there."""
        return self._removal.remove(self.names(ids), partial(self._remove_records, by=by))

    def names(self, ids: Sequence[str]) -> dict[str, FileNames]:
        """Return the names of the files of those measurements among `ids` that are here."""
        names = (TRASHED.c.upload_name, TRASHED.c.overlay_name, TRASHED.c.mask_name)
        query = sa.select(TRASHED.c.id, *names).where(TRASHED.c.id.in_(ids))
        with self._database.reading() as connection:
            return {row[0]: FileNames(*row[1:]) for row in connection.execute(query)}

    def _ids(self, *conditions: sa.ColumnElement[bool], limit: int = AT_ONCE) -> _Ids:
        query = sa.select(TrashRow.measurement_id).where(*conditions).limit(limit)
        with self._database.reading() as connection:
            return [*connection.scalars(query.order_by(TrashRow.deleted_at, TrashRow.measurement_id))]

    def _restore(self, ids: Sequence[str], by: str | None) -> int:
        with self._database.writing(locked=True) as connection:
            restored = move_back(connection, ids)
            append(connection, "restored", by, [(id_, {}) for id_ in restored])
            connection.commit()
        return len(restored)

    def _remove_records(self, ids: Sequence[str], *, by: str | None) -> int:
        with self._database.writing(locked=True) as connection:
            removed = purge(connection, TRASHED, ids, by, "asked")
            connection.commit()
        return removed


def _read(connection: sa.Connection, ids: Sequence[str]) -> list[Trashed]:
    """Return the measurements in the order of `ids`, without those that are gone meanwhile, or damaged."""
    query = sa.select(*_COLUMNS).join(TrashRow, TrashRow.measurement_id == TRASHED.c.id)
    try:
        rows = connection.execute(query.where(TRASHED.c.id.in_(ids))).all()
    except (ValueError, TypeError):  # a value that its column cannot have, in one of the rows
        if len(ids) == 1:
            _log.warning("left out: the record of measurement %s in the trash is damaged", ids[0])
            return []
        return [entry for id_ in ids for entry in _read(connection, [id_])]
    found = {row.id: Trashed(*row) for row in rows}
    return [found[id_] for id_ in ids if id_ in found]
