"""A service of its own to attack: started, asked, watched, killed."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HEADERS = {"Content-Type": "application/octet-stream"}
MEASUREMENTS = "/api/v1/measurements"


class Running:
    """`planimeter serve` with its data in a folder, on a port that stays the same."""

    name = "service"

    def __init__(self, folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is what it has to find there beside what this process has."""
        self.folder, self._options = folder, options
        self.environment = os.environ | (environment or {})
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and do not wait until it is ready."""
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "planimeter", "serve", "--port", str(self.port), *self._options],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def start(self, seconds: float = 600) -> float:
        """Start it and wait until it is ready; returns the seconds that took."""
        started = time.monotonic()
        self.launch()
        while time.monotonic() - started < seconds:
            if self.status != "running":
                raise RuntimeError(f"the service did not start; {self.folder}/log.txt says why")
            if self.ask("GET", "/readyz", seconds=2)[0] == 200:
                return time.monotonic() - started
            time.sleep(0.1)
        raise RuntimeError("the service was not ready in time")

    @property
    def status(self) -> str:
        """Say whether it runs, or how it ended."""
        code = None if self._process is None else self._process.poll()
        return "running" if code is None else f"ended with {code}"

    def kill(self) -> None:
        """Kill it as the system would, without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Stop it politely; returns its exit status."""
        if self._process is None or self._process.poll() is not None:
            return -1
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        seconds: float = 120,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, float]:
        """Return status (0 where there was no answer), body and seconds."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, headers or (HEADERS if body else {}))
            answer = connection.getresponse()
            return answer.status, answer.read(), time.monotonic() - started
        except (OSError, http.client.HTTPException):
            return 0, b"", time.monotonic() - started
        finally:
            connection.close()

    def measure(self, picture: bytes, *, seconds: float = 120) -> tuple[int, str, float]:
        """Measure a picture; returns status, the id or the error's code, and seconds."""
        status, body, took = self.ask("POST", MEASUREMENTS, picture, seconds=seconds)
        if not status:
            return 0, "", took
        answer = json.loads(body)
        return status, answer["id"] if status == 201 else answer["error"]["code"], took

    def open_unread(self, request: bytes, count: int) -> list[socket.socket]:
        """Return connections that sent `request` and read nothing."""
        opened = []
        for _ in range(count):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(5)
            try:
                connection.connect(("127.0.0.1", self.port))
                connection.sendall(request)
            except OSError:
                connection.close()
                continue
            opened.append(connection)
        return opened

    def memory_mib(self) -> tuple[float, float]:
        """Return what the service has in memory, and what its decoders have; Linux only."""
        if self._process is None:
            return 0.0, 0.0
        pid = self._process.pid
        return _resident(pid), sum(map(_resident, _children(pid)))


def free_port() -> int:
    """Return a port of loopback on which nothing listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _resident(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/statm").read_text("ascii")
    except OSError:
        return 0.0
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text("ascii").split())
        except OSError:
            continue
    return found
