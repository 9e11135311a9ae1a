"""Pictures and results in buckets: the only module here that knows how they are reached.

Who may read and write is said by the environment, as for every other program: `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, or the role of the machine. None of it is ever printed.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from planimeter.errors import (
    InvalidOption,
    MissingPicture,
    PlanimeterError,
    RuntimeUnavailable,
    TooManyBytes,
    Unreachable,
)

try:
    import obstore
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
    from obstore.store import from_url
except ModuleNotFoundError as error:
    raise RuntimeUnavailable(
        "pictures in buckets need obstore: pip install '.[objects]' in the clone"
    ) from error

SCHEMES = ("s3",)
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_HERE = re.compile(r"http://(localhost|127\.[0-9.]+|\[::1\])(:\d+)?/?")
"""Addresses of this machine, which are reached without encryption; for others there is AWS_ALLOW_HTTP."""
_PATIENCE = timedelta(seconds=60)
"""For which a bucket that does not answer is asked again."""


class BucketPlace:
    """What has one prefix in a bucket; each object is written whole by the bucket itself."""

    hidden: Path | None = None

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._bucket, self._prefix = split(self.address)

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder of it."""
        start = len(self._prefix) + 1 if self._prefix else 0
        return [path[start:] for path in _paths(self._bucket, self._path(folder))]

    def read(self, name: str) -> bytes | None:
        """Return the content of an object."""
        with _reaching(f"{self.address}/{name}"):
            try:
                return bytes(obstore.get(_opened(self._bucket), self._path(name)).bytes())
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write an object."""
        with _reaching(f"{self.address}/{name}"):
            obstore.put(_opened(self._bucket), self._path(name), data)

    def remove(self, name: str) -> None:
        """Remove an object."""
        with _reaching(f"{self.address}/{name}"):
            try:
                obstore.delete(_opened(self._bucket), self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def list_keys(address: str) -> list[str]:
    """Return the addresses of all objects below an address, in the order of the alphabet; or the address of one."""
    bucket, prefix = split(address)
    found = [f"{bucket}/{path}" for path in _paths(bucket, prefix)]
    if found or not prefix or address.endswith("/"):
        return found
    return [address]


def read_object(key: str, most_bytes: int) -> bytes:
    """Return the content of an object; raises `MissingPicture`, `TooManyBytes`, and `Unreachable`."""
    bucket, path = split(key)
    with _reaching(key):
        try:
            found = obstore.get(_opened(bucket), path)
            size = int(found.meta["size"])
            if size > most_bytes:
                raise TooManyBytes(
                    f"{key} has {size:,} bytes and the limit is {most_bytes:,}; use a smaller file"
                )
            return bytes(found.bytes())
        except FileNotFoundError:
            raise MissingPicture(f"{key} is not there") from None
        except (PermissionDeniedError, UnauthenticatedError):
            raise MissingPicture(f"{key} may not be read by this user") from None


def split(address: str) -> tuple[str, str]:
    """Return the address of the bucket alone, and the path within it; raises `InvalidOption`."""
    scheme, _, rest = address.partition("://")
    bucket, _, path = rest.partition("/")
    if scheme not in SCHEMES:
        raise InvalidOption(
            f"addresses begin with {' or '.join(f'{each}://' for each in SCHEMES)}, not {scheme}://"
        )
    if "@" in bucket or ":" in bucket:
        raise InvalidOption(
            "an address has no user and no password in it; give them by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if not bucket:
        raise InvalidOption(f"{address} names no bucket; write {scheme}://bucket/folder/")
    return f"{scheme}://{bucket}", path.rstrip("/")


@lru_cache(maxsize=16)
def _opened(bucket: str) -> Any:
    here = _HERE.fullmatch(os.environ.get("AWS_ENDPOINT_URL", "")) is not None
    return from_url(
        bucket,
        client_options={"allow_http": True} if here else {},
        retry_config={"max_retries": 8, "retry_timeout": _PATIENCE},
    )


def _paths(bucket: str, folder: str) -> list[str]:
    with _reaching(f"{bucket}/{folder}"):
        pages = obstore.list(_opened(bucket), folder or None, chunk_size=1000)
        return sorted(entry["path"] for page in pages for entry in page)


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Raise `Unreachable` with the address for all that the bucket says of itself."""
    try:
        yield
    except PlanimeterError:
        raise
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise Unreachable(
            f"{address} may not be reached by this user: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
        ) from error
    except (BaseError, OSError, ValueError) as error:
        raise Unreachable(f"{address} cannot be reached: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return what went wrong in words of ours: those of the client may hold more than anybody should read."""
    found = _CODE.search(str(error)) or _STATUS.search(str(error))
    return (
        f"the store answers {found[1]}"
        if found
        else "it does not answer; check AWS_ENDPOINT_URL and the network"
    )
