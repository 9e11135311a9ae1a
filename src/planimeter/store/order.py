"""In which order measurements are listed, and which come after one of them."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from planimeter.store.tables import MeasurementRow

Order = Literal[
    "-created_at",
    "created_at",
    "-percent_masked",
    "percent_masked",
    "-instances",
    "instances",
    "filename",
    "-filename",
    "model",
    "-model",
]
"""A column; with a minus it falls. What is equal there goes by time, in the same direction."""
NEWEST: Order = "-created_at"
ORDERS: tuple[Order, ...] = get_args(Order)

_COLUMNS: dict[str, Any] = {
    # Where there is none it is the least of all: what is compared with a place in an order must have a value.
    "percent_masked": sa.func.coalesce(MeasurementRow.percent_masked, -1.0),
    "instances": MeasurementRow.instances,
    "filename": MeasurementRow.folded_name,
    "model": MeasurementRow.model,
}
"""The time is that of the id."""


@dataclass(frozen=True)
class Cursor:
    """A place in an order: a measurement's id, and its value of the column that is sorted by."""

    id: str
    value: float | str | None = None


def column_of(order: Order) -> Any:
    """Return the column that is sorted by; None where that is the time."""
    return _COLUMNS.get(order.removeprefix("-"))


def sorting(
    order: Order, id_column: sa.ColumnElement[str], *, backwards: bool
) -> list[sa.ColumnElement[Any]]:
    """Return what to sort by; `backwards` turns the order round."""
    falls = order.startswith("-") != backwards
    keys = [key for key in (column_of(order), id_column) if key is not None]
    return [key.desc() if falls else key.asc() for key in keys]


def beyond(
    order: Order, id_column: sa.ColumnElement[str], cursor: Cursor, *, backwards: bool
) -> sa.ColumnElement[bool]:
    """Return the condition for what comes after `cursor`, or, `backwards`, before it."""
    column, id_ = column_of(order), sa.literal(cursor.id)
    here: Any = id_column if column is None else sa.tuple_(column, id_column)
    there: Any = id_ if column is None else sa.tuple_(sa.literal(cursor.value), id_)
    condition: sa.ColumnElement[bool] = here < there if order.startswith("-") != backwards else here > there
    return condition
