"""How many requests one key, or one address, may send: one client must not take the service from the others.

On this machine alone nobody is counted. The counts are in memory, and begin anew with the service.
"""

import ipaddress
import time

from flask import Flask, current_app, g, request
from flask_limiter import Limiter, RequestLimit

from planimeter.errors import TooManyRequests
from planimeter.service.access import reached_by_others
from planimeter.service.context import context
from planimeter.service.roles import needed_by

IPV6_PREFIX = 64
"""What one customer of a provider has at least: whoever has one IPv6 address has all of those."""


def register(app: Flask) -> None:
    """Make `app` count requests; after it is known who sends them, and before they are refused for it."""
    settings = app.extensions["planimeter"].settings
    if settings.limit == "none" or not reached_by_others(settings):
        return
    Limiter(
        _sender,
        app=app,
        application_limits=[settings.limit],
        application_limits_exempt_when=_is_open,
        storage_uri="memory://",
        strategy="fixed-window",
        on_breach=_refuse,
    )


def _is_open() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return view is not None and needed_by(view) == "open"


def _sender() -> str:
    key = g.get("key")
    return f"key {key.id}" if key is not None else f"address {network_of(request.remote_addr or '')}"


def network_of(address: str) -> str:
    """Return what stands for an address: itself, or the network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return (
        address if found.version == 4 else str(ipaddress.ip_network((int(found), IPV6_PREFIX), strict=False))
    )


def _refuse(breached: RequestLimit) -> None:
    """Raise what our answers of errors are made of, instead of Flask-Limiter's own."""
    seconds = max(1, int(breached.reset_at - time.time()) + 1)
    who = "this key" if g.get("key") else "your address"
    raise TooManyRequests(
        f"more than {context().settings.limit} came from {who}, the --limit of this service; try again in {seconds} s",
        retry_after=seconds,
    )
