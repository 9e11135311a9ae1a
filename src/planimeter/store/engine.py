"""The engine of the record database, and what a URL must fulfil for one."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from planimeter.errors import StoreFailed

BUSY_SECONDS = 10.0
"""How long a statement waits for other writers."""
_EXAMPLE = "An example: sqlite:///planimeter-data/planimeter.db"


def engine_of(database: str, *, create: bool = True) -> sa.Engine:
    """Return the engine for a URL; with `create` the folder of an SQLite file is made where there is none.

    Raises StoreFailed for a URL that cannot be used, and, without `create`, where there is no such file.
    """
    try:
        url = sa.make_url(database)
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(url, pool_pre_ping=True)
        _check_file(url)
        if create:
            _create_parent(url)
        elif not Path(str(url.database)).is_file():
            raise StoreFailed(f"There is no database {url.database}.")
        engine = sa.create_engine(url, max_overflow=-1, connect_args={"timeout": BUSY_SECONDS})
    except (ArgumentError, ImportError, sa.exc.NoSuchModuleError) as error:
        message = f"The database URL {_without_password(database)!r} cannot be used: {error}. {_EXAMPLE}"
        raise StoreFailed(message) from error
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _without_password(database: str) -> str:
    """Hide what stands between the scheme and the host of a URL that may not even be one."""
    scheme, separator, rest = database.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def file_bytes(engine: sa.Engine) -> int:
    """Return the size of an SQLite file; 0 for what is none."""
    path = Path(str(engine.url.database))
    return path.stat().st_size if engine.dialect.name == "sqlite" and path.is_file() else 0


def is_new(database: str) -> bool:
    """Say whether nothing is in a database yet: for SQLite, whether its file is missing or empty."""
    try:
        url = sa.make_url(database)
        if url.get_backend_name() != "sqlite" or not url.database:
            return False
    except (ArgumentError, sa.exc.NoSuchModuleError):
        return False
    path = Path(url.database)
    return not path.exists() or path.stat().st_size == 0


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
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers go on while one writes
    cursor.execute("PRAGMA synchronous = FULL")  # an answered measurement survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
