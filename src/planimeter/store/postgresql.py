"""What is PostgreSQL's own: how it is reached, how writers wait for each other, how its text compares.

Several services may use one database. What writes about one measurement shares a lock with all others that do so; what
writes about many, or writes what it has read before, holds it alone, as every writer does in SQLite.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from planimeter.store.tables import StoreRow, Table

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_LOCK = int.from_bytes(b"planimtr", "big")
"""The number of the lock; PostgreSQL keeps those of each database apart."""
_CONNECT = {
    "connect_timeout": 4,  # for each address that a name has
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Seconds, the last one milliseconds: a server that is gone without a word is noticed after these."""
_IDLE_SECONDS = 60
"""After which the server ends a transaction of a writer that stopped: until then it holds its locks."""
_BUSY = {"55P03", "40P01", "40001"}
"""Lock not available in time, deadlock, serialization failure: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_DAMAGED = {"XX001", "XX002"}
"""Data corrupted, index corrupted."""


def is_ours(url: sa.URL) -> bool:
    """Say whether a URL is one of PostgreSQL by the driver that is used."""
    return url.drivername in _SCHEMES


def engine(url: sa.URL) -> sa.Engine:
    """Return the engine; nothing is connected yet. What the URL says of the connection itself comes first."""
    connect = {name: value for name, value in _CONNECT.items() if name not in url.query}
    made = sa.create_engine(
        url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, max_overflow=-1, connect_args=connect
    )
    sa.event.listen(made, "before_cursor_execute", _replace_nul, retval=True)
    return made


def _replace_nul(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: Any
) -> tuple[str, Any]:
    """Put U+FFFD in the place of U+0000, which no text of PostgreSQL can hold; a document has it as JSON says."""
    return statement, [held(row) for row in parameters] if many else held(parameters)


def held(row: Any) -> Any:
    """Return values by their names as a row can hold them."""
    if not isinstance(row, dict):
        return row
    return {
        name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for name, value in row.items()
    }


def lock(connection: sa.Connection, seconds: float, *, alone: bool) -> None:
    """Wait at most so many seconds for other writers, here and for all that this transaction still waits for."""
    kind = "" if alone else "_shared"
    connection.exec_driver_sql(
        f"SET LOCAL lock_timeout = {max(1, round(1000 * seconds))}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {1000 * _IDLE_SECONDS}; "
        f"SELECT pg_advisory_xact_lock{kind}({_LOCK})"
    )


def wait_for_writers(connection: sa.Connection, seconds: float) -> None:
    """Wait until all that is being written is decided, also what a lost connection still commits; then let go."""
    lock(connection, seconds, alone=True)
    connection.rollback()


def compare_bytewise(connection: sa.Connection) -> None:
    """Let all text compare by its bytes, as in SQLite, whatever language the database was made for.

    Ids must, since ranges of them are stretches of time; and the order of the rest shall not depend on the server.
    """
    query = sa.text(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation l ON l.oid = a.attcollation "
        "WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid) AND a.attnum > 0 AND NOT a.attisdropped "
        "AND l.collname <> 'C' AND c.relname = ANY(:tables) ORDER BY c.relname, a.attnum"
    )
    columns: dict[str, list[str]] = {}
    for table, column, type_ in connection.execute(query, {"tables": [*Table.metadata.tables]}):
        columns.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE {type_} COLLATE "C"')
    for table, changes in columns.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(changes)}')


def rows_in_binary(connection: sa.Connection, query: sa.Select[Any]) -> list[Any]:
    """Return the rows of a query: with packed columns, which would come as text of twice their length otherwise.

    Raises what SQLAlchemy raises.
    """
    compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
    driver: Any = connection.connection.driver_connection
    failed: type[Exception] = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor(binary=True) as cursor:
            found: list[Any] = cursor.execute(str(compiled), compiled.params).fetchall()
    except failed as error:
        raise DBAPIError(str(compiled), None, error) from error
    return found


def is_new(database: sa.Engine) -> bool:
    """Say whether no store was ever here; raises what SQLAlchemy raises."""
    with database.connect() as connection:
        return not sa.inspect(connection).has_table(StoreRow.__tablename__)


def is_busy(reason: object) -> bool:
    """Say whether others wrote for too long, from what the driver raised."""
    return getattr(reason, "sqlstate", None) in _BUSY


def is_damaged(reason: object) -> bool:
    """Say whether the database is damaged, from what the driver raised."""
    return getattr(reason, "sqlstate", None) in _DAMAGED


def sentence(error: DBAPIError) -> str:
    """Return what the server or the driver says, in one line and without the values that it was about."""
    reason: Any = error.orig
    primary = getattr(getattr(reason, "diag", None), "message_primary", None)
    lines: Iterable[str] = str(primary or reason).split("\n")
    return " ".join(word for line in lines for word in line.split()).rstrip(".")
