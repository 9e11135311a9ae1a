"""Where tests keep records: SQLite, or a PostgreSQL server that is started here and thrown away at the end.

Tests marked `both_databases` run on both, those of them marked `sqlite_alone` on SQLite only. The databases on the
server are made for English and not for bytes, so that text which is compared by the language is noticed.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from ulid import ULID

from planimeter.store.database import Database

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_TEMPLATE = "planimeter_template"
_made: set[str] = set()


class Server:
    """A PostgreSQL server of ours on a port of loopback, which forgets all at its end."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._user = None if os.geteuid() else "postgres"  # it refuses to run as root
        self._home = Path(tempfile.mkdtemp(prefix="planimeter-postgresql-"))
        if self._user:
            shutil.chown(self._home, self._user)
        self._data = self._home / "data"
        self._run(
            "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off "
            "-c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB"
        )
        self._run("pg_ctl", "start", "--wait", f"--log={self._home / 'log'}", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        with (self._home / "out").open("a") as out:  # no pipe: the server would hold it open
            done = subprocess.run(
                [self._binaries / program, f"--pgdata={self._data}", *arguments],
                check=False,
                user=self._user,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=60,
            )
        assert done.returncode == 0, (self._home / "out").read_text()


def _binaries() -> Path:
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(":"))]
    for folder in found:
        if (folder / "initdb").is_file():
            return folder
    if "postgresql" in os.environ.get("PLANIMETER_TEST_REQUIRE", ""):
        pytest.fail("PostgreSQL is missing, and PLANIMETER_TEST_REQUIRE says that it must be there")
    pytest.skip("PostgreSQL is not installed")


class Kind:
    """Which database the tests use now."""

    server: Server | None = None
    name = SQLITE


def use(name: str) -> None:
    """Keep records there from now on; a server is started once."""
    if name == POSTGRESQL and Kind.server is None:
        pytest.importorskip("psycopg")
        Kind.server = Server()
        _execute(
            f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
        )
        Database(_url(_TEMPLATE)).close()
    Kind.name = name


def end() -> None:
    if Kind.server is not None:
        Kind.server.remove()
        Kind.server = None


def database_url(home: Path, name: str = "planimeter.db", *, new: bool = False) -> str:
    """Return the URL of a database that belongs to a folder of a test; the same for the same folder.

    On a server it has its tables already, unless it is to be `new`.
    """
    if Kind.name == SQLITE:
        return f"sqlite:///{home / name}"
    database = "t" + sha256(str(home / name).encode()).hexdigest()[:20]
    if database not in _made:
        template = "template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if new else _TEMPLATE
        _execute(f"CREATE DATABASE {database} TEMPLATE {template}")
        _made.add(database)
        if not new:
            engine = sa.create_engine(_url(database))
            with engine.begin() as connection:
                connection.exec_driver_sql(f"UPDATE store SET id = '{ULID()}'")  # noqa: S608  ours
            engine.dispose()
    return _url(database)


def engine_of(home: Path, name: str = "records/planimeter.db") -> sa.Engine:
    """Return an engine to look into that database with, past the store."""
    return sa.create_engine(database_url(home, name), poolclass=sa.NullPool)


def drop_all() -> None:
    """Drop what a test made."""
    while _made:
        _execute(f"DROP DATABASE {_made.pop()} WITH (FORCE)")


def _url(database: str) -> str:
    assert Kind.server is not None
    return Kind.server.url.removesuffix("postgres") + database


def _execute(statement: str) -> None:
    assert Kind.server is not None
    engine = sa.create_engine(Kind.server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
