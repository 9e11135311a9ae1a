"""A PostgreSQL server to be killed: its data stays in a folder, and it comes back on it."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from running import free_port

START_SECONDS = 600.0
_SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "shared_buffers": "32MB"}
"""What is written is synced to the disk, as it comes."""


def binaries() -> Path | None:
    """Return the folder with the programs of a server; None where there is none."""
    beside = map(Path, os.environ.get("PATH", "").split(os.pathsep))
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *beside]
    return next((folder for folder in found if (folder / "initdb").is_file()), None)


class PostgresqlServer:
    """One of our own, on a port of loopback."""

    name = "PostgreSQL"

    def __init__(self, chance: random.Random) -> None:
        self._programs = binaries()
        # Not in the folder of the rest, into which another user cannot see.
        self._folder = Path(tempfile.mkdtemp(prefix="planimeter-postgresql-"))
        self._data = self._folder / "data"
        self._chance = chance
        self._user = None if os.geteuid() else "postgres"  # it refuses to run as root
        if self._user:
            shutil.chown(self._folder, self._user)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        made = self._popen(
            "initdb", f"--pgdata={self._data}", "--username=postgres", "--auth=trust", "-E", "UTF8"
        )
        if made.wait():
            raise RuntimeError(f"initdb failed; {self._folder}/log.txt says why")

    @property
    def url(self) -> str:
        """Where records are kept."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers; after a kill its own processes have to end before."""
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
                self._process = self._popen(
                    "postgres", "-D", str(self._data), "-p", str(self._port), *options
                )
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not come back; {self._folder}/log.txt says why")
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill it without a word, or have it drop everything at once: what its own immediate shutdown does."""
        if self._process is not None:
            self._process.send_signal(self._chance.choice((signal.SIGKILL, signal.SIGQUIT)))
            self._process.wait()

    def end(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, connect_args={"connect_timeout": 4})
        try:
            with engine.connect():
                return True
        except sa.exc.SQLAlchemyError:
            return False

    def _popen(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self._folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [f"{self._programs}/{program}", *arguments],
                user=self._user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
