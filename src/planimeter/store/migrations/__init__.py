"""How the database comes from any earlier version to this one; run by the store itself at start."""

from pathlib import Path

import sqlalchemy as sa

_FOLDER = Path(__file__).parent
NEWEST = max(path.name[1:5] for path in (_FOLDER / "versions").glob("v[0-9]*.py"))
"""The version that the tables have here: the number in the name of the newest file."""
_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.String))


class WrittenByNewer(Exception):
    """The database has a version that is not known here."""


def upgrade(connection: sa.Connection) -> None:
    """Bring the database to the newest version, inside the transaction of `connection`; raises `WrittenByNewer`."""
    if _version(connection) == [NEWEST]:
        return
    # A fifth of a second and 10 MiB, which only a new version needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise WrittenByNewer(str(error)) from error


def _version(connection: sa.Connection) -> list[str]:
    """Return the version of a database, in a list; an empty one where it has none yet."""
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return []
    return list(connection.scalars(sa.select(_VERSIONS.c.version_num)))
