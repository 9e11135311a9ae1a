"""Requests to a service: their form, how often they are tried, and what their answers mean."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from planimeter.client.errors import error_of, foreign
from planimeter.errors import KeyInUse, Unreachable
from planimeter.http_client import Answer, key_headers, parse_address, receive, send, wait_seconds

API = "/api/v1"
MOST_ANSWERED = 2**31
"""Bytes of an answer that is taken into memory."""
MOST_ERROR = 2**20
LONGEST_PAUSE = 60.0
"""Seconds between two tries; a service that asks for more is not waited for."""
_BUSY = frozenset({429, 503})
"""Answers to a request that was not worked on."""
_PROXY_FAILS = frozenset({502, 504})
"""What a proxy answers where the service behind it does not."""
Model = TypeVar("Model", bound=BaseModel)
Files = Mapping[str, tuple[str, bytes]]
"""Of a form: by field, the name of the file and its bytes."""


class Transport:
    """Sends requests to one service. May be used from several threads."""

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 300.0, retries: int = 3) -> None:
        """Take where the service is; raises `InvalidOption` for what can be no address and no key.

        `timeout` is in seconds, for one try and all of its answer. `retries` is how often a request is sent again
        that was not answered, or that the service was too busy for.
        """
        self._address = parse_address(url.rstrip("/"), "the address", query=False)
        self._timeout = timeout
        self._retries = retries
        self._headers = {"Accept": "application/json"}
        if key:
            self._headers |= key_headers(key, "the key")

    @property
    def url(self) -> str:
        """Where the service is."""
        return f"{self._address.shown}{self._address.target}"

    def read(self, kind: type[Model], method: str, path: str, **more: Any) -> Model:
        """Send a request and return its answer as a model; otherwise like `call`."""
        answer = self.call(method, path, **more)
        try:
            return kind.model_validate_json(answer.body)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise foreign(
                f"{self.url} answers what this version of Planimeter does not know as {kind.__name__} "
                f"({where}: {problem['msg']}); use the version that the service has",
                answer,
            ) from error

    def call(
        self,
        method: str,
        path: str,
        options: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        document: object = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        root: str = API,
    ) -> Answer:
        """Send a request and return its answer; raises the error that the service names, and `Unreachable`.

        Options go into the query, and with `files` into a form. What is not `repeatable` is sent again only where it
        is certain that the service did nothing.
        """
        sent, body, target = {**self._headers, **(headers or {})}, None, root + path
        if files is not None:
            body, sent["Content-Type"] = _form(_texts(options or {}), files)
        elif options:
            target += _query(options)
        if document is not None:
            body, sent["Content-Type"] = json.dumps(document).encode(), "application/json"

        def once() -> Answer:
            return send(
                self._address,
                method,
                target=self._address.target + target,
                headers=sent,
                body=body,
                seconds=self._timeout,
                most_bytes=MOST_ANSWERED,
            )

        answer = self._patiently(once, repeatable=repeatable)
        if not 200 <= answer.status < 300:
            raise error_of(self.url, answer)
        return answer

    def save(self, path: str, options: Mapping[str, Any], to: Path) -> Path:
        """Write an answer to a file as it comes: whole, or not at all. Returns `to`."""

        def once() -> Answer:
            target = f"{self._address.target}{API}{path}{_query(options)}"
            headers = {**self._headers, "Accept": "*/*"}
            with receive(
                self._address, "GET", target=target, headers=headers, seconds=self._timeout
            ) as answered:
                answer, pieces = answered
                if answer.status != 200:
                    return Answer(answer.status, answer.headers, next(pieces, b"")[:MOST_ERROR])
                with _new_file(to) as write:
                    for piece in pieces:
                        write(piece)
            return answer

        answer = self._patiently(once, repeatable=True)
        if answer.status != 200:
            raise error_of(self.url, answer)
        return to

    def _patiently(self, once: Callable[[], Answer], *, repeatable: bool) -> Answer:
        """Try until there is an answer that another try would not change, or too often."""
        for failures in count(1):
            seconds = wait_seconds(failures, most=LONGEST_PAUSE, least=0.5)
            try:
                answer = once()
            except Unreachable:
                if not repeatable or failures > self._retries:
                    raise
            else:
                if failures > self._retries or not _may_change(answer, repeatable=repeatable):
                    return answer
                seconds = max(seconds, answer.retry_after or 0.0)
                if seconds > LONGEST_PAUSE:
                    return answer
            time.sleep(seconds)
        raise AssertionError  # count has no end


def place(*parts: str) -> str:
    """Return a path of which each part is a name, whatever characters it has."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _may_change(answer: Answer, *, repeatable: bool) -> bool:
    if answer.status in _BUSY:
        return True
    code, _ = answer.said
    return repeatable and (code == KeyInUse.code or (answer.status in _PROXY_FAILS and not code))


def _query(options: Mapping[str, Any]) -> str:
    texts = _texts(options)
    return f"?{urlencode(texts, errors='replace')}" if texts else ""


def _texts(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return options as the API takes them; what is None is not given."""
    return [(name.rstrip("_"), _text(value)) for name, value in options.items() if value is not None]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, BaseModel):
        return value.model_dump_json(by_alias=True)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)


def _form(fields: Sequence[tuple[str, str]], files: Files) -> tuple[bytes, str]:
    """Return a multipart form and its content type."""
    mark = token_hex(16)
    parts = []
    for name, text in fields:
        parts.append(_head(mark, name) + b"\r\n" + text.encode("utf-8", "replace"))
    for name, (filename, data) in files.items():
        kind = b"Content-Type: application/octet-stream\r\n\r\n"
        parts.append(_head(mark, name, filename) + kind + data)
    return b"\r\n".join(parts) + f"\r\n--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def _head(mark: str, name: str, filename: str | None = None) -> bytes:
    escaped = (filename or "").replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    named = "" if filename is None else f'; filename="{escaped}"'
    return f'--{mark}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n'.encode("utf-8", "replace")


@contextmanager
def _new_file(to: Path) -> Iterator[Callable[[bytes], object]]:
    """Yield what writes to a file beside the one that is wanted, which takes its place once it is whole."""
    aside = to.with_name(f".{to.name}.{token_hex(4)}.part")
    try:
        with aside.open("xb") as file:
            yield file.write
        aside.replace(to)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
