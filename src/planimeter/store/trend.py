"""How the percent masked went over time: read from the narrow columns alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from planimeter.corrections import Figures
from planimeter.store.buckets import WIDTHS, bucket_starts, bucket_width, class_sums, moment
from planimeter.store.corrected_figures import (
    CorrectedFigures,
    corrected_figures,
    percent_of,
    uncorrected,
)
from planimeter.store.distribution import Distribution, Percents, distribution, outliers
from planimeter.store.filters import Filter, conditions
from planimeter.store.series import Series, read_series
from planimeter.store.tables import ClassRow, MeasurementRow

FEW = 200
"""Up to so many measurements are given one by one."""
MOST_OUTLIERS = 200


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
    without_percent: int
    """How many have no percentage, and are in nothing else here."""
    figures: Figures = "measured"


def trend(
    connection: sa.Connection, wanted: Filter, *, most_buckets: int, figures: Figures = "measured"
) -> Trend:
    """Return how the percent masked of the matching measurements went over time, as measured or as corrected."""
    series = read_series(connection, wanted, figures)
    spread = distribution(series.percents)
    far = outliers(series.percents)
    shown = [series.ids[index] for index in far[:MOST_OUTLIERS]]
    none = sa.select(sa.func.count()).where(*conditions(wanted), percent_of(figures).is_(None))
    without = connection.scalar(none) or 0
    if spread is None:
        return Trend(None, (), WIDTHS[0], (), (), 0, (), without, figures)
    moments = series.milliseconds()
    width = bucket_width(int(moments[0]), int(moments[-1]), most_buckets)
    starts, firsts = np.unique(bucket_starts(moments, width), return_index=True)
    totals = class_sums(connection, uncorrected(wanted, figures), starts, width)
    corrected = {entry.id: entry for entry in corrected_figures(connection, wanted, figures)}
    _add_classes(
        totals, series, corrected, np.searchsorted(starts, bucket_starts(moments, width)), len(starts)
    )
    means = {name: float(sums.sum()) / spread.count for name, sums in totals.items()}
    return Trend(
        spread=spread,
        buckets=[*_buckets(series, starts, firsts, width, totals)],
        bucket_seconds=width // 1000,
        points=_points(connection, series.ids, corrected) if spread.count <= FEW else (),
        outliers=_points(connection, shown, corrected),
        outlier_count=len(far),
        classes=sorted(means, key=lambda name: -means[name]),
        without_percent=without,
        figures=figures,
    )


def _add_classes(
    totals: dict[str, Percents],
    series: Series,
    corrected: Mapping[str, CorrectedFigures],
    buckets: NDArray[np.intp],
    count: int,
) -> None:
    """Add the classes of what was corrected to the sums of each of so many buckets; `buckets` is that of each entry."""
    for index, id_ in enumerate(series.ids) if corrected else ():
        entry = corrected.get(id_)
        for name, (_, percent) in entry.by_class.items() if entry is not None else ():
            totals.setdefault(name, np.zeros(count))[buckets[index]] += percent


def _buckets(
    series: Series,
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
            yield Bucket(moment(start), moment(start + width), spread, by_class)


def _points(
    connection: sa.Connection, ids: Sequence[str], corrected: Mapping[str, CorrectedFigures]
) -> list[Point]:
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
    percents = {id_: row.percent_masked for id_, row in found.items()}
    for id_, entry in corrected.items():
        if id_ in found:
            percents[id_] = entry.percent
            by_class[id_] = {name: percent for name, (_, percent) in entry.by_class.items()}
    return [
        Point(row.id, row.created_at, row.filename, percents[row.id], by_class.get(row.id, {}))
        for row in (found[id_] for id_ in ids if id_ in found)
    ]
