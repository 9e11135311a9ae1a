"""Who sends a request, as far as that is known."""

from flask import g

from planimeter.store.keys import AccessKey, Role


def remember_caller(key: AccessKey) -> None:
    """Remember for this request whose key it came with."""
    g.caller = key.name


def may(role: Role) -> bool:
    """Return whether who sends the request may do what needs a role; everybody may where no key is asked for."""
    key: AccessKey | None = g.get("key")
    return key is None or key.may(role)


def caller() -> str | None:
    """Return the name of the key that the request came with; None where nobody is asked for one."""
    name: str | None = g.get("caller")
    return name
