"""Keys with which people and programs may use a service: made, listed, revoked, recognised."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, Literal, get_args

import sqlalchemy as sa

from planimeter.errors import InvalidOption
from planimeter.store.database import Database
from planimeter.store.tables import AccessKeyRow

Role = Literal["read", "measure", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""
_PREFIX = "pm"
_MOST_LETTERS = 100


@dataclass(frozen=True)
class AccessKey:
    """What is known of a key."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None

    def may(self, role: Role) -> bool:
        """Say whether the key allows what `role` is needed for."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Keys:
    """The keys in a record database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role) -> str:
        """Make a key and return it: it is not kept, and cannot be shown again."""
        if not 0 < len(name) <= _MOST_LETTERS:
            raise InvalidOption(f"the name of a key has 1 to {_MOST_LETTERS} letters, not {len(name)}")
        id_ = secrets.token_hex(4)
        key = f"{_PREFIX}_{id_}_{secrets.token_urlsafe(32)}"
        row = {
            "id": id_,
            "name": name,
            "role": role,
            "hash": _hash(key),
            "created_at": datetime.now(timezone.utc),
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(AccessKeyRow).values(row))
            connection.commit()
        return key

    def list(self) -> "list[AccessKey]":
        """Return all keys, the oldest first, revoked ones too."""
        columns = sa.select(*_COLUMNS).order_by(AccessKeyRow.created_at, AccessKeyRow.id)
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(columns)]

    def revoke(self, id_: str) -> AccessKey:
        """Make a key worthless from now on."""
        change = sa.update(AccessKeyRow).where(AccessKeyRow.id == id_, AccessKeyRow.revoked_at.is_(None))
        with self._database.writing() as connection:
            changed = connection.execute(change.values(revoked_at=datetime.now(timezone.utc))).rowcount
            connection.commit()
        if not changed:
            raise InvalidOption(
                f"there is no key {id_[:40]!r} that is not revoked yet; planimeter keys list shows all"
            )
        return next(key for key in self.list() if key.id == id_)

    def usable(self, id_: str) -> AccessKey | None:
        """Return the key with this id, unless it is revoked."""
        return next((key for key in self.list() if key.id == id_ and key.revoked_at is None), None)

    def recognise(self, key: str) -> AccessKey | None:
        """Return what is known of a key that may be used; None for any other text."""
        parts = key.split("_", 2)
        if len(parts) != 3 or parts[0] != _PREFIX:
            return None
        query = sa.select(*_COLUMNS, AccessKeyRow.hash).where(AccessKeyRow.id == parts[1])
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not hmac.compare_digest(row[-1], _hash(key)):
            return None
        found = _key(row)
        return None if found.revoked_at else found


def _key(row: Any) -> AccessKey:
    id_, name, role, created_at, revoked_at = row[:5]
    return AccessKey(id_, name, role, created_at, revoked_at)


def _hash(key: str) -> str:
    return sha256(key.encode("utf-8", "replace")).hexdigest()


_COLUMNS = (
    AccessKeyRow.id,
    AccessKeyRow.name,
    AccessKeyRow.role,
    AccessKeyRow.created_at,
    AccessKeyRow.revoked_at,
)
