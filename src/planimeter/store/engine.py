"""The engine that reaches the database: SQLite prepared as the store needs it, others by their URL."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from planimeter.errors import StoreFailed

_BUSY_SECONDS = 30


def open_engine(database: str) -> sa.Engine:
    """Return the engine for an SQLAlchemy URL; raises StoreFailed."""
    try:
        url = sa.make_url(database)
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(url, pool_pre_ping=True)
        _create_parent(url)
        engine = sa.create_engine(url, max_overflow=-1, connect_args={"timeout": _BUSY_SECONDS})
    except (ArgumentError, ImportError, sa.exc.NoSuchModuleError) as error:
        message = f"The database URL {_without_password(database)!r} cannot be used: {error}. {_EXAMPLE}"
        raise StoreFailed(message) from error
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


_EXAMPLE = "An example: sqlite:///planimeter-data/planimeter.db"


def _without_password(database: str) -> str:
    """Hide what stands between the scheme and the host of a URL that may not even be one."""
    scheme, separator, rest = database.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _create_parent(url: sa.URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise StoreFailed(f"The database {url} would be lost at the end: name a file. {_EXAMPLE}")
    parent = Path(str(url.database)).absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"Cannot create the folder {parent} for the database: {error.strerror}. Choose another one."
        raise StoreFailed(message) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers go on while one writes
    cursor.execute("PRAGMA synchronous = FULL")  # an answered measurement survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
