"""Stretches of time of a round duration, and the sums of each class in them."""

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import sqlalchemy as sa
import sqlalchemy.orm
from numpy.typing import NDArray

from planimeter.store.distribution import Percents
from planimeter.store.filters import Filter, class_names, id_conditions, plain_conditions
from planimeter.store.ids import first_id_at
from planimeter.store.rows import classes_of
from planimeter.store.tables import ClassRow, MeasurementRow

WIDTHS = (
    60,
    300,
    900,
    3600,
    10800,
    21600,
    43200,
    86400,
    172800,
    604800,
    1209600,
    2592000,
    7776000,
    31536000,
)
"""Seconds that a bucket may last: a minute, 5, 15, an hour, 3, 6, 12, a day, 2, a week, 2, 30 days, 90, a year."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MONDAY_MS = 4 * 86_400_000
"""The epoch was a Thursday: buckets of weeks begin on Mondays."""


def bucket_width(first: int, last: int, most: int) -> int:
    """Return the milliseconds of the shortest bucket of which at most `most` reach from `first` to `last`.

    Only their minutes matter, in which every bucket begins.
    """
    span = 60_000 * (last // 60_000 - first // 60_000)
    fitting = (1000 * seconds for seconds in WIDTHS if span / (1000 * seconds) < most - 1)
    return next(fitting, 1000 * WIDTHS[-1])


def bucket_starts(moments: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return when the bucket of each moment begins, in milliseconds; those of weeks begin on Mondays."""
    origin = _MONDAY_MS if width % (7 * 86_400_000) == 0 else 0
    starts: NDArray[np.int64] = (moments - origin) // width * width + origin
    return starts


def moment(milliseconds: int) -> datetime:
    """Return the moment so many milliseconds after 1970 began, in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def class_sums(
    connection: sa.Connection, wanted: Filter, starts: NDArray[np.int64], width: int
) -> dict[str, Percents]:
    """Return for each class found the sum of its percents in each bucket."""
    sums: dict[str, Percents] = {}
    for query in _class_queries(connection, wanted, _ranges(starts, width)):
        for index, name, total in connection.execute(query):
            sums.setdefault(name, np.zeros(len(starts)))[index] = total
    return sums


def _ranges(starts: NDArray[np.int64], width: int) -> sa.CTE:
    """Return the buckets as a table: number, and the ids between which it lies."""
    return sa.union_all(
        *(
            sa.select(
                sa.literal(index).label("bucket"),
                sa.literal(first_id_at(moment(start))).label("low"),
                sa.literal(first_id_at(moment(start + width))).label("high"),
            )
            for index, start in enumerate(starts.tolist())
        )
    ).cte("ranges")


def _class_queries(connection: sa.Connection, wanted: Filter, ranges: sa.CTE) -> list[sa.Select[Any]]:
    """Return queries for bucket, class and sum of percents.

    The buckets come first, then what narrows down most, then the classes of each measurement found: the table of
    classes is the largest. Where nothing but the time is asked for, each class is read from its index alone.
    """
    bucket, total = ranges.c.bucket, sa.func.sum(ClassRow.percent_masked)
    plain = plain_conditions(wanted)

    def inside(id_column: sa.ColumnElement[str]) -> list[sa.ColumnElement[bool]]:
        within = [id_column >= ranges.c.low, id_column < ranges.c.high]
        return [*within, *id_conditions(wanted, id_column)]

    if wanted.class_name is None and not plain and wanted.ids is None:
        own = sa.type_coerce(ClassRow.measurement_id, sa.String())
        return [
            sa.select(bucket, sa.literal(name), total)
            .select_from(ranges)
            .join(ClassRow, sa.and_(ClassRow.class_name == name, *inside(own)))
            .group_by(bucket)
            for name in class_names(connection)
        ]
    query = sa.select(bucket, ClassRow.class_name, total).select_from(ranges)
    if wanted.class_name is None:
        first = sa.type_coerce(MeasurementRow.id, sa.String())
        query = query.join(MeasurementRow, sa.and_(*inside(first)))
    else:
        other = sa.orm.aliased(ClassRow)
        first = sa.type_coerce(other.measurement_id, sa.String())
        query = query.join(other, sa.and_(other.class_name == wanted.class_name, *inside(first)))
        if plain:
            query = query.join(MeasurementRow, MeasurementRow.id == first)
    query = query.join(ClassRow, classes_of(first))
    return [query.where(*plain).group_by(bucket, ClassRow.class_name)]
