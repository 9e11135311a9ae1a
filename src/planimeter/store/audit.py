"""The audit trail: who changed what of which measurement, and when. Entries are added, and never changed or removed.

Each entry holds the hash of the one before, so that one that is changed, taken out or put in between shows: all hashes
after it are others. It is written in the transaction of the change itself, so that neither is there without the other.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from planimeter.errors import StoreFailed
from planimeter.store.database import Database
from planimeter.store.tables import Table, UtcDateTime

Action = Literal[
    "corrected",
    "threshold_kept",
    "counting_set",
    "scale_set",
    "details_set",
    "pinned",
    "unpinned",
    "deleted",
    "restored",
    "purged",
    "model_changed",
]
FIRST = "0" * 64
"""What the first entry has as the hash of the one before."""
AT_ONCE = 500
"""Entries in memory."""


class AuditRow(Table):
    """One entry."""

    __tablename__ = "audit"
    __table_args__ = (sa.Index("audit_by_measurement", "measurement_id", "sequence"),)

    sequence: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """1, 2, … without a gap."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str | None] = mapped_column(sa.String(100))
    """The name of the key; none where nobody was asked for one, and for what the service does by itself."""
    action: Mapped[str] = mapped_column(sa.String(32))
    measurement_id: Mapped[str | None] = mapped_column(sa.String(26))
    """No foreign key: an entry outlives what it is of."""
    content: Mapped[str] = mapped_column(sa.Text)
    """What was done, as canonical JSON."""
    sha256: Mapped[str] = mapped_column(sa.String(64))
    """Of the content."""
    previous: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))


class AuditHeadRow(Table):
    """One row: the last entry. Whoever adds one changes it first, and so the others wait; it tells a lost end, too."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[str] = mapped_column(sa.String(64))


@dataclass(frozen=True)
class Entry:
    """One entry, as it is read."""

    sequence: int
    at: datetime
    by: str | None
    action: str
    measurement_id: str | None
    content: str
    sha256: str
    previous: str
    hash: str

    @property
    def line(self) -> str:
        """The entry as a line of JSON, as it is exported."""
        return canonical(
            {
                **{name: value for name, value in vars(self).items() if name not in {"at", "content"}},
                "at": written(self.at),
                "content": json.loads(self.content),
            }
        )


_COLUMNS = tuple(getattr(AuditRow, name) for name in Entry.__dataclass_fields__)


class Audit:
    """The audit trail of a store, to be read; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(
        self, *, after: int = 0, measurement_id: str | None = None, limit: int | None = None
    ) -> Iterator[Entry]:
        """Yield entries in their order, a few in memory at a time; `after` a sequence, of one measurement or of all."""
        left = limit
        while left is None or left > 0:
            with self._database.reading() as connection:
                portion = AT_ONCE if left is None else min(AT_ONCE, left)
                found = read(connection, after, portion, measurement_id)
            yield from found
            if len(found) < portion:
                return
            after = found[-1].sequence
            left = None if left is None else left - len(found)


def append(
    connection: sa.Connection,
    action: Action,
    by: str | None,
    done: Iterable[tuple[str | None, Mapping[str, Any]]],
) -> None:
    """Add an entry for each measurement, or for none, in the transaction of this connection and as its last change.

    `done` are the ids with what was done, which can be written as JSON. From here to the end of the transaction nobody
    else adds an entry, in no process.
    """
    listed = [*done]
    if not listed:
        return
    head = AuditHeadRow
    connection.execute(sa.update(head).values(sequence=head.sequence + len(listed)))
    found = connection.execute(sa.select(head.sequence, head.hash)).one_or_none()
    if found is None:
        raise StoreFailed(
            "The audit trail of the database has lost its end: nothing is changed without it. Bring back a copy of the "
            "database; planimeter doctor says more."
        )
    sequence, last = found[0] - len(listed), found[1]
    by = None if by is None else by.replace("\0", "\ufffd")[:100]
    at = datetime.now(timezone.utc)
    rows = []
    for number, (id_, what) in enumerate(listed, start=sequence + 1):
        content = canonical(what)
        row = {"sequence": number, "at": at, "by": by, "action": action, "measurement_id": id_}
        row |= {"content": content, "sha256": sha256(content.encode()).hexdigest(), "previous": last}
        last = row["hash"] = chained(row)
        rows.append(row)
    connection.execute(sa.insert(AuditRow), rows)
    connection.execute(sa.update(head).values(hash=last))


def read(
    connection: sa.Connection, after: int, limit: int, measurement_id: str | None = None
) -> Sequence[Entry]:
    """Return up to `limit` entries after a sequence."""
    query = sa.select(*_COLUMNS).where(AuditRow.sequence > after)
    if measurement_id is not None:
        query = query.where(AuditRow.measurement_id == measurement_id)
    return [Entry(*row) for row in connection.execute(query.order_by(AuditRow.sequence).limit(limit))]


def chained(row: Mapping[str, Any]) -> str:
    """Return the hash of an entry: of all of it, and of the hash before."""
    of = [
        row["sequence"],
        written(row["at"]),
        row["by"],
        row["action"],
        row["measurement_id"],
        row["sha256"],
        row["previous"],
    ]
    return sha256(canonical(of).encode()).hexdigest()


def canonical(what: Any) -> str:
    """Return JSON that is the same for the same content: sorted names, no spaces, ASCII."""
    return json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def written(moment: datetime) -> str:
    """Return a moment as it goes into hashes and exports."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
