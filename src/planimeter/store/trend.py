"""How the percent masked went over time, and how it is spread: read from the narrow columns alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import sqlalchemy as sa
import sqlalchemy.orm
from numpy.typing import NDArray

from planimeter.measurement import Verdict
from planimeter.store.distribution import Distribution, Percents, distribution, histogram, outliers
from planimeter.store.filters import (
    EVERYTHING,
    Filter,
    class_names,
    conditions,
    id_conditions,
    matching,
    plain_conditions,
)
from planimeter.store.ids import first_id_at
from planimeter.store.tables import ClassRow, MeasurementRow

FEW = 200
"""Up to so many measurements are given one by one."""
MOST_OUTLIERS = 200
_WIDTHS = (
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
_CROCKFORD = np.full(128, -1, np.int64)
_CROCKFORD[np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", np.uint8)] = np.arange(32)
_TIME_CHARACTERS = 10


@dataclass(frozen=True)
class Point:
    """One measurement in a chart."""

    id: str
    created_at: datetime
    filename: str
    percent_masked: float
    by_class: Mapping[str, float] = field(default_factory=dict)
    """Only the classes found."""


@dataclass(frozen=True)
class Bucket:
    """The measurements of a stretch of time; `until` is not included."""

    since: datetime
    until: datetime
    spread: Distribution
    by_class: Mapping[str, float] = field(default_factory=dict)
    """Mean over all measurements of the bucket, those without the class counted as 0."""


@dataclass(frozen=True)
class Trend:
    """The percent masked over time."""

    spread: Distribution | None
    """Of all measurements; None where there are none."""
    buckets: Sequence[Bucket]
    """Oldest first; stretches without a measurement have none."""
    bucket_seconds: int
    points: Sequence[Point]
    """Every measurement, oldest first, where they are at most `FEW`; else none."""
    outliers: Sequence[Point]
    """Outside Tukey's fences, the farthest first, at most `MOST_OUTLIERS`."""
    outlier_count: int
    classes: Sequence[str]
    """Names of the classes found, by falling mean."""


@dataclass(frozen=True)
class ClassTotal:
    """One class over many measurements."""

    name: str
    measurements: int
    instances: int
    mean_percent: float
    """Over all measurements, those without the class counted as 0."""


@dataclass(frozen=True)
class Statistics:
    """Many measurements in sum."""

    spread: Distribution | None
    instances: int
    pixels_masked: int
    pixels_counted: int
    by_class: Sequence[ClassTotal]
    edges: Sequence[float]
    counts: Sequence[int]
    verdicts: Mapping[Verdict, int] | None
    """How many pass, fail or are undecided at the limit; None without one."""


@dataclass(frozen=True)
class _Series:
    """Many measurements as columns, oldest first."""

    ids: Sequence[str]
    percents: Percents

    def milliseconds(self) -> NDArray[np.int64]:
        """Return when each was made: the time that its id carries, in milliseconds since 1970."""
        heads = np.array([id_[:_TIME_CHARACTERS] for id_ in self.ids], f"S{_TIME_CHARACTERS}")
        digits = _CROCKFORD[heads.view(np.uint8).reshape(-1, _TIME_CHARACTERS)]
        place_values = 32 ** np.arange(_TIME_CHARACTERS - 1, -1, -1, dtype=np.int64)
        total: NDArray[np.int64] = digits @ place_values
        return total


def trend(connection: sa.Connection, wanted: Filter, *, most_buckets: int) -> Trend:
    """Return how the percent masked of the matching measurements went over time."""
    series = _series(connection, wanted)
    spread = distribution(series.percents)
    far = outliers(series.percents)
    shown = [series.ids[index] for index in far[:MOST_OUTLIERS]]
    if spread is None:
        return Trend(None, (), _WIDTHS[0], (), (), 0, ())
    moments = series.milliseconds()
    width = _bucket_width(int(moments[0]), int(moments[-1]), most_buckets)
    starts, firsts = np.unique(_bucket_starts(moments, width), return_index=True)
    totals = _class_sums(connection, wanted, starts, width)
    means = {name: float(sums.sum()) / spread.count for name, sums in totals.items()}
    return Trend(
        spread=spread,
        buckets=[*_buckets(series, starts, firsts, width, totals)],
        bucket_seconds=width // 1000,
        points=_points(connection, series.ids) if spread.count <= FEW else (),
        outliers=_points(connection, shown),
        outlier_count=len(far),
        classes=sorted(means, key=lambda name: -means[name]),
    )


def statistics(connection: sa.Connection, wanted: Filter, *, limit_percent: float | None) -> Statistics:
    """Return the sums and the spread of the matching measurements."""
    percents = _series(connection, wanted).percents
    spread = distribution(percents)
    sums = sa.select(
        *(
            sa.func.coalesce(sa.func.sum(column), 0)
            for column in (
                MeasurementRow.instances,
                MeasurementRow.pixels_masked,
                MeasurementRow.pixels_counted,
            )
        )
    ).where(*conditions(wanted))
    total = sa.func.sum(ClassRow.percent_masked)
    by_class = sa.select(ClassRow.class_name, sa.func.count(), sa.func.sum(ClassRow.count), total)
    if wanted != EVERYTHING:
        by_class = by_class.join(MeasurementRow, MeasurementRow.id == ClassRow.measurement_id)
    by_class = by_class.where(*conditions(wanted)).group_by(ClassRow.class_name)
    instances, masked, counted = tuple(connection.execute(sums).one())
    edges, counts = histogram(percents) if spread else ([], [])
    return Statistics(
        spread=spread,
        instances=int(instances),
        pixels_masked=int(masked),
        pixels_counted=int(counted),
        by_class=[
            ClassTotal(name, found, int(count), percent / max(1, len(percents)))
            for name, found, count, percent in connection.execute(by_class.order_by(total.desc()))
        ],
        edges=edges,
        counts=counts,
        verdicts=None if limit_percent is None else _judge(connection, wanted, limit_percent),
    )


