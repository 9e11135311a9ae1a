"""Which names this service answers to: a page of another site must not reach it under a name of its own.

That is how DNS rebinding works: a site lets its own name point to this machine, and its page is then of the "same
site". An address in numbers is no name that anybody could point elsewhere, so those are always taken.
"""

import ipaddress
import os
import socket
from collections.abc import Iterable
from functools import cache
from urllib.parse import urlsplit

from flask import request
from werkzeug.exceptions import HTTPException

from planimeter.service.context import context

_LOOPBACK = ("localhost", "ip6-localhost", "localhost.localdomain")
_COLAB = (".googleusercontent.com", ".colab.dev")


class MisdirectedRequest(HTTPException):
    """The request names a host that is not served here."""

    code = 421
    name = "Misdirected Request"


def refuse_foreign_hosts() -> None:
    """Answer 421 to a request for a host that is not this service."""
    try:
        asked = urlsplit(f"//{request.environ.get('HTTP_HOST', '')}")
        name = (asked.hostname or "").rstrip(".")
    except ValueError:  # brackets that do not close
        name = "?"
    if not is_served(name, _served()):
        raise MisdirectedRequest(
            f"this service does not answer to the name {name[:100]!r}; start it with --public-host {name[:100]}, if "
            "that is its name"
        )


def is_served(name: str, names: Iterable[str]) -> bool:
    """Say whether a host name, in lower case and without its port, is one of `names`, or ends like one with a dot.

    Addresses in numbers always are, and so is no name at all, as HTTP/1.0 sends it.
    """
    if not name or any(name == known or (known[0] == "." and name.endswith(known)) for known in names):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _served() -> tuple[str, ...]:
    parts = context()
    public = urlsplit(parts.public_url or "").hostname
    return (*_own_names(), *parts.settings.public_hosts, *([public] if public else ()), *colab_hosts())


@cache
def _own_names() -> tuple[str, ...]:
    machine = socket.gethostname().lower()
    return (*_LOOPBACK, machine, f"{machine}.local")


def in_colab() -> bool:
    """Say whether this runs in a notebook of Colab's, which shows the service's page in a frame of its own."""
    return "COLAB_RELEASE_TAG" in os.environ


def colab_hosts() -> tuple[str, ...]:
    """Return the ends of the names under which Colab shows a port of the notebook's machine."""
    return _COLAB if in_colab() else ()


def frame_ancestors() -> str:
    """Return who may show the pages in a frame: ourselves, and Colab the service of its own notebook."""
    return (
        "'self' https://colab.research.google.com https://*.googleusercontent.com" if in_colab() else "'self'"
    )
