"""A store that speaks as S3 does, to be killed: rclone's, whose objects are files of a folder and stay there."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from running import free_port

BUCKET = "planimeter-attack"
START_SECONDS = 600.0
_KEY, _SECRET = "planimeter-attack", "of-a-store-that-is-thrown-away"


def program() -> str | None:
    """Return an rclone that can serve S3 (1.65 or newer), beside this Python or on the path; None without one."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.is_file() else shutil.which("rclone")
    if not found:
        return None
    told = subprocess.run([found, "serve", "s3", "--help"], check=False, capture_output=True, text=True)
    return found if "--auth-key" in told.stdout else None


class ObjectServer:
    """One of our own, on a port of loopback."""

    name = "S3"

    def __init__(self, folder: Path) -> None:
        self._program = program()
        self._folder = folder
        self.bucket = folder / "buckets" / BUCKET
        """Where its objects are, to be looked at past the service."""
        self.bucket.mkdir(parents=True)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a service has to find in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
        }

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [
            str(self._program),
            "serve",
            "s3",
            "--config",
            os.devnull,
            "--addr",
            f"127.0.0.1:{self._port}",
        ]
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--auth-key", f"{_KEY},{_SECRET}", str(self.bucket.parent)], stdout=log, stderr=log
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            time.sleep(0.05)
        raise RuntimeError(f"the object store does not come back; {self._folder}/log.txt says why")

    def kill(self) -> None:
        """Kill it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
