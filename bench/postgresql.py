"""A PostgreSQL server for a bench, on loopback, with the settings that it comes with."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from children import free_port

_USER = "postgres"


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """Run a server on the cluster in `data`, made there where there is none, and yield the URL of its database."""
    programs, user = _programs(), None if os.geteuid() else _USER  # it refuses to run as root
    if not (data / "PG_VERSION").is_file():
        data.mkdir(parents=True, exist_ok=True)
        if user:
            shutil.chown(data, user)
        _run(
            programs, user, "initdb", f"--pgdata={data}", f"--username={_USER}", "--auth=trust", "-E", "UTF8"
        )
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    place = f"--pgdata={data}", "--wait", "--timeout=120"
    _run(programs, user, "pg_ctl", "start", *place, f"--log={data / 'log.txt'}", f"--options={options}")
    try:
        yield f"postgresql+psycopg://{_USER}@127.0.0.1:{port}/postgres"
    finally:
        _run(programs, user, "pg_ctl", "stop", *place, "--mode=fast")


def _programs() -> Path:
    beside = map(Path, os.environ.get("PATH", "").split(os.pathsep))
    for folder in (*Path("/usr/lib/postgresql").glob("*/bin"), *beside):
        if (folder / "initdb").is_file():
            return folder
    raise click.ClickException("PostgreSQL is not installed: apt-get install postgresql")


def _run(programs: Path, user: str | None, program: str, *arguments: str) -> None:
    with tempfile.TemporaryFile() as said:  # no pipe: the server would hold it open
        done = subprocess.run(
            [f"{programs}/{program}", *arguments],
            check=False,
            user=user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            said.seek(0)
            raise click.ClickException(f"{program}: {said.read().decode(errors='replace')[-2000:]}")
