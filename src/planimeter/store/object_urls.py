"""URLs of parts of object stores. Nothing secret is in one: credentials come from the environment alone."""

import re
from dataclasses import dataclass
from pathlib import Path

from planimeter.errors import StoreFailed

SCHEMES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""What is read, and the variables that most use for its credentials."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}(?!\\)")
_EXAMPLE = "An example: s3://bucket/uploads"


@dataclass(frozen=True)
class ObjectUrl:
    """A part of an object store: all objects of a bucket whose names begin with a prefix and a slash."""

    scheme: str
    bucket: str
    prefix: str
    """Without a slash at its ends; empty for all of the bucket."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    @property
    def variables(self) -> str:
        """The names of the variables with the credentials."""
        return SCHEMES[self.scheme]


def is_url(where: Path | str) -> bool:
    """Say whether a place is a URL, be it one that a path was made of, which has a slash less."""
    return _URL.match(str(where)) is not None


def parse(text: str, role: str) -> ObjectUrl:
    """Take a URL apart; raises StoreFailed, which never quotes what may be a password."""
    scheme, _, rest = text.partition(":")
    bucket, _, path = rest.lstrip("/").partition("/")
    scheme, prefix = scheme.lower(), path.strip("/")
    if scheme not in SCHEMES:
        raise StoreFailed(
            f"The {role} folder {shown(text)} cannot be used: files are kept in folders and, by s3://…, gs://… and "
            f"az://…, in object stores, not by {scheme}://. {_EXAMPLE}"
        )
    if "@" in rest or "?" in rest or "#" in rest or ":" in bucket:
        raise StoreFailed(
            f"The {role} folder {shown(text)} cannot be used: its URL holds more than a bucket and a prefix. "
            f"Credentials are taken from the environment only ({SCHEMES[scheme]}). {_EXAMPLE}"
        )
    if not bucket or (prefix and {"", ".", ".."} & {*prefix.split("/")}):
        raise StoreFailed(
            f"The {role} folder {shown(text)} cannot be used: name a bucket, and a prefix without empty parts. "
            f"{_EXAMPLE}"
        )
    return ObjectUrl(scheme, bucket, prefix)


def shown(text: str) -> str:
    """Return a URL, or what should be one, without what may be a user, a password or an option with one."""
    scheme, _, rest = text.partition(":")
    rest = rest.lstrip("/").partition("?")[0].partition("#")[0]
    return f"{scheme}://" + ("…" if "@" in rest or ":" in rest else rest)
