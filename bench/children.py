"""Processes that the bench starts: a service, a peer, a client."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import click

START_SECONDS = 300.0
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """One that runs, and listens on 127.0.0.1."""

    port: int
    process: "subprocess.Popen[bytes]"
    ready_seconds: float
    """From its start until it could measure."""


def stop_with_us() -> None:
    """Let SIGTERM end this process as Ctrl+C does, so that nothing that it started stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child.

    PYTHONDONTWRITEBYTECODE is taken away: with it, Python compiles every module anew at each start, which nobody
    who runs a service has.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | more


@contextmanager
def serving(options: Sequence[str]) -> Iterator[Server]:
    """Run Planimeter with its own folders until the end; yields it when it can measure."""
    port = free_port()
    command = [sys.executable, "-m", "planimeter", "serve", "--port", str(port), *options]
    with running(command, port, ready="/readyz") as server:
        yield server


@contextmanager
def running(
    command: Sequence[str], port: int, *, ready: str = "", told: dict[str, str] | None = None
) -> Iterator[Server]:
    """Run a server in a folder of its own until the end.

    Yields it when it listens, or when `ready`, where that is given, is answered with 200.
    """
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as folder:
        log = Path(folder) / "log.txt"
        started = time.perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment(PEER_FOLDER=folder, **(told or {})),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            patience = time.monotonic() + START_SECONDS
            while not (is_ready(port, ready) if ready else listens(port)):
                if process.poll() is not None or time.monotonic() > patience:
                    said = log.read_text("utf-8", "replace").strip()[-3000:]
                    raise click.ClickException(f"{' '.join(command)} did not start:\n{said}")
                time.sleep(0.01)
            yield Server(port, process, time.perf_counter() - started)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _end_group(process.pid)


def _end_group(leader: int) -> None:
    """End what a server started and left behind, as some do; its session is its own."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(leader, how)
        except OSError:  # none is left
            return
        time.sleep(0.5)


def is_ready(port: int, path: str) -> bool:
    """Return whether a server answers with 200 there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Return whether anybody accepts connections there."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
