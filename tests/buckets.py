"""Where tests keep files: folders, or a bucket of an object store that is started here and thrown away at the end.

Two stores that speak as S3 does: rclone's keeps objects as files of a folder, checks signatures and knows no ranges;
moto's keeps them in memory, lets everybody in and answers much as Amazon's. Neither is Amazon's.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

FOLDERS, OBJECTS = "folders", "objects"
RCLONE, MOTO = "rclone", "moto"
BUCKET = "planimeter-test"
SECRET = "the-secret-of-these-tests"  # noqa: S105
_REQUIRED = "objects" in os.environ.get("PLANIMETER_TEST_REQUIRE", "")


class Server:
    """An object store of ours on a port of loopback, which forgets all at its end."""

    def __init__(self, kind: str) -> None:
        pytest.importorskip("obstore")
        self.kind = kind
        self._home = Path(tempfile.mkdtemp(prefix="planimeter-objects-"))
        (self._home / BUCKET).mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()
        self.environment = environment(self.port)

    def start(self) -> None:
        command = _rclone(self._home, self.port) if self.kind == RCLONE else _moto(self.port)
        with (self._home / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as made:
                if self.kind == MOTO:
                    made.sendall(_MAKE_BUCKET)
                    made.recv(1000)
                return
            assert self._process.poll() is None, (self._home / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Have it take what is sent, and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home)


_MAKE_BUCKET = (
    f"PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
).encode()


def environment(port: int, secret: str = SECRET) -> dict[str, str]:
    """Return what a service has to find in its environment."""
    return {
        "AWS_ACCESS_KEY_ID": "planimeter-tests",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


def _rclone(home: Path, port: int) -> list[str]:
    beside = Path(sys.executable).with_name("rclone")
    program = str(beside) if beside.is_file() else shutil.which("rclone")
    known = (
        program
        and "s3"
        in subprocess.run(
            [program, "serve", "--help"], check=False, capture_output=True, text=True, timeout=60
        )
        .stdout.split("Available Commands")[-1]
        .split()
    )
    if not program or not known:
        _missing("rclone 1.65 or newer")
    options = [
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        f"planimeter-tests,{SECRET}",
        "--config",
        os.devnull,
    ]
    return [str(program), "serve", "s3", *options, str(home)]


def _moto(port: int) -> list[str]:
    try:
        import moto.server  # noqa: F401, PLC0415 - whether it is there
    except ImportError:
        _missing("moto[server]")
    return [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def _missing(what: str) -> None:
    if _REQUIRED:
        pytest.fail(f"{what} is missing, and PLANIMETER_TEST_REQUIRE says that it must be there")
    pytest.skip(f"{what} is not installed")


class Kind:
    """Where the tests keep files now."""

    name = FOLDERS
    server: Server | None = None
    before: ClassVar[dict[str, str | None]] = {}


def use(name: str, server: Server | None = None) -> None:
    """Keep files there from now on, in this store or in one that is started once."""
    if name == OBJECTS:
        if server is None:
            server = Kind.server = Kind.server or Server(RCLONE)
        Kind.before = {key: os.environ.get(key) for key in server.environment}
        os.environ.update(server.environment)
    elif Kind.name == OBJECTS:
        for key, value in Kind.before.items():
            os.environ.pop(key)
            if value is not None:
                os.environ[key] = value
    Kind.name = name


def end() -> None:
    if Kind.server is not None:
        Kind.server.remove()
        Kind.server = None


def place(home: Path, name: str) -> Path | str:
    """Return the place of that name which belongs to a folder of a test; the same for the same folder."""
    return home / name if Kind.name == FOLDERS else f"s3://{BUCKET}/{prefix_of(home)}/{name}"


def prefix_of(home: Path) -> str:
    """Return the prefix of all that belongs to a folder of a test."""
    return sha256(str(home).encode()).hexdigest()[:20]


def client(prefix: str = "") -> Any:
    """Return a client of the bucket that the environment leads to, past the store."""
    from obstore.store import S3Store  # noqa: PLC0415 - an extra

    return S3Store(BUCKET, prefix=prefix or None, client_options={"allow_http": True})


def objects_under(prefix: str) -> dict[str, int]:
    """Return all objects below a prefix with their bytes."""
    import obstore  # noqa: PLC0415 - an extra

    found = obstore.list(client(prefix), chunk_size=1000)
    return {entry["path"]: entry["size"] for portion in found for entry in portion}
