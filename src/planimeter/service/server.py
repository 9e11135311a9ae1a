"""The production server: Waitress, with our own error answers and a stop that lets requests finish."""

import errno
import json
import logging
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from flask import Flask
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]

from planimeter.errors import NotReady
from planimeter.service.api.answers.base import ErrorAnswer, Problem
from planimeter.service.connections import MOST_CONNECTIONS, Channel, Parser, close_stuck, make_room
from planimeter.service.context import EXTENSION
from planimeter.service.gates import DOWNLOADS, DRAWINGS, WAITING_DRAWINGS
from planimeter.service.problems import too_many_bytes
from planimeter.service.threads import Threads
from planimeter.settings import Settings

log = logging.getLogger(__name__)

BODY_SLACK = 64 * 2**20
FORM_BYTES = 2 * 2**20
"""What a form or a JSON object may need beside a picture."""
UNREAD_BYTES = 2 * 2**20
READ_BYTES = 2**16
"""Of a request, at once: with the 8 KiB of Waitress, a picture of 50 KiB takes seven looks at all sockets."""
LAST_REQUESTS_SECONDS = 10.0
ENDED_SECONDS = 4.0
"""Of those, the last, in which nobody waits for the model any more."""
BROKEN_REQUESTS = {413: "too_many_bytes", 500: "internal_error"}


class JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers requests that never reach the app (broken HTTP, far too long) in the API's error shape."""

    def execute(self) -> None:
        """Write the answer."""
        error = self.request.error
        message = str(error.body)
        if error.code == 413:
            message = too_many_bytes(self.channel.server.max_bytes)
        code = BROKEN_REQUESTS.get(error.code, "bad_request")
        answer = ErrorAnswer(error=Problem(code=code, message=message)).model_dump()
        body = json.dumps(answer).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class JsonChannel(Channel):
    """A connection whose errors are JSON."""

    error_task_class = JsonErrorTask


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises `NotReady` with what to do when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise NotReady(
            f"cannot listen on {host}: {error.strerror or error}; choose another --host"
        ) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        raise NotReady(
            f"cannot listen on {host} port {port}: {error.strerror or error}; {_remedy(error)}"
        ) from error
    return listening


def _remedy(error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address; choose another --host (0.0.0.0 for the whole network)"
    return "stop what uses that port, or choose another with --port (0 takes a free one)"


def address_of(listening: socket.socket, *, public: bool = False) -> str:
    """Return the URL of a listening socket, as a person on this machine opens it (or with the bound host)."""
    host, port = listening.getsockname()[:2]
    if not public and host in {"0.0.0.0", "::"}:  # noqa: S104  compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """Serves an app on a listening socket until it is stopped."""

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        listening: socket.socket,
        *,
        most_connections: int = MOST_CONNECTIONS,
        patience: float = 1.0,
    ) -> None:
        """Threads: `settings.threads` that answer, and one more for each that may have to wait.

        Those are the pictures before the model, the drawings and the downloads. So neither a full queue nor a slow
        client blocks the pages and probes, nor hides behind a queue of threads where it would never be found full.
        `patience` multiplies the time that a connection has for each part of a request.
        """
        self._sockets: dict[int, Any] = {}
        self._stopping = threading.Event()
        number = settings.threads + settings.queue_size + 1 + DOWNLOADS + DRAWINGS + WAITING_DRAWINGS
        self._waitress = create_server(
            app,
            _dispatcher=Threads(number),  # its own would be started otherwise, with `threads` of them
            map=self._sockets,
            sockets=[listening],
            # Far above our own limit: a body that is read to its end lets the refusal reach the client.
            max_request_body_size=2 * settings.max_bytes + BODY_SLACK,
            connection_limit=most_connections + 50,
            # What a client does not read is written no further than this.
            outbuf_high_watermark=UNREAD_BYTES,
            recv_bytes=READ_BYTES,
            # A connection is read on while its request is worked on: so it is seen when the client leaves.
            channel_request_lookahead=1,
            asyncore_use_poll=True,
            ident="planimeter",
            clear_untrusted_proxy_headers=True,
            # Who sent a request, as a proxy says that is believed; what it says else is not.
            trusted_proxy=settings.trusted_proxy or None,
            trusted_proxy_headers={"x-forwarded-for"} if settings.trusted_proxy else set(),
        )
        limits = {"most_chunked": settings.max_bytes * 4 // 3 + FORM_BYTES}
        parser = type("Parser", (Parser,), limits)
        self._waitress.channel_class = type(
            "Channel", (JsonChannel,), {"parser_class": parser, "patience": patience}
        )
        self._most_connections = most_connections
        self._queue = app.extensions[EXTENSION].queue
        self._next_look = 0.0
        self._waitress.max_bytes = settings.max_bytes
        self._listening = listening

    def run(self) -> None:
        """Serve until `stop` is called, then let the requests that are under way finish.

        Those that wait for the model all the same after some seconds are refused; the time for all of it has an end.
        """
        while not self._stopping.is_set():
            self._poll(1.0)
        self._waitress.accepting = False
        self._waitress.del_channel()
        self._listening.close()
        deadline = time.monotonic() + LAST_REQUESTS_SECONDS
        while self._busy() and time.monotonic() < deadline:
            if time.monotonic() > deadline - ENDED_SECONDS:
                self._queue.close()
            self._poll(0.1)
        self._waitress.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._sockets, ignore_all=True)

    def stop(self) -> None:
        """Make `run` return soon; may be called from any thread and from a signal handler."""
        if not self._stopping.is_set():
            self._stopping.set()
            with suppress(OSError):  # `run` may have seen it by itself and ended
                self._waitress.pull_trigger()

    @property
    def idle(self) -> bool:
        """Whether no thread of the server works any more; a process must not end under those that do."""
        return not self._waitress.task_dispatcher.threads

    def _poll(self, seconds: float) -> None:
        channels, now = self._waitress.active_channels, time.time()
        if now >= self._next_look:
            self._next_look = now + 1.0
            close_stuck(channels, now)
        if len(channels) >= self._most_connections:
            make_room(channels)
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._sockets, count=1)

    def _busy(self) -> bool:
        channels = list(self._waitress.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)
