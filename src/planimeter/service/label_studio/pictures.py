"""The pictures of tasks: in the task itself, or at the one Label Studio that the operator of the service named."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from planimeter.errors import InvalidOption, MissingPicture, TooManyBytes, Unreachable
from planimeter.http_client import Address, Answer, parse_address, send
from planimeter.service.deadline import Deadline
from planimeter.service.problems import too_many_bytes
from planimeter.service.uploads import from_base64
from planimeter.settings import Settings

TOKEN = "PLANIMETER_LABEL_STUDIO_TOKEN"  # noqa: S105  the name of a variable
OPTION = "--label-studio-url"
_FILES = re.compile(r"^/(data/upload/|data/local-files/?\?|storage-data/uploaded/?\?)")
"""Where Label Studio gives pictures; nothing else of it is ever asked for."""
_CLOUD = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_JWT_DOTS = 2


@dataclass(frozen=True)
class LabelStudio:
    """The Label Studio whose pictures are fetched."""

    address: Address
    token: str | None

    def fetch(self, target: str, deadline: Deadline, max_bytes: int) -> bytes:
        """Return what is at a path of it; raises `MissingPicture`, `TooManyBytes` and `Unreachable`."""
        answer = self._send(target, self._headers(deadline), deadline, max_bytes + 1)
        if len(answer.body) > max_bytes:
            raise TooManyBytes(too_many_bytes(max_bytes))
        if answer.status == 200:
            return answer.body
        shown = f"{self.address.shown} answers {answer.status} for the picture of the task"
        if answer.status in {401, 403}:
            raise MissingPicture(f"{shown}: put a token of a user that may see the project into {TOKEN}")
        if 300 <= answer.status < 400:
            raise MissingPicture(
                f"{shown}, which is elsewhere, and redirects are not followed; turn off 'Use pre-signed URLs' in the "
                "settings of the project's storage"
            )
        raise MissingPicture(shown)

    def _headers(self, deadline: Deadline) -> dict[str, str]:
        """Return the header that a token needs: one of the older kind itself, a newer one is exchanged."""
        if self.token is None:
            return {}
        if self.token.count(".") != _JWT_DOTS:
            return {"Authorization": f"Token {self.token}"}
        asked = f'{{"refresh": "{self.token}"}}'.encode()
        headers = {"Content-Type": "application/json"}
        answer = self._send("/api/token/refresh/", headers, deadline, 2**16, body=asked)
        found = re.search(rb'"access"\s*:\s*"([^"\\]+)"', answer.body)
        if answer.status != 200 or found is None:
            raise MissingPicture(
                f"{self.address.shown} answers {answer.status} to the token in {TOKEN}: it is not one of its own"
            )
        return {"Authorization": f"Bearer {found[1].decode()}"}

    def _send(
        self,
        target: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        most_bytes: int,
        *,
        body: bytes | None = None,
    ) -> Answer:
        return send(
            self.address,
            "GET" if body is None else "POST",
            target=self.address.target.rstrip("/") + target,
            headers=headers,
            body=body,
            seconds=max(deadline.left, 0.01),
            most_bytes=most_bytes,
        )


def label_studio_of(settings: Settings, environ: Mapping[str, str]) -> LabelStudio | None:
    """Return the Label Studio that the operator named; raises `InvalidOption` for what can be none."""
    if not settings.label_studio_url:
        return None
    token = (environ.get(TOKEN) or "").strip()
    if not token.isascii() or not token.isprintable() or any(mark in token for mark in ' "\\'):
        raise InvalidOption(f"{TOKEN} has a character that no token has; copy it from Account & Settings")
    return LabelStudio(parse_address(settings.label_studio_url, OPTION, query=False), token or None)


def picture_of(
    stated: object, task: object, studio: LabelStudio | None, deadline: Deadline, max_bytes: int
) -> tuple[bytes, str]:
    """Return the bytes and the name of a task's picture; raises what says why there is none.

    Only a data: URL and the files of the one Label Studio are taken: whoever may send a task must not be able to have
    this service ask others for anything.
    """
    if not isinstance(stated, str) or not stated:
        raise MissingPicture(
            "the task's data names no picture where the labelling configuration says that it is"
        )
    if stated.startswith("data:"):
        return from_base64(stated, max_bytes), "picture"
    if studio is None:
        raise InvalidOption(
            f"the picture is at {stated[:80]!r}; start the service with {OPTION} http://…, the address of your Label "
            "Studio, so that it is fetched from there, and from nowhere else"
        )
    target = _target(stated, task, studio)
    try:
        return studio.fetch(target, deadline, max_bytes), _name(stated)
    except Unreachable as error:
        raise MissingPicture(f"the picture of the task cannot be fetched: {error}") from error


def _target(stated: str, task: object, studio: LabelStudio) -> str:
    """Return the path of Label Studio's where a picture is; raises `InvalidOption` for any other address."""
    try:
        stated.encode()
    except UnicodeEncodeError as error:  # JSON can hold half of a character
        raise InvalidOption(
            f"the picture is at {stated[:80]!r}, which is no address ({error.reason})"
        ) from None
    if _CLOUD.match(stated) and not stated.lower().startswith(("http:", "https:")):
        if not isinstance(task, int) or isinstance(task, bool):
            raise InvalidOption(
                f"the picture is at {stated[:80]!r}, and the task has no id by which it is found"
            )
        return f"/tasks/{task}/resolve/?fileuri={base64.urlsafe_b64encode(stated.encode()).decode()}"
    path = stated
    if not stated.startswith("/"):
        there, base = parse_address(stated, "the picture of the task"), studio.address
        own = (base.scheme, base.host, base.port or _port(base)) == (
            there.scheme,
            there.host,
            there.port or _port(there),
        )
        if not own or not there.target.startswith(base.target.rstrip("/")):
            raise InvalidOption(
                f"the picture is at {there.shown}, and pictures are fetched from {base.shown} alone, which {OPTION} "
                "names; add it to Label Studio as a file or from a storage"
            )
        path = there.target[len(base.target.rstrip("/")) :]
    path = quote(path, safe="/%:=&?~+!$,;'@()*")
    if not _FILES.match(path) or ".." in unquote(unquote(path)).split("?")[0].split("/"):
        raise InvalidOption(
            f"the picture is at {stated[:80]!r}, and Label Studio has its files at /data/upload/…, "
            "/data/local-files/?d=… and /storage-data/uploaded/?filepath=…"
        )
    return path


def _port(address: Address) -> int:
    return 443 if address.scheme == "https" else 80


def _name(stated: str) -> str:
    """Return the name of a file, as it was before it was uploaded."""
    parts = urlsplit(stated)
    path = parts.path if not parts.query else parts.query.rpartition("=")[2]
    name = re.sub(r"^[0-9a-f]{8}-", "", unquote(path).rstrip("/").rpartition("/")[2])
    return name[:255] or "picture"
