"""What is to be told to others of measurements: written with the measurement itself, kept until it is told.

A message is one row for each receiver, in the same transaction as what it tells, so that neither is there without the
other. Whoever sends it claims it first: of two services on one store one sends it, and what a killed one had claimed is
free again soon.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from planimeter.errors import StoreFailed
from planimeter.store.database import Database
from planimeter.store.ids import Ids
from planimeter.store.record import Record, record_of
from planimeter.store.rows import read_rows
from planimeter.store.tables import Table, UtcDateTime

_log = logging.getLogger(__name__)
Kind = Literal["measurement.created", "measurement.changed"]
Write = Callable[[Kind, datetime, Record], str]
"""Writes the body of a message."""
GIVEN_UP_AFTER = timedelta(days=3)
MOST_WAITING = 100_000
"""Messages of one receiver; the oldest above it are given up."""
_TOLD_FOR = timedelta(days=30)
"""For which it is remembered that a message was given up."""
_LONGEST_REASON = 300


class OutboxRow(Table):
    """A message that a receiver has not got yet, or never will."""

    __tablename__ = "outbox"
    __table_args__ = (sa.Index("outbox_by_receiver", "receiver", "given_up_at", "due_at"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    """The same for all receivers, and each time that it is sent."""
    receiver: Mapped[str] = mapped_column(sa.String(500), primary_key=True)
    body: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Before which it is not sent again."""
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when somebody is sending it."""
    given_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    """Why it could not be sent the last time."""


@dataclass(frozen=True)
class Message:
    """A message that is to be sent."""

    id: str
    body: str
    attempts: int
    """Those that failed."""


@dataclass(frozen=True)
class Failed:
    """A message that could not be sent."""

    id: str
    reason: str
    wait: float
    """Seconds in which it is not sent again."""


@dataclass(frozen=True)
class GivenUp:
    """Messages of one receiver that it never got."""

    receiver: str
    count: int
    reason: str
    """Of the last."""


class Outbox:
    """The messages of a store; from any thread, and beside other processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids = Ids()
        self._receivers: tuple[str, ...] = ()
        self._write: Write | None = None
        self._bells: list[threading.Event] = []

    def tell(self, receivers: Sequence[str], write: Write) -> None:
        """Have these receivers told of all that changes from now on."""
        self._receivers, self._write = tuple(receivers), write

    def bell(self) -> threading.Event:
        """Return what is set whenever there is a message."""
        self._bells.append(threading.Event())
        return self._bells[-1]

    def put(self, connection: sa.Connection, kind: Kind, id_: str) -> None:
        """Tell of a measurement, as the transaction of this connection leaves it."""
        if self._write is None or not self._receivers:
            return
        now = _now()
        try:
            record = record_of(read_rows(connection, [id_])[id_])
        except (StoreFailed, ValueError, TypeError) as error:  # a damaged record can still be changed
            _log.warning("nobody is told of measurement %s: %s", id_, error)
            return
        message = {"id": self._ids.next(), "body": self._write(kind, now, record)}
        same = {**message, "created_at": now, "due_at": now, "attempts": 0}
        connection.execute(sa.insert(OutboxRow), [{**same, "receiver": name} for name in self._receivers])
        for bell in self._bells:
            bell.set()

    def is_due(self, receiver: str) -> bool:
        """Say whether there is something to send."""
        with self._database.reading() as connection:
            return (
                connection.scalar(sa.select(OutboxRow.id).where(_due(receiver, _now())).limit(1)) is not None
            )

    def claim(self, receiver: str, limit: int, seconds: float) -> list[Message]:
        """Return up to so many messages that are to be sent, the oldest first: for so long nobody else gets them."""
        now = _now()
        columns = (OutboxRow.id, OutboxRow.body, OutboxRow.attempts)
        query = sa.select(*columns).where(_due(receiver, now)).order_by(OutboxRow.id).limit(limit)
        with self._database.writing(locked=True) as connection:
            found = [Message(*row) for row in connection.execute(query)]
            if found:
                until = now + timedelta(seconds=seconds)
                connection.execute(
                    sa.update(OutboxRow).where(_these(receiver, found)).values(claimed_until=until)
                )
                connection.commit()
        return found

    def settle(
        self, receiver: str, sent: Sequence[Message], failed: Sequence[Failed], left: Sequence[Message]
    ) -> None:
        """Forget what was sent, and free what was not for another time."""
        now = _now()
        with self._database.writing() as connection:
            if sent:
                connection.execute(sa.delete(OutboxRow).where(_these(receiver, sent)))
            for each in failed:
                connection.execute(
                    sa.update(OutboxRow)
                    .where(_these(receiver, [each]))
                    .values(
                        attempts=OutboxRow.attempts + 1,
                        due_at=now + timedelta(seconds=each.wait),
                        claimed_until=None,
                        reason=each.reason[:_LONGEST_REASON],
                    )
                )
            if left:
                connection.execute(
                    sa.update(OutboxRow).where(_these(receiver, left)).values(claimed_until=None)
                )
            connection.commit()

    def waiting(self) -> dict[str, int]:
        """Return how many messages wait, by receiver; those who are told now are always in it."""
        query = sa.select(OutboxRow.receiver, sa.func.count()).where(OutboxRow.given_up_at.is_(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(OutboxRow.receiver)).all()
        return dict.fromkeys(self._receivers, 0) | {row[0]: row[1] for row in rows}

    def give_up(self) -> list[GivenUp]:
        """Give up what is too old or too much, whoever its receiver is, and return what that was."""
        now = _now()
        found = []
        for receiver, count in self.waiting().items():
            row = OutboxRow
            mine = sa.and_(row.receiver == receiver, row.given_up_at.is_(None))
            late = sa.and_(mine, row.created_at < now - GIVEN_UP_AFTER)
            if count > MOST_WAITING:
                newest = sa.select(row.id).where(mine).order_by(row.id.desc()).offset(MOST_WAITING).limit(1)
                with self._database.reading() as connection:
                    late = sa.and_(mine, sa.or_(late, row.id <= (connection.scalar(newest) or "")))
            if given_up := self._give_up(receiver, late, now):
                found.append(given_up)
        with self._database.reading() as connection:
            old = connection.scalar(
                sa.select(OutboxRow.id).where(OutboxRow.given_up_at < now - _TOLD_FOR).limit(1)
            )
        if old is not None:
            with self._database.writing(locked=True) as connection:
                connection.execute(sa.delete(OutboxRow).where(OutboxRow.given_up_at < now - _TOLD_FOR))
                connection.commit()
        return found

    def _give_up(self, receiver: str, late: sa.ColumnElement[bool], now: datetime) -> GivenUp | None:
        with self._database.reading() as connection:
            reason = connection.execute(
                sa.select(OutboxRow.reason).where(late).order_by(OutboxRow.id.desc()).limit(1)
            ).one_or_none()
        if reason is None:
            return None
        with self._database.writing(locked=True) as connection:
            change = sa.update(OutboxRow).where(late).values(given_up_at=now, body="", claimed_until=None)
            count = connection.execute(change).rowcount
            connection.commit()
        return GivenUp(receiver, count, reason[0] or "it was not tried") if count else None


def given_up(connection: sa.Connection) -> list[GivenUp]:
    """Return all that was given up and is not forgotten yet, by receiver."""
    if not sa.inspect(connection).has_table(OutboxRow.__tablename__):
        return []  # a database of an earlier version
    query = (
        sa.select(OutboxRow.receiver, sa.func.count(), sa.func.max(OutboxRow.reason))
        .where(OutboxRow.given_up_at.is_not(None))
        .group_by(OutboxRow.receiver)
    )
    return [
        GivenUp(name, count, reason or "it was not tried")
        for name, count, reason in connection.execute(query)
    ]


def _due(receiver: str, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        OutboxRow.receiver == receiver,
        OutboxRow.given_up_at.is_(None),
        OutboxRow.due_at <= now,
        sa.or_(OutboxRow.claimed_until.is_(None), OutboxRow.claimed_until <= now),
    )


def _these(receiver: str, messages: Iterable[Message | Failed]) -> sa.ColumnElement[bool]:
    return sa.and_(OutboxRow.receiver == receiver, OutboxRow.id.in_([each.id for each in messages]))


def _now() -> datetime:
    return datetime.now(timezone.utc)
