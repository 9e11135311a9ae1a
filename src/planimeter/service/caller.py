"""Who sends a request, as far as that is known."""

from flask import g

from planimeter.store.keys import AccessKey


def remember_caller(key: AccessKey) -> None:
    """Remember for this request whose key it came with."""
    g.caller = key.name


def caller() -> str | None:
    """Return the name of the key that the request came with; None where nobody is asked for one."""
    name: str | None = g.get("caller")
    return name
