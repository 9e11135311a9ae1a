"""The record database: opened, migrated, read, written, checked; what it says, as sentences."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from planimeter.errors import StoreFailed
from planimeter.store import migrations, postgresql
from planimeter.store.engine import BUSY_SECONDS, engine_of, file_bytes, hold_still, shown, unusable
from planimeter.store.identity import MOVE_AGAIN, NOT_WHOLE, is_moving
from planimeter.store.tables import StoreRow

_CHECKED_WHOLE = 32 * 2**20
"""Bytes up to which a probe checks the whole database."""
_DAMAGE = ("malformed", "not a database", "disk image")
"""What SQLite says of a damaged file."""
_WAITS = "waits"
"""Under which a connection remembers for how many milliseconds it waits for other writers."""
_CHECK_SECONDS = 0.5
"""How long the check of a probe does."""


class Database:
    """The record database; from any thread."""

    def __init__(self, url: str, *, unfinished: bool = False) -> None:
        """Open it; raises StoreFailed, and, unless `unfinished` is set, where a move has not filled it completely."""
        self._engine = engine_of(url)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._name = str(self._engine.url) if self._sqlite else shown(url)
        self.damage = ""
        """What is known to be wrong with the file."""
        self.patience = BUSY_SECONDS
        """How long writing waits for other writers, in this process and beside it, all in all."""
        # SQLite takes one writer; waiting here is fair, its own wait is not. Others on a server do not wait for these.
        self._writing = threading.Lock()
        try:
            self.store_id = self._migrate()
            if not unfinished:
                self._refuse_unfinished()
        except StoreFailed:
            self.close()
            raise

    def _refuse_unfinished(self) -> None:
        if is_moving(self.store_id):
            raise StoreFailed(f"{NOT_WHOLE.format(self._name)} {MOVE_AGAIN}")

    @contextmanager
    def reading(self, *, decided: bool = False, still: bool = False) -> Iterator[sa.Connection]:
        """Yield a connection for queries; with `decided` after all that was being written before, here or elsewhere.

        With `still` all of them see the same, whatever others write meanwhile.
        """
        with self.failing(), self._engine.connect() as connection:
            if decided and not self._sqlite:
                postgresql.wait_for_writers(connection, self.patience)
            if still:
                hold_still(connection)
            yield connection

    @contextmanager
    def writing(self, patience: float | None = None, *, locked: bool = False) -> Iterator[sa.Connection]:
        """Yield a connection to write by, alone in this process; raises StoreFailed after `patience` seconds.

        With `locked` nobody writes from the first thing that is read by it on, in no other process either. Whatever
        writes about more than one measurement needs it: else two services can wait for each other.
        """
        patience = self.patience if patience is None else patience
        end = time.monotonic() + patience
        if not self._writing.acquire(timeout=patience):
            raise StoreFailed(self._busy(patience))
        try:
            with self.failing(), self._engine.connect() as connection:
                self._begin(connection, end - time.monotonic(), locked=locked)
                try:
                    yield connection
                finally:
                    connection.rollback()
                    if self._sqlite:
                        self._wait_at_most(connection, self.patience)
        finally:
            self._writing.release()

    def _begin(self, connection: sa.Connection, seconds: float, *, locked: bool) -> None:
        if not self._sqlite:
            postgresql.lock(connection, seconds, alone=locked)
            return
        self._wait_at_most(connection, seconds)
        if locked:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @staticmethod
    def _wait_at_most(connection: sa.Connection, seconds: float) -> None:
        # In tenths of a second, so that it is nearly always what the connection does already.
        milliseconds = 100 * max(1, math.ceil(10 * seconds))
        if connection.info.get(_WAITS) == milliseconds:
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
        connection.rollback()
        connection.info[_WAITS] = milliseconds

    def _busy(self, patience: float) -> str:
        return f"The database {self._name} is busy: others wrote to it for {patience:g} s. Try again."

    def check(self) -> None:
        """Raise StoreFailed when the database cannot be written, or is known to be damaged."""
        if self.damage:
            raise StoreFailed(self.damage)
        with self.writing(_CHECK_SECONDS) as connection:
            connection.execute(sa.update(StoreRow).values(id=StoreRow.id))
            connection.rollback()
            if self._sqlite and file_bytes(self._engine) <= _CHECKED_WHOLE:
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
            with self.failing(), self._engine.connect() as connection:
                self._begin(connection, self.patience, locked=True)  # two starts at once: one waits
                migrations.upgrade(connection)
                if not self._sqlite:
                    postgresql.compare_bytewise(connection)
                store_id = connection.scalars(sa.select(StoreRow.id)).one()
                connection.commit()
                return store_id
        except migrations.WrittenByNewer as error:
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
            if self._sqlite and any(words in str(reason) for words in _DAMAGE):
                raise StoreFailed(self._note_damage(reason)) from error
            if postgresql.is_busy(reason):
                raise StoreFailed(self._busy(self.patience)) from error
            if postgresql.is_damaged(reason):
                raise StoreFailed(self._note_damage(reason)) from error
            raise StoreFailed(unusable(self._name, error)) from error
