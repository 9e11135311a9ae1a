"""The engine of the record database, and what a URL must fulfil for one."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from planimeter.errors import StoreFailed
from planimeter.store import postgresql
from planimeter.store.folding import teach_sqlite

BUSY_SECONDS = 10.0
"""How long a statement waits for other writers."""
_RETRY_SECONDS = 0.01
_EXAMPLE = "An example: sqlite:///planimeter-data/planimeter.db"


def engine_of(database: str, *, create: bool = True) -> sa.Engine:
    """Return the engine for a URL; with `create` the folder of an SQLite file is made where there is none.

    Raises StoreFailed for a URL that cannot be used, and, without `create`, where there is no such file.
    """
    url = _url_of(database)
    try:
        if postgresql.is_ours(url):
            return postgresql.engine(url)
        _check_file(url)
        if create:
            _create_parent(url)
        elif not Path(str(url.database)).is_file():
            raise StoreFailed(f"There is no database {url.database}.")
        # The connection that was used last is taken first: its pages are those that it wrote itself.
        engine = sa.create_engine(
            url, max_overflow=-1, pool_use_lifo=True, connect_args={"timeout": BUSY_SECONDS}
        )
    except ImportError as error:
        message = (
            f"The database {shown(database)} needs psycopg: pip install 'planimeter[postgresql]' ({error})."
        )
        raise StoreFailed(message) from error
    except (ArgumentError, sa.exc.NoSuchModuleError) as error:
        raise StoreFailed(
            f"The database URL {shown(database)!r} cannot be used: {error}. {_EXAMPLE}"
        ) from error
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def hold_still(connection: sa.Connection) -> None:
    """Let a connection that has no locks see what is there now until it is closed, whatever others write."""
    connection.rollback()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")


def _url_of(database: str) -> sa.URL:
    try:
        url = sa.make_url(database)
    except (ArgumentError, ValueError) as error:  # neither is shown: they quote parts of the URL
        message = (
            f"The database URL {shown(database)!r} cannot be used: Could not parse it as a URL. {_EXAMPLE}"
        )
        raise StoreFailed(message) from error
    if url.get_backend_name() != "sqlite" and not postgresql.is_ours(url):
        raise StoreFailed(
            f"The database URL {shown(database)!r} cannot be used: records are kept in SQLite or, with "
            f"postgresql+psycopg://…, in PostgreSQL, not by {url.drivername!r}. {_EXAMPLE}"
        )
    return url


def shown(database: str) -> str:
    """Return a URL, which may not even be one, without user, password and options, which may hold one too."""
    try:
        url = sa.make_url(database)
    except (ArgumentError, ValueError):
        scheme, separator, rest = database.partition("://")
        return f"{scheme}{separator}" + ("…" if "@" in rest else rest.partition("?")[0])
    return str(sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database))


def file_bytes(engine: sa.Engine) -> int:
    """Return the size of an SQLite file; 0 for what is none."""
    path = Path(str(engine.url.database))
    return path.stat().st_size if engine.dialect.name == "sqlite" and path.is_file() else 0


def is_new(database: str) -> bool:
    """Say whether nothing is in a database yet: for SQLite, whether its file is missing or empty.

    Raises StoreFailed where a server cannot be asked.
    """
    url = _url_of(database)
    if postgresql.is_ours(url):
        engine = engine_of(database)
        try:
            return postgresql.is_new(engine)
        except SQLAlchemyError as error:
            raise StoreFailed(unusable(database, error)) from error
        finally:
            engine.dispose()
    if not url.database:
        return False
    path = Path(url.database)
    return not path.exists() or path.stat().st_size == 0


def unusable(database: str, error: SQLAlchemyError) -> str:
    """Return what a database says, as a sentence with its name and a remedy."""
    if not shown(database).startswith("postgres"):
        own = error.orig if isinstance(error, DBAPIError) else error
        return (
            f"The database {database} cannot be used: {own}. "
            "Check that its disk has space and that this user may write to it, or choose another one."
        )
    reason = postgresql.sentence(error) if isinstance(error, DBAPIError) else error
    return (
        f"The database {shown(database)} cannot be used: {reason}. "
        "Check that its server runs, can be reached, has space, and lets this user write."
    )


def _check_file(url: sa.URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise StoreFailed(f"The database {url} would be lost at the end: name a file. {_EXAMPLE}")
    path = Path(str(url.database))
    if path.exists() and not path.is_file():
        raise StoreFailed(
            f"The database {url} is no regular file, so SQLite is unable to open it: name another. {_EXAMPLE}"
        )


def _create_parent(url: sa.URL) -> None:
    parent = Path(str(url.database)).absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"Cannot create the folder {parent} for the database: {error.strerror}. Choose another one."
        raise StoreFailed(message) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    teach_sqlite(connection)
    cursor = connection.cursor()
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # an answered measurement survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Let readers go on while one writes; a file keeps that, so only a new one is changed.

    SQLite refuses that change at once where another connection holds a lock, whatever its timeout is, because both
    could wait for each other: two first starts at one moment. So it is asked again.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return
