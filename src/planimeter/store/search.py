"""Which measurements match, and where each stands among them."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from planimeter.errors import CursorGone, InvalidOption
from planimeter.store.block_series import block_series
from planimeter.store.coverage import count_in, coverage
from planimeter.store.filters import EVERYTHING, Filter, matching
from planimeter.store.ids import is_id
from planimeter.store.order import NEWEST, Cursor, Order, beyond, column_of, sorting
from planimeter.store.tables import MeasurementRow


def ids(
    connection: sa.Connection,
    wanted: Filter,
    *,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    order: Order = NEWEST,
    backwards: bool = False,
) -> list[str]:
    """Return up to `limit` ids in `order`, without the first `offset`; only those that come after the id `after`.

    `backwards` those before it, the nearest first.
    """
    if limit < 1:
        raise InvalidOption(f"The limit is {limit}: ask for at least 1 measurement.")
    column = column_of(order)
    query, id_column = matching(wanted, needs_columns=column is not None)
    if after is not None:
        cursor = _cursor(connection, after, column)
        query = query.where(beyond(order, id_column, cursor, backwards=backwards))
    query = query.order_by(*sorting(order, id_column, backwards=backwards))
    return [*connection.scalars(query.limit(limit).offset(offset))]


def position(connection: sa.Connection, wanted: Filter, id_: str, order: Order) -> int | None:
    """Return the place of a measurement among those that match, from 1; None where it is none of them."""
    column = column_of(order)
    query, id_column = matching(wanted, needs_columns=column is not None)
    if connection.scalar(query.where(id_column == id_)) is None:
        return None
    cursor = _cursor(connection, id_, column)
    earlier = query.where(beyond(order, id_column, cursor, backwards=True))
    return 1 + (connection.scalar(sa.select(sa.func.count()).select_from(earlier.subquery())) or 0)


def repeated(connection: sa.Connection, wanted: Filter) -> list[str]:
    """Return the ids of matching measurements whose picture was measured again by a later one that matches too."""
    query, id_column = matching(wanted, needs_columns=True)
    newest: set[str] = set()
    found = []
    for id_, hash_ in connection.execute(query.add_columns(MeasurementRow.sha256).order_by(id_column.desc())):
        if hash_ and hash_ in newest:
            found.append(id_)
        newest.add(hash_)
    return found


def count(connection: sa.Connection, wanted: Filter = EVERYTHING) -> int:
    """Return how many match. Where a range of percent is asked for, the connection has to hold still."""
    if has_range(wanted):
        blocks = block_series(connection, replace(wanted, min_percent=None, max_percent=None))
        if blocks is not None:
            return blocks.between(wanted.min_percent, wanted.max_percent)
    if (covered := coverage(connection, wanted)) is not None:
        return count_in(connection, wanted, covered)
    query = sa.select(sa.func.count()).select_from(matching(wanted)[0].subquery())
    return connection.scalar(query) or 0


def has_range(wanted: Filter) -> bool:
    """Say whether a range of percent is asked for."""
    return wanted.min_percent is not None or wanted.max_percent is not None


def _cursor(connection: sa.Connection, id_: str, column: Any) -> Cursor:
    """Return where a measurement stands in an order; raises InvalidOption or CursorGone where that cannot be told."""
    if not is_id(id_):
        raise InvalidOption(f"The cursor {id_!r} is not the id of a measurement.")
    if column is None:
        return Cursor(id_)  # the id tells the time, also of one that was deleted
    row = connection.execute(sa.select(column).where(MeasurementRow.id == id_)).first()
    if row is None:
        raise CursorGone(f"The cursor {id_!r} was deleted: begin again at the first page.")
    return Cursor(id_, row[0])
