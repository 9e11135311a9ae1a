"""One HTTP request of ours to others: bounded in time and in what is read; it follows no redirect and uses no proxy.

A redirect would carry a key or a message to an address that nobody gave, and a proxy of the environment would get what
is meant for this machine.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from random import SystemRandom
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import quote, urlsplit

from planimeter.errors import InvalidOption, Unreachable

LONGEST_WAIT = 3600.0
"""Seconds: whoever says that we come back later than this is asked again all the same."""
PIECE = 2**20
"""Bytes of an answer that are read at once."""
_SAFE = "/%:=&?~+!$,;'@()*"
_chance = SystemRandom()


@dataclass(frozen=True)
class Address:
    """Where requests go."""

    scheme: str
    host: str
    port: int | None
    target: str
    """Path and query."""

    @property
    def shown(self) -> str:
        """What of it may be told to everybody: the path and the query of some addresses are their secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    """As much of it as was to be read."""

    @property
    def document(self) -> dict[str, Any]:
        """The object of JSON that it is; an empty one for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def said(self) -> tuple[str, str]:
        """Code and message of an error as Planimeter answers it; two empty texts for any other answer."""
        error = self.document.get("error")
        if not isinstance(error, dict):
            return "", ""
        code, message = error.get("code"), error.get("message")
        return (code, message) if isinstance(code, str) and isinstance(message, str) else ("", "")

    @property
    def retry_after(self) -> float | None:
        """In how many seconds it says to come back; None where it says nothing of that."""
        given = self.headers.get("retry-after", "").strip()
        if given.isdecimal():
            return min(float(given[:9]), LONGEST_WAIT)
        with suppress(ValueError, TypeError, OverflowError):
            moment = parsedate_to_datetime(given)
            now = datetime.now(timezone.utc if moment.tzinfo else None)
            return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)
        return None


def parse_address(url: str, what: str, *, query: bool = True) -> Address:
    """Return where an http or https URL leads; raises `InvalidOption`, which says `what` it is, and never all of it."""
    if any(not character.isprintable() or character.isspace() for character in url):
        raise InvalidOption(f"{what} has a space or a character that nobody sees in its address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host:
            host.encode("idna" if ":" not in host else "ascii")
    except ValueError as error:
        raise InvalidOption(
            f"{what} is no address ({error}); write it as https://example.org/path"
        ) from error
    if "@" in parts.netloc:
        raise InvalidOption(
            f"{what} at {host!r} has a name or a password in its address, which would be seen in lists of processes; "
            "leave it out"
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidOption(
            f"{what} is {url.partition('?')[0][:60]!r}; write an address that begins with http:// or https:// and a "
            "host"
        )
    if parts.fragment or (parts.query and not query):
        raise InvalidOption(
            f"{what} at {host!r} has a {'#' if parts.fragment else '?'} in its address; leave it out"
        )
    target = quote(parts.path, safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return Address(parts.scheme, host, port, target)


def key_headers(key: str, what: str) -> dict[str, str]:
    """Return the headers that send a key; raises `InvalidOption`, which calls it `what`, for what is none."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidOption(
            f"{what} has a character that no key has; give it as planimeter keys add showed it"
        )
    return {"Authorization": f"Bearer {key}"}


def send(
    address: Address,
    method: str,
    *,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float,
    most_bytes: int,
) -> Answer:
    """Send a request and return the answer, within so many seconds in all; raises `Unreachable` with the reason.

    `target` is another path and query than that of the address. Of the answer's body up to `most_bytes` are read.
    """
    with _asked(address, method, target, headers, body=body, seconds=seconds) as asked:
        with asked.telling():
            content = asked.response.read(most_bytes)
            asked.check()
            if len(content) < most_bytes:
                asked.check_whole()
        return Answer(asked.response.status, asked.headers, content)


@contextmanager
def receive(
    address: Address,
    method: str,
    *,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float,
) -> Iterator[tuple[Answer, Iterator[bytes]]]:
    """Send a request; yields the answer without its body, and the body piece by piece. Otherwise like `send`.

    What goes wrong with the pieces elsewhere, on a full disk for example, is raised as it is.
    """
    with _asked(address, method, target, headers, body=None, seconds=seconds) as asked:
        yield Answer(asked.response.status, asked.headers, b""), _pieces(asked)


@dataclass
class _Asked:
    """A request that was sent, and the answer that has begun."""

    address: Address
    seconds: float
    late: threading.Event
    response: http.client.HTTPResponse = field(init=False, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.response.getheaders()}

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Raise what goes wrong as `Unreachable`, with the reason."""
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            too_late = self.late.is_set() or isinstance(error, TimeoutError)
            reason = f"no answer within {self.seconds:g} s" if too_late else _reason(error)
            raise Unreachable(f"{self.address.shown} cannot be reached ({reason})") from error

    def check_whole(self) -> None:
        """Raise `IncompleteRead` where the answer ended before all had come that it said would."""
        if self.response.length:
            raise http.client.IncompleteRead(b"", self.response.length)

    def check(self) -> None:
        """Raise `TimeoutError` where the time is over: what was read then may be a part."""
        if self.late.is_set():
            raise TimeoutError


@contextmanager
def _asked(
    address: Address,
    method: str,
    target: str | None,
    headers: Mapping[str, str] | None,
    *,
    body: bytes | None,
    seconds: float,
) -> Iterator[_Asked]:
    connection = _connection(address, seconds)
    asked = _Asked(address, seconds, threading.Event())
    cut = threading.Timer(seconds, _cut, (connection, asked.late))
    cut.daemon = True
    cut.start()
    named = {"User-Agent": f"planimeter/{version('planimeter')}", "Connection": "close", **(headers or {})}
    try:
        with asked.telling():
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all
                connection.request(method, (address.target if target is None else target) or "/", body, named)
            asked.response = connection.getresponse()
        yield asked
    finally:
        cut.cancel()
        connection.close()


def _pieces(asked: _Asked) -> Iterator[bytes]:
    while True:
        with asked.telling():
            piece = asked.response.read(PIECE)
            asked.check()
            if not piece:
                asked.check_whole()
        if not piece:
            return
        yield piece


def wait_seconds(failures: int, *, most: float, least: float = 1.0) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, and a little by chance.

    By chance, so that those who failed together do not come back together.
    """
    return min(most, least * 2.0 ** min(max(failures, 1) - 1, 32)) * _chance.uniform(0.5, 1.0)


def _connection(address: Address, seconds: float) -> http.client.HTTPConnection:
    if address.scheme == "https":
        trusted = ssl.create_default_context()
        return http.client.HTTPSConnection(address.host, address.port, timeout=seconds, context=trusted)
    return http.client.HTTPConnection(address.host, address.port, timeout=seconds)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a request that trickles: the time limit of a socket begins anew with every byte."""
    late.set()
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(SHUT_RDWR)


def _reason(error: Exception) -> str:
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    return said or type(error).__name__
