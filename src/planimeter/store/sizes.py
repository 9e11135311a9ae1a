"""How many bytes are stored: the files of measurements, listed or in the trash, and their records."""

from collections.abc import Mapping

import sqlalchemy as sa

from planimeter.store.files import FileNames
from planimeter.store.trashed import MEASUREMENTS, TRASHED

_BOTH = (MEASUREMENTS, TRASHED)


def stored_bytes(connection: sa.Connection) -> int:
    """Return them all. What is free inside the database's file is not in it: deleting for good counts at once."""
    of_files = (sa.select(sa.func.coalesce(sa.func.sum(table.c.stored_bytes), 0)) for table in _BOTH)
    return sum(int(connection.scalar(query) or 0) for query in of_files) + _record_bytes(connection)


def _record_bytes(connection: sa.Connection) -> int:
    if connection.dialect.name != "sqlite":
        return 0  # another machine's disk
    pages, free, size = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def unweighed(connection: sa.Connection, limit: int) -> dict[str, FileNames]:
    """Return the names of the files of some whose size is not known: those of an earlier version."""
    found: dict[str, FileNames] = {}
    for table in _BOTH:
        names = (table.c.upload_name, table.c.overlay_name, table.c.mask_name)
        query = sa.select(table.c.id, *names).where(table.c.stored_bytes.is_(None)).limit(limit)
        found |= {row[0]: FileNames(*row[1:]) for row in connection.execute(query)}
    return found


def save_sizes(connection: sa.Connection, sizes: Mapping[str, int]) -> None:
    """Save the size of files by the id of their measurement, where it is not known yet."""
    for table in _BOTH:
        change = sa.update(table).where(table.c.id == sa.bindparam("of"), table.c.stored_bytes.is_(None))
        values = [{"of": id_, "bytes": size} for id_, size in sizes.items()]
        connection.execute(change.values(stored_bytes=sa.bindparam("bytes")), values)
