"""Profiles by their names, in all their versions: a version that was made stays, also when its profile is deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from planimeter.errors import ProfileChanged, UnknownProfile
from planimeter.store.database import Database
from planimeter.store.tables import ProfileRow, ProfileVersionRow


@dataclass(frozen=True)
class StoredProfile:
    """One version of a profile."""

    name: str
    version: int
    document: str
    """As JSON."""
    sha256: str
    made_at: datetime
    made_by: str | None
    """The name of the key; None where nobody was asked for one."""
    current: bool
    """Whether pictures are measured by it now."""


_Listed = list[StoredProfile]


class Profiles:
    """The profiles of a store; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, name: str, document: str, sha256: str, *, after: int | None = None, by: str | None = None
    ) -> StoredProfile:
        """Let a profile say this from now on, in a new version unless it says so already; return that version.

        `after` is the version that the one who says so has seen, 0 where there was no such profile: where it is another
        one now, `ProfileChanged` is raised.
        """
        row = ProfileVersionRow
        with self._database.writing(locked=True) as connection:
            found = _current(connection, name)
            if found is not None and found.sha256 == sha256:
                return found
            if after is not None:
                _refuse_other(name, after, found)
            last = connection.scalar(sa.select(sa.func.max(row.version)).where(row.name == name)) or 0
            made = StoredProfile(
                name, last + 1, document, sha256, datetime.now(timezone.utc), by, current=True
            )
            columns = {column.key: getattr(made, column.key) for column in _COLUMNS}
            connection.execute(sa.insert(row), columns)
            connection.execute(sa.delete(ProfileRow).where(ProfileRow.name == name))
            connection.execute(sa.insert(ProfileRow), {"name": name, "version": last + 1})
            connection.commit()
        return made

    def get(self, name: str, version: int | None = None) -> StoredProfile:
        """Return a profile as it is, or one of its versions, also of one that was deleted; raises UnknownProfile."""
        versions = self.versions(name)
        if version is None:
            found = next((entry for entry in versions if entry.current), None)
            if found is None:
                raise _unknown(name, deleted=bool(versions))
            return found
        wanted = next((entry for entry in versions if entry.version == version), None)
        if wanted is None:
            if not versions:
                raise _unknown(name, deleted=False)
            raise UnknownProfile(
                f"The profile {name!r} has no version {version}: its last one is {versions[0].version}."
            )
        return wanted

    def list(self) -> _Listed:
        """Return all profiles as they are, in the order of the alphabet."""
        with self._database.reading() as connection:
            return [_profile(row) for row in connection.execute(_CURRENT.order_by(ProfileRow.name))]

    def versions(self, name: str) -> Sequence[StoredProfile]:
        """Return all versions of a profile, the last one first; none for a name that never was."""
        row = ProfileVersionRow
        query = (
            sa.select(*_COLUMNS, ProfileRow.name.is_not(None))
            .outerjoin(ProfileRow, sa.and_(ProfileRow.name == row.name, ProfileRow.version == row.version))
            .where(row.name == name)
            .order_by(row.version.desc())
        )
        with self._database.reading() as connection:
            return [_profile(found) for found in connection.execute(query)]

    def delete(self, name: str) -> None:
        """Let nobody measure by a profile any more; raises UnknownProfile. What it said stays readable by version."""
        with self._database.writing() as connection:
            found = connection.execute(sa.delete(ProfileRow).where(ProfileRow.name == name)).rowcount
            connection.commit()
        if not found:
            raise _unknown(name, deleted=bool(self.versions(name)))


_COLUMNS: tuple[Any, ...] = (
    ProfileVersionRow.name,
    ProfileVersionRow.version,
    ProfileVersionRow.document,
    ProfileVersionRow.sha256,
    ProfileVersionRow.made_at,
    ProfileVersionRow.made_by,
)
_CURRENT = sa.select(*_COLUMNS, sa.true()).join(
    ProfileRow,
    sa.and_(ProfileRow.name == ProfileVersionRow.name, ProfileRow.version == ProfileVersionRow.version),
)


def _current(connection: sa.Connection, name: str) -> StoredProfile | None:
    row = connection.execute(_CURRENT.where(ProfileRow.name == name)).one_or_none()
    return None if row is None else _profile(row)


def _refuse_other(name: str, after: int, now: StoredProfile | None) -> None:
    """Raise `ProfileChanged` where a profile is not in the version that was seen; 0 is none."""
    if (now.version if now else 0) == after:
        return
    if now is None:
        raise ProfileChanged(
            f"there is no profile {name!r} now, and this change was made from its version {after}"
        )
    if not after:
        raise ProfileChanged(f"there is a profile {name!r} already, in version {now.version}")
    by = f", which {now.made_by} saved" if now.made_by else ""
    raise ProfileChanged(
        f"the profile {name!r} is in version {now.version} now{by}, and this change was made from version {after}"
    )


def _profile(row: Any) -> StoredProfile:
    name, version, document, sha256, made_at, made_by, current = row
    return StoredProfile(name, version, document, sha256, made_at, made_by, bool(current))


def _unknown(name: str, *, deleted: bool) -> UnknownProfile:
    shown = name if len(name) <= 64 else f"{name[:64]}…"
    if deleted:
        return UnknownProfile(
            f"There is no profile {shown!r} any more: it was deleted. Its versions can still be read."
        )
    return UnknownProfile(f"There is no profile {shown!r}; GET /api/v1/profiles lists those that there are.")
