"""The service that measures the pictures of a watched folder: what it is sent, and what its answers mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from planimeter.errors import (
    KeyInUse,
    NothingToCount,
    TooManyBytes,
    UndecodablePicture,
    Unreachable,
    UnsupportedPicture,
)
from planimeter.http_client import Address, Answer, key_headers, parse_address, send

API = "/api/v1"
REQUEST_SECONDS = 600.0
"""For one picture, its wait in the service's queue included."""
CHECK_SECONDS = 10.0
_MOST_ANSWERED = 64 * 2**20
_REFUSES_THE_PICTURE = frozenset({400, 409, 413, 415, 422})
_TOO_LARGE = 413
"""The one refusal that a proxy may say, in words of its own."""
_ABOUT_ONE_PICTURE = frozenset({408, 409, 500, 504})
"""Later for this picture; others may go on: it crashed, took too long, or is being worked on."""
_OF_PARTS = frozenset({UndecodablePicture.code, UnsupportedPicture.code, NothingToCount.code})
"""What may be said of a picture of which a part is still to be written, or is zeros so far."""


@dataclass(frozen=True)
class Measured:
    """A picture was measured."""

    answer: dict[str, Any]
    """As the API gives it."""

    @property
    def id(self) -> str:
        """The measurement."""
        return str(self.answer["id"])


@dataclass(frozen=True)
class Refused:
    """The service will not measure this picture, however often it is sent as it is."""

    code: str
    message: str
    status: int | None = None

    @property
    def perhaps_unfinished(self) -> bool:
        """Whether its file may only not be written to its end yet."""
        return self.code in _OF_PARTS


@dataclass(frozen=True)
class Later:
    """It may work later."""

    reason: str
    seconds: float | None = None
    """How long the service says to wait."""
    only_this: bool = False
    """Whether others can be sent meanwhile."""


Outcome = Measured | Refused | Later


class MeasuringService:
    """A running service; one request at a time."""

    def __init__(self, url: str, key: str | None) -> None:
        """Take the address and the key; raises `InvalidOption` for what can be none."""
        self._address = parse_address(url.rstrip("/"), "--service", query=False)
        self._headers = {"Accept": "application/json"}
        if key:
            self._headers |= key_headers(key, "--key")

    @property
    def shown(self) -> str:
        """Where it is."""
        return f"{self._address.shown}{self._address.target}"

    def refusal(self, model: str | None, profile: str | None) -> str | None:
        """Ask whether it would measure with these; return what speaks against it. Raises `Unreachable`."""
        paths = ["/models"] if model is None else [f"/models/{quote(model, safe='')}"]
        if profile is not None:
            paths.append(f"/profiles/{quote(profile, safe='')}")
        for path in paths:
            answer = self._send("GET", path, seconds=CHECK_SECONDS)
            if not (answer.status == 200 or answer.status >= 500 or answer.status == 429):
                return _told(self.shown, answer)
        return None

    def measure(self, data: bytes, filename: str, fields: Sequence[tuple[str, str]], key: str) -> Outcome:
        """Have a picture measured; the same `key` again measures nothing twice."""
        query = urlencode([("filename", filename), ("mask_format", "none"), *fields], errors="replace")
        headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": key}
        try:
            answer = self._send("POST", f"/measurements?{query}", headers, data, seconds=REQUEST_SECONDS)
        except Unreachable as error:
            return Later(str(error))
        return _outcome(self._address, answer)

    def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        *,
        seconds: float,
    ) -> Answer:
        return send(
            self._address,
            method,
            target=f"{self._address.target}{API}{path}",
            headers=self._headers | (headers or {}),
            body=body,
            seconds=seconds,
            most_bytes=_MOST_ANSWERED,
        )


def _outcome(address: Address, answer: Answer) -> Outcome:
    if answer.status == 201:
        found = answer.document
        if isinstance(found.get("id"), str) and isinstance(found.get("coverage"), dict):
            return Measured(found)
    code, message = answer.said
    if answer.status == _TOO_LARGE and not code:
        return Refused(TooManyBytes.code, _told(address.shown, answer), answer.status)
    if answer.status in _REFUSES_THE_PICTURE and code and code != KeyInUse.code:
        return Refused(code, message, answer.status)
    return Later(
        _told(address.shown, answer), answer.retry_after, only_this=answer.status in _ABOUT_ONE_PICTURE
    )


def _told(shown: str, answer: Answer) -> str:
    """Return the sentence for an answer that is an error, with who gave it."""
    code, message = answer.said
    if code:
        return f"{shown} answers {answer.status}: {message}"
    if 300 <= answer.status < 400 and "location" in answer.headers:
        return f"{shown} answers that it is at {answer.headers['location'][:100]!r}: give that as --service"
    return f"{shown} answers {answer.status}, and not as Planimeter does; is it the address of the service?"
