"""What a store removes by itself: by age, count and bytes, the oldest first, and never what is pinned or reviewed.

It removes for good, past the trash: that would go on taking the room which the rule is there to free, and what should
stay has a pin. The trash itself is a rule of its own, and the first to go where bytes are to be freed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, get_args

import sqlalchemy as sa

from planimeter.store.database import Database
from planimeter.store.folders import Folders
from planimeter.store.ids import first_id_at
from planimeter.store.removal import Removal
from planimeter.store.sizes import save_sizes, stored_bytes, unweighed
from planimeter.store.trashed import MEASUREMENTS, TRASHED, TrashRow, purge, recorded_names

Reason = Literal["trash", "age", "count", "bytes"]
REASONS: tuple[Reason, ...] = get_args(Reason)
_MAY_GO = (MEASUREMENTS.c.pinned.is_(sa.false()), MEASUREMENTS.c.reviewed.is_(sa.false()))
"""A picture that a person went over stays as one that has a pin."""
A_STEP = 20
"""Measurements removed together: for as long as that takes, nobody else writes."""


@dataclass(frozen=True)
class Keeping:
    """What is kept; None is without a limit."""

    trash_days: float
    days: float | None = None
    measurements: int | None = None
    """Beside those that are pinned or reviewed."""
    bytes: int | None = None
    """Of all that is stored: what stays too, and the trash, which goes first."""


@dataclass(frozen=True)
class _Choice:
    reason: Reason
    table: sa.Table
    ids: Sequence[str]


class Retention:
    """Removes what is beyond what is to be kept, a few at a time; from any thread, and beside other processes."""

    def __init__(self, database: Database, folders: Folders, removal: Removal) -> None:
        self._database = database
        self._folders = folders
        self._removal = removal

    def weigh(self, limit: int = 500) -> int:
        """Look at the files of some measurements whose size is not known; return how many those were."""
        with self._database.reading() as connection:
            found = unweighed(connection, limit)
        if found:
            sizes = {id_: self._folders.size_of(names) for id_, names in found.items()}
            with self._database.writing(locked=True) as connection:
                save_sizes(connection, sizes)
                connection.commit()
        return len(found)

    def step(self, keeping: Keeping) -> tuple[Reason, int] | None:
        """Remove a few of the oldest that are too many; return why and how many, or None where all is well.

        Raises StoreFailed.
        """
        now = datetime.now(timezone.utc)
        with self._database.reading() as connection:
            choice = _choose(connection, keeping, now)
            named = recorded_names(connection, choice.ids) if choice else {}
        if choice is None:
            return None

        def remove_records(ids: Sequence[str]) -> int:
            """Remove those that are too many still: others may have removed, pinned or brought back meanwhile."""
            with self._database.writing(locked=True) as connection:
                again = _choose(connection, keeping, now)
                if again is None or again.table is not choice.table:
                    return 0
                both = [id_ for id_ in ids if id_ in set(again.ids)]
                removed = purge(connection, choice.table, both, None, choice.reason)
                connection.commit()
                return removed

        removed = self._removal.remove(named, remove_records)
        return (choice.reason, removed) if removed else None


def _choose(connection: sa.Connection, keeping: Keeping, now: datetime) -> _Choice | None:
    """Return the oldest of what is too many."""
    by_then = now - timedelta(days=keeping.trash_days)
    if expired := _oldest_trash(connection, TrashRow.deleted_at <= by_then):
        return _Choice("trash", TRASHED, [*expired])
    if keeping.days is not None:
        too_old = MEASUREMENTS.c.id < first_id_at(now - timedelta(days=keeping.days))
        if old := _oldest(connection, too_old):
            return _Choice("age", MEASUREMENTS, [*old])
    if keeping.measurements is not None:
        count = connection.scalar(sa.select(sa.func.count()).where(*_MAY_GO)) or 0
        if ids := [*_oldest(connection)][: max(0, count - keeping.measurements)]:
            return _Choice("count", MEASUREMENTS, ids)
    if keeping.bytes is not None and (excess := stored_bytes(connection) - keeping.bytes) > 0:
        if trashed := _as_many(_oldest_trash(connection), excess):
            return _Choice("bytes", TRASHED, trashed)
        if ids := _as_many(_oldest(connection), excess):
            return _Choice("bytes", MEASUREMENTS, ids)
    return None


def _oldest(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
    """Return the sizes of the oldest measurements, by id; none that is to stay."""
    own = MEASUREMENTS.c
    query = sa.select(own.id, own.stored_bytes).where(*_MAY_GO, *conditions)
    return _sizes(connection, query.order_by(own.id))


def _oldest_trash(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
    """Return the sizes of what was thrown away first, by id."""
    query = sa.select(TRASHED.c.id, TRASHED.c.stored_bytes).join(
        TrashRow, TrashRow.measurement_id == TRASHED.c.id
    )
    return _sizes(connection, query.where(*conditions).order_by(TrashRow.deleted_at, TrashRow.measurement_id))


def _sizes(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, int]:
    return {id_: size or 0 for id_, size in connection.execute(query.limit(A_STEP))}


def _as_many(sizes: dict[str, int], excess: int) -> list[str]:
    """Return the first ones, until they are as large as `excess` together."""
    found = []
    for id_, size in sizes.items():
        if excess <= 0:
            break
        found.append(id_)
        excess -= size
    return found
