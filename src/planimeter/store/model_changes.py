"""Which versions of models were put to use, when and by whom."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from planimeter.store.audit import append
from planimeter.store.database import Database
from planimeter.store.ids import Ids
from planimeter.store.tables import ModelChangeRow


@dataclass(frozen=True)
class ModelChange:
    """A version of a model was put in the place of another."""

    id: str
    model: str
    made_at: datetime
    made_by: str | None
    """The name of the key; None where nobody was asked for one."""
    version: str
    sha256: str
    before_version: str | None
    before_sha256: str | None
    job_id: str | None
    """The job that made it; None where an earlier version was taken again."""


class ModelChanges:
    """The changes of a store, which are only added to."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._database = database
        self._ids = ids

    @property
    def store_id(self) -> str:
        """Which store this is, among those that may share a packs folder."""
        return self._database.store_id

    def new(
        self,
        model: str,
        *,
        now: tuple[str, str],
        before: tuple[str, str] | None,
        by: str | None = None,
        job_id: str | None = None,
    ) -> ModelChange:
        """Return a change that is about to be made; `now` and `before` are version and SHA-256 of the network."""
        version, sha256 = before or (None, None)
        return ModelChange(
            self._ids.next(), model, datetime.now(timezone.utc), by, *now, version, sha256, job_id
        )

    def add(self, change: ModelChange, make: Callable[[], None] = lambda: None) -> None:
        """Note a change, once, and `make` it: it is noted where that raises nothing, and made where it can be noted."""
        with self._database.writing(locked=True) as connection:
            known = sa.select(ModelChangeRow.id).where(ModelChangeRow.id == change.id)
            if connection.scalar(known) is not None:
                return
            values = {column.key: getattr(change, column.key) for column in _COLUMNS}
            connection.execute(sa.insert(ModelChangeRow).values(values))
            told = {name: values[name] for name in _TOLD}
            append(connection, "model_changed", change.made_by, [(None, told)])
            make()
            connection.commit()

    def list(self, model: str, *, limit: int = 100) -> "list[ModelChange]":
        """Return the changes of a model, the last one first."""
        query = sa.select(*_COLUMNS).where(ModelChangeRow.model == model)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(ModelChangeRow.id.desc()).limit(limit))
            return [ModelChange(*row) for row in rows]


_COLUMNS: tuple[Any, ...] = (
    ModelChangeRow.id,
    ModelChangeRow.model,
    ModelChangeRow.made_at,
    ModelChangeRow.made_by,
    ModelChangeRow.version,
    ModelChangeRow.sha256,
    ModelChangeRow.before_version,
    ModelChangeRow.before_sha256,
    ModelChangeRow.job_id,
)
_TOLD = ("model", "version", "sha256", "before_version", "before_sha256", "job_id")
