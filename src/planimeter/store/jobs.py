"""Jobs in the database: what was asked for, by whom, and in which state each is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from planimeter.errors import UnknownJob
from planimeter.store.database import Database
from planimeter.store.ids import Ids
from planimeter.store.tables import JobRow


@dataclass(frozen=True)
class Job:
    """One job."""

    id: str
    kind: str
    state: str
    place: str
    plan: str
    """What was asked for, as JSON."""
    message: str
    created_at: datetime
    created_by: str | None
    """The name of the key; None where nobody was asked for one."""
    started_at: datetime | None
    ended_at: datetime | None


Change = Callable[[str], str]
"""Makes another state of a state, or raises where that cannot be."""


class Jobs:
    """The jobs of a store; from any thread, and beside other processes."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._database = database
        self._ids = ids

    def new_id(self) -> str:
        """Return an id for a new job."""
        return self._ids.next()

    def add(self, id_: str, *, kind: str, place: str, plan: str, by: str | None = None) -> Job:
        """Add a job, which waits for its turn."""
        made = Job(id_, kind, "queued", place, plan, "", datetime.now(timezone.utc), by, None, None)
        with self._database.writing() as connection:
            connection.execute(sa.insert(JobRow).values({name: getattr(made, name) for name in _NAMES}))
            connection.commit()
        return made

    def get(self, id_: str) -> Job:
        """Return a job; raises UnknownJob."""
        with self._database.reading() as connection:
            row = connection.execute(_SELECT.where(JobRow.id == id_)).one_or_none()
        if row is None:
            raise _unknown(id_)
        return Job(*row)

    def list(self, *, limit: int = 100, states: Sequence[str] = (), place: str | None = None) -> "list[Job]":
        """Return the jobs, the newest first; of some states or a place only where they are named."""
        query = _SELECT.order_by(JobRow.id.desc()).limit(limit)
        if states:
            query = query.where(JobRow.state.in_(states))
        if place is not None:
            query = query.where(JobRow.place == place)
        with self._database.reading() as connection:
            return [Job(*row) for row in connection.execute(query)]

    def change(self, id_: str, change: Change, *, message: str = "") -> Job:
        """Let a job be in the state that `change` makes of the one that it is in; raises UnknownJob."""
        with self._database.writing(locked=True) as connection:
            row = connection.execute(_SELECT.where(JobRow.id == id_)).one_or_none()
            if row is None:
                raise _unknown(id_)
            state = change(row.state)
            values: dict[str, Any] = {"state": state, "message": message}
            if state in _ENDED:
                values["ended_at"] = datetime.now(timezone.utc)
            elif state != "stopping":
                values["ended_at"] = None
            connection.execute(sa.update(JobRow).where(JobRow.id == id_).values(values))
            connection.commit()
        return self.get(id_)

    def start_next(self, place: str) -> Job | None:
        """Let the oldest job that waits run, unless another one runs; return it."""
        with self._database.writing(locked=True) as connection:
            here = JobRow.place == place
            running = sa.select(JobRow.id).where(here, JobRow.state.in_(_RUNNING)).limit(1)
            waiting = sa.select(JobRow.id).where(here, JobRow.state == "queued").order_by(JobRow.id).limit(1)
            if connection.scalar(running) is not None:
                return None
            id_ = connection.scalar(waiting)
            if id_ is None:
                return None
            values = {"state": "running", "started_at": datetime.now(timezone.utc), "ended_at": None}
            connection.execute(sa.update(JobRow).where(JobRow.id == id_).values(values))
            connection.commit()
        return self.get(id_)

    @property
    def store_id(self) -> str:
        """Which store this is, among those whose jobs may share a folder."""
        return self._database.store_id

    def is_listed(self, id_: str) -> bool:
        """Return whether there is such a job."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(JobRow.id).where(JobRow.id == id_)) is not None

    def delete(
        self, id_: str, refuse: Callable[[str], None], before: Callable[[], None] = lambda: None
    ) -> Job:
        """Delete a job, unless `refuse` raises for the state that it is in; raises UnknownJob.

        `before` is called once it is sure that it can be, and before it is done.
        """
        with self._database.writing(locked=True) as connection:
            row = connection.execute(_SELECT.where(JobRow.id == id_)).one_or_none()
            if row is None:
                raise _unknown(id_)
            refuse(row.state)
            before()
            connection.execute(sa.delete(JobRow).where(JobRow.id == id_))
            connection.commit()
        return Job(*row)


_ENDED = frozenset({"stopped", "failed", "done"})
_RUNNING = ("running", "stopping")
_COLUMNS: tuple[Any, ...] = (
    JobRow.id,
    JobRow.kind,
    JobRow.state,
    JobRow.place,
    JobRow.plan,
    JobRow.message,
    JobRow.created_at,
    JobRow.created_by,
    JobRow.started_at,
    JobRow.ended_at,
)
_NAMES = [column.key for column in _COLUMNS]
_SELECT = sa.select(*_COLUMNS)


def _unknown(id_: str) -> UnknownJob:
    shown = id_ if len(id_) <= 40 else f"{id_[:40]}…"
    return UnknownJob(f"there is no job {shown!r}; GET /api/v1/jobs lists those that there are")
