"""Clients of object stores: what they are told, how long they wait, and what their errors mean."""

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from planimeter.errors import StoreFailed
from planimeter.store.object_urls import ObjectUrl
from planimeter.store.together import TooLong

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

SILENT_SECONDS = 4.0
"""After so long without a word a store that was asked for something, or sent something small, has failed."""
CONNECT_SECONDS = 3.0
TRANSFER_SECONDS = 60.0
"""For a whole picture."""
RETRIES = 2
"""Where it answers that it is busy, or does not let itself be reached."""
_KINDS = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_BUCKET_GONE = {"NoSuchBucket", "ContainerNotFound"}
_REFUSED = {"401", "403"}
_ELSEWHERE = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IncorrectEndpoint",
    "IllegalLocationConstraintException",
}
_METADATA = ("//169.254.", "//metadata.google.internal")
"""What the errors name where credentials were looked for and not found."""


def open_clients(url: ObjectUrl, role: str) -> tuple["ObjectStore", "ObjectStore"]:
    """Return two clients of a part of an object store: one for what is quick, and one that sends large objects.

    Credentials, the region and another address are read from the environment. Raises StoreFailed for what it cannot be.
    """
    _check_endpoint(url, role)
    quick: ClientConfig = {"read_timeout": timedelta(seconds=SILENT_SECONDS)}
    try:
        return _client(url, quick), _client(url, {})
    except Exception as error:  # noqa: BLE001 - what the environment says cannot be used, whatever that raises
        raise StoreFailed(
            f"The {role} folder {url} cannot be used with what the environment says ({type(error).__name__}): check "
            f"{url.variables}."
        ) from None


def _client(url: ObjectUrl, more: "ClientConfig") -> "ObjectStore":
    options: ClientConfig = {
        "allow_http": True,  # `_check_endpoint` says where
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=TRANSFER_SECONDS),
        **more,
    }
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=SILENT_SECONDS),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=1),
            "base": 2,
        },
    }
    kind: Any = _KINDS[url.scheme]
    made: ObjectStore = kind(
        url.bucket, prefix=url.prefix or None, client_options=options, retry_config=retries
    )
    return made


def _endpoint() -> str:
    """Return the address of a store that speaks as S3 does, where the environment names one."""
    return os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""


def _check_endpoint(url: ObjectUrl, role: str) -> None:
    if url.scheme != "s3" or not (text := _endpoint()):
        return
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise StoreFailed(
            f"The {role} folder {url} cannot be used: AWS_ENDPOINT_URL is no plain address, as https://s3.example.org."
        )
    allowed = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true", "yes"}
    if (
        parts.scheme == "http"
        and not allowed
        and host not in {"localhost", "::1"}
        and not host.startswith("127.")
    ):
        raise StoreFailed(
            f"The {role} folder {url} cannot be used: {parts.scheme}://{parts.netloc} is not encrypted. Give "
            "AWS_ENDPOINT_URL an https:// address, or set AWS_ALLOW_HTTP=true in a network that you trust."
        )


def is_bucket_gone(error: Exception) -> bool:
    """Say whether it is the bucket that is not there, and not an object in it."""
    return _code(error) in _BUCKET_GONE


def is_no_range(error: Exception) -> bool:
    """Say whether a store was asked for a range and gave something else."""
    return "non-partial" in str(error)


def reason(error: Exception, url: ObjectUrl) -> str:
    """Return what an error means and what to do, in words of ours: its own may hold a signature or a token."""
    text = str(error)
    code, status = _code(error), _found(_STATUS, text)
    said = code or status
    if code in _BUCKET_GONE or isinstance(error, FileNotFoundError):
        found = f"there is no bucket {url.bucket}. Create it, or name another."
    elif code in _ELSEWHERE or status == "301":
        found = f"the bucket {url.bucket} is in another region ({said}). Set AWS_REGION to that."
    elif any(name in text for name in _METADATA):
        found = (
            f"there are no credentials that can be used. Set {url.variables}, or give this machine a role."
        )
    elif status in _REFUSED:
        found = f"it is refused ({said}). Check {url.variables}, and that they may list, read, write and delete there."
    elif said:
        found = f"the store answers {said}. Try again, or ask those who run it."
    elif isinstance(error, OSError) and error.errno is not None:
        found = f"{error.strerror}."  # of this machine, of a temporary file
    else:
        late = isinstance(error, TooLong) or "Timeout" in text or "TimedOut" in text
        where = urlsplit(_endpoint()).netloc if url.scheme == "s3" else ""
        found = (
            f"it {'does not answer' if late else 'cannot be reached'}{f' at {where}' if where else ''}. Check its "
            "address and the network."
        )
    return found


def _code(error: Exception) -> str:
    return _found(_CODE, str(error))


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
