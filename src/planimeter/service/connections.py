"""Connections that do not get on: each has so long for its headers, its body and its answer, and then makes room.

Waitress alone waits for all three as long as some byte comes now and then.
"""

import time
from collections import Counter
from typing import Any

from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped]
from waitress.utilities import BadRequest, RequestEntityTooLarge  # type: ignore[import-untyped]

MOST_CONNECTIONS = 800
"""Then the one that waited longest makes room for the next."""
ROOM = 8
"""One in so many makes room at a time."""
HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0
WRITE_SECONDS = 20.0
"""For the first byte and for all that comes in bursts; beyond that the rate counts."""
LEAST_RATE = 4096
"""Bytes a second that a body, or an answer, must move after that time: a quarter of a bad telephone line."""

LONGEST_LINE = 16_384
"""Bytes before a chunk, or behind the last: Waitress copies all of them again with every few kilobytes that come."""


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """A request as it comes in, with a limit on bodies whose length nobody said before."""

    most_chunked = 0
    completed: bool = False

    def received(self, data: bytes) -> int:
        """Take in some bytes, and return how many were of this request."""
        consumed = int(super().received(data))
        if self.chunked and not self.completed and self.body_bytes_received > self.most_chunked:
            self.error, self.completed = RequestEntityTooLarge(f"exceeds {self.most_chunked}"), True
        if self.chunked and not self.completed and self._unfinished > LONGEST_LINE:
            self.error, self.completed = BadRequest(f"a line between chunks exceeds {LONGEST_LINE}"), True
        return consumed

    @property
    def _unfinished(self) -> int:
        """Return how long the line before a chunk, or what follows the last, has become without its end."""
        return max(len(self.body_rcv.control_line), len(self.body_rcv.trailer))

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the headers; a length of thousands of digits is as wrong as one of letters."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("Content-Length is invalid") from error


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it has been waiting for what."""

    parser_class = Parser

    patience = 1.0
    """Multiplies the times above."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._request_since = 0.0
        self._answer_since = 0.0
        self._sent = 0

    def received(self, data: bytes) -> bool:
        """Take in some bytes of one or more requests."""
        fresh = self.request is None
        taken = bool(super().received(data))
        if self.request is None:
            self._request_since = 0.0
        elif fresh or not self._request_since:
            self._request_since = time.time()
        return taken

    def send(self, data: bytes, *arguments: Any, **more: Any) -> int:
        """Send what the other side takes."""
        count = int(super().send(data, *arguments, **more))
        self._sent += count
        return count

    @property
    def waits_since(self) -> float | None:
        """Since when it has been waiting for a request, or the rest of one's headers; None where it does more."""
        if self.requests or self.total_outbufs_len:
            return None
        if self.request is None:
            return float(self.last_activity)
        return None if self.request.headers_finished else self._request_since

    def is_stuck(self, now: float) -> bool:
        """Say whether its time is up."""
        if self.total_outbufs_len:
            if not self._answer_since:
                self._answer_since, self._sent = now, 0
            return _too_slow(now - self._answer_since, self.patience * WRITE_SECONDS, self._sent)
        self._answer_since = 0.0
        request = self.request
        if request is None or not self._request_since:
            return False
        waited = now - self._request_since
        if not request.headers_finished:
            return waited > self.patience * HEADER_SECONDS
        return _too_slow(waited, self.patience * BODY_SECONDS, request.body_bytes_received)


def close_stuck(channels: dict[int, Channel], now: float) -> None:
    """Close what is stuck; for the thread that polls the sockets."""
    for channel in [*channels.values()]:
        if channel.is_stuck(now):
            channel.handle_close()


def make_room(channels: dict[int, Channel]) -> None:
    """Close some that only wait, first those of the address that has most, so that the next are accepted."""
    waiting = [
        (since, channel) for channel in channels.values() if (since := channel.waits_since) is not None
    ]
    if waiting:
        held = Counter(channel.addr[0] for channel in channels.values())
        waiting.sort(key=lambda entry: (-held[entry[1].addr[0]], entry[0]))
        for _, channel in waiting[: max(1, len(channels) // ROOM)]:
            channel.handle_close()


def _too_slow(seconds: float, grace: float, moved: int) -> bool:
    return seconds > grace + moved / LEAST_RATE
