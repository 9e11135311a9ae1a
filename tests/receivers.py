"""Receivers of webhooks that can be ended and started again at the same address, and that see what comes."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 180.0
Say = Callable[["Received"], tuple[int, dict[str, str]]]


@dataclass(frozen=True)
class Received:
    """A message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    moment: float

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def measurement(self) -> str:
        return str(self.event["data"]["id"])


class Receiver:
    """What came so far, and what is answered."""

    def __init__(self) -> None:
        self.came: list[Received] = []
        self.taken: list[Received] = []
        self.port = 0
        self.say: Say = lambda _: (204, {})

    def wait_for(self, count: int) -> list[Received]:
        """Wait until so many were taken."""
        wait(lambda: len(self.taken) >= count, lambda: [each.event for each in self.came])
        return self.taken

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Listen, always on the same port; yields the address."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{self.port}/hooks/T0P?token=s3cret"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                message = Received(self.path, headers, body, time.monotonic())
                receiver.came.append(message)
                status, more = receiver.say(message)
                if 200 <= status < 300:
                    receiver.taken.append(message)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

        return Handler


def wait(condition: Callable[[], bool], told: Callable[[], object]) -> None:
    """Wait until a condition holds; `told` is shown where it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.02)
