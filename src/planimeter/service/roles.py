"""The role that a route asks for, said where its view stands.

*read* sees, *measure* also measures, corrects, and settles how one measurement is read (its threshold, the size of its
pixels, whether it is pinned), *admin* also deletes, brings back, and changes what others will get (the defaults of
models). The line is what cannot be taken back by who did it: a kept threshold leaves what was measured as it is, and
one request goes back to it, so who measures may keep one and needs no right to delete.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

from planimeter.store.keys import Role

Needed: TypeAlias = Role | Literal["open"]
"""*open* is for anybody, also without a key."""
View = TypeVar("View", bound=Callable[..., Any])
_ATTRIBUTE = "needed_role"


def needs(role: Needed) -> Callable[[View], View]:
    """Return a decorator that says which role a view asks for."""

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, role)
        return view

    return mark


def needed_by(view: Callable[..., Any]) -> Needed | None:
    """Return the role that a view asks for; None where it does not say."""
    role: Needed | None = getattr(view, _ATTRIBUTE, None)
    return role