def _judge(connection: sa.Connection, wanted: Filter, limit_percent: float) -> dict[Verdict, int]:
    """Count the verdicts that `planimeter.measurement.judge` gives."""
    row = MeasurementRow
    undecided = sa.and_(row.percent_low <= limit_percent, limit_percent < row.percent_high)
    verdict = sa.case((undecided, "undecided"), (row.percent_masked <= limit_percent, "pass"), else_="fail")
    query = sa.select(verdict, sa.func.count()).where(*conditions(wanted)).group_by(verdict)
    counts: dict[Verdict, int] = {"pass": 0, "fail": 0, "undecided": 0}
    counts.update((name, int(count)) for name, count in connection.execute(query))
    return counts


def _series(connection: sa.Connection, wanted: Filter) -> _Series:
    query, id_column = matching(wanted, needs_columns=True)
    query = query.add_columns(MeasurementRow.percent_masked)
    result = connection.execute(query.order_by(id_column))
    # As the driver gives them: a row object for each of 100,000 would take longer than the query.
    rows = result.cursor.fetchall() if result.cursor is not None else []
    try:
        percents = np.fromiter((row[1] for row in rows), np.float64, len(rows))
    except (ValueError, TypeError):  # a damaged record among them costs no more than itself
        rows = [row for row in rows if isinstance(row[1], float)]
        percents = np.array([row[1] for row in rows], np.float64)
    return _Series([row[0] for row in rows], percents)


def _bucket_width(first: int, last: int, most: int) -> int:
    """Return the milliseconds of the shortest bucket of which at most `most` reach from `first` to `last`."""
    fitting = (1000 * seconds for seconds in _WIDTHS if (last - first) / (1000 * seconds) < most - 1)
    return next(fitting, 1000 * _WIDTHS[-1])


def _bucket_starts(moments: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    origin = _MONDAY_MS if width % (7 * 86_400_000) == 0 else 0
    starts: NDArray[np.int64] = (moments - origin) // width * width + origin
    return starts


def _buckets(
    series: _Series,
    starts: NDArray[np.int64],
    firsts: NDArray[np.intp],
    width: int,
    totals: Mapping[str, Percents],
) -> Iterator[Bucket]:
    ends = [*firsts[1:].tolist(), len(series.ids)]
    for index, (start, first, end) in enumerate(zip(starts.tolist(), firsts.tolist(), ends, strict=True)):
        spread = distribution(series.percents[first:end])
        if spread is not None:
            by_class = {
                name: float(sums[index]) / spread.count for name, sums in totals.items() if sums[index]
            }
            yield Bucket(_moment(start), _moment(start + width), spread, by_class)


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _class_sums(
    connection: sa.Connection, wanted: Filter, starts: NDArray[np.int64], width: int
) -> dict[str, Percents]:
    """Return for each class found the sum of its percents in each bucket."""
    ranges = sa.union_all(
        *(
            sa.select(
                sa.literal(index).label("bucket"),
                sa.literal(first_id_at(_moment(start))).label("low"),
                sa.literal(first_id_at(_moment(start + width))).label("high"),
            )
            for index, start in enumerate(starts.tolist())
        )
    ).cte("ranges")
    sums: dict[str, Percents] = {}
    for query in _class_queries(connection, wanted, ranges):
        for index, name, total in connection.execute(query):
            sums.setdefault(name, np.zeros(len(starts)))[index] = total
    return sums


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
    # Not the bare column: SQLite would conclude that the classes lie in the range too, and begin with them.
    query = query.join(ClassRow, ClassRow.measurement_id == first.concat(""))
    return [query.where(*plain).group_by(bucket, ClassRow.class_name)]


def _points(connection: sa.Connection, ids: Sequence[str]) -> list[Point]:
    """Return the measurements with these ids, in their order."""
    columns = (
        MeasurementRow.id,
        MeasurementRow.created_at,
        MeasurementRow.filename,
        MeasurementRow.percent_masked,
    )
    found = {row.id: row for row in connection.execute(sa.select(*columns).where(MeasurementRow.id.in_(ids)))}
    by_class: dict[str, dict[str, float]] = {}
    classes = sa.select(ClassRow.measurement_id, ClassRow.class_name, ClassRow.percent_masked)
    for id_, name, percent in connection.execute(classes.where(ClassRow.measurement_id.in_(ids))):
        by_class.setdefault(id_, {})[name] = percent
    return [
        Point(row.id, row.created_at, row.filename, row.percent_masked, by_class.get(row.id, {}))
        for row in (found[id_] for id_ in ids if id_ in found)
    ]
