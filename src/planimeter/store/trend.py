"""How the percent masked went over time: read from the narrow columns alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from planimeter.corrections import Figures
from planimeter.rules import VERDICTS, Verdict
from planimeter.store.block_series import BlockSeries, blocks_of_figures
from planimeter.store.buckets import WIDTHS, bucket_starts, bucket_width, class_sums, moment
from planimeter.store.corrected_figures import (
    CorrectedFigures,
    corrected_figures,
    percent_of,
    uncorrected,
)
from planimeter.store.distribution import Distribution, Percents, distribution, distribution_of_runs, outliers
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
    verdict: Verdict | None = None
    """By the rules that it was measured by."""


@dataclass(frozen=True)
class Bucket:
    """The measurements of a stretch of time; `until` is not included."""

    since: datetime
    until: datetime
    spread: Distribution
    by_class: Mapping[str, float] = field(default_factory=dict)
    """Mean over all measurements of the bucket, those without the class counted as 0."""
    verdicts: Mapping[Verdict, int] = field(default_factory=dict)
    """How many have which verdict by the rules that they were measured by; those that nobody has are left out."""


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


@dataclass(frozen=True)
class _Found:
    """What a trend is made of, wherever it was read."""

    width: int
    """Milliseconds of a stretch."""
    starts: Sequence[int]
    """Of stretches, in milliseconds since 1970."""
    spreads: Sequence[Distribution | None]
    """None where ids are damaged, which tell the time."""
    totals: Mapping[str, Percents]
    """The sums of the percents of each class, by stretches."""
    verdicts: Sequence[Mapping[str, int]]
    """How many have which verdict, by stretches."""
    outliers: Sequence[str]
    """Ids."""
    outlier_count: int
    ids: Sequence[str] = ()
    """Of all, where they are few."""
    corrected: Mapping[str, CorrectedFigures] = field(default_factory=dict)


def trend(
    connection: sa.Connection, wanted: Filter, *, most_buckets: int, figures: Figures = "measured"
) -> Trend:
    """Return how the percent masked of the matching measurements went over time, as measured or as corrected.

    The connection has to hold still.
    """
    if (blocks := blocks_of_figures(connection, wanted, figures)) is not None and blocks.count > FEW:
        spread = distribution_of_runs(blocks.runs)
        found = _from_blocks(blocks, spread, most_buckets) if spread else None
        without = sum(sums.count - sums.with_percent for sums in blocks.sums)
    else:
        series = read_series(connection, wanted, figures)
        spread = distribution(series.percents)
        found = _from_rows(connection, wanted, series, most_buckets, figures) if spread else None
        none = sa.select(sa.func.count()).where(*conditions(wanted), percent_of(figures).is_(None))
        without = connection.scalar(none) or 0
    if spread is None or found is None:
        return Trend(None, (), WIDTHS[0], (), (), 0, (), without, figures)
    means = {name: float(sums.sum()) / spread.count for name, sums in found.totals.items()}
    return Trend(
        spread=spread,
        buckets=[*_buckets(found)],
        bucket_seconds=found.width // 1000,
        points=_points(connection, found.ids, found.corrected),
        outliers=_points(connection, found.outliers, found.corrected),
        outlier_count=found.outlier_count,
        classes=sorted(means, key=lambda name: (-means[name], name)),
        without_percent=without,
        figures=figures,
    )


def _from_blocks(blocks: BlockSeries, spread: Distribution, most_buckets: int) -> _Found:
    width = bucket_width(*blocks.ends(), most_buckets)
    every = sorted(blocks.stretches(width).items())
    stretches = [
        (start, stretch, own)
        for start, stretch in every
        if stretch.runs and (own := distribution_of_runs(stretch.runs)) is not None
    ]
    outlier_count, far = blocks.outside(*spread.fences, MOST_OUTLIERS)
    names = {name for _, stretch, _ in stretches for name in stretch.totals}
    return _Found(
        width,
        [start for start, _, _ in stretches],
        [own for _, _, own in stretches],
        {name: np.array([stretch.totals[name] for _, stretch, _ in stretches]) for name in sorted(names)},
        [stretch.verdicts for _, stretch, _ in stretches],
        far,
        outlier_count,
    )


def _from_rows(
    connection: sa.Connection, wanted: Filter, series: Series, most_buckets: int, figures: Figures
) -> _Found:
    far = outliers(series.percents)
    moments = series.milliseconds()
    width = bucket_width(int(moments[0]), int(moments[-1]), most_buckets)
    starts, firsts = np.unique(bucket_starts(moments, width), return_index=True)
    totals = class_sums(connection, uncorrected(wanted, figures), starts, width)
    corrected = {entry.id: entry for entry in corrected_figures(connection, wanted, figures)}
    buckets = np.searchsorted(starts, bucket_starts(moments, width))
    _add_classes(totals, series, corrected, buckets, len(starts))
    ends = [*firsts[1:].tolist(), len(series.ids)]
    spreads = [
        distribution(series.percents[first:end]) for first, end in zip(firsts.tolist(), ends, strict=True)
    ]
    return _Found(
        width,
        starts.tolist(),
        spreads,
        totals,
        _verdicts(series, corrected, buckets, len(starts)),
        [series.ids[index] for index in far[:MOST_OUTLIERS]],
        len(far),
        series.ids if len(series.ids) <= FEW else (),
        corrected,
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


def _verdicts(
    series: Series, corrected: Mapping[str, CorrectedFigures], buckets: NDArray[np.intp], count: int
) -> list[dict[str, int]]:
    """Return how many have which verdict in each of so many buckets; `buckets` is that of each entry."""
    found: list[dict[str, int]] = [{} for _ in range(count)]
    said = series.verdicts
    if corrected:
        every = zip(series.ids, said, strict=True)
        said = [corrected[id_].verdict if id_ in corrected else verdict for id_, verdict in every]
    if any(said):
        names = np.array([verdict or "" for verdict in said])
        for verdict in VERDICTS:
            for index, those in enumerate(np.bincount(buckets[names == verdict], minlength=count).tolist()):
                if those:
                    found[index][verdict] = those
    return found


def _buckets(found: _Found) -> Iterator[Bucket]:
    for index, (start, spread) in enumerate(zip(found.starts, found.spreads, strict=True)):
        if spread is not None:
            by_class = {
                name: float(sums[index]) / spread.count for name, sums in found.totals.items() if sums[index]
            }
            verdicts = {name: count for name in VERDICTS if (count := found.verdicts[index].get(name))}
            yield Bucket(moment(start), moment(start + found.width), spread, by_class, verdicts)


def _points(
    connection: sa.Connection, ids: Sequence[str], corrected: Mapping[str, CorrectedFigures]
) -> list[Point]:
    """Return the measurements with these ids, in their order."""
    if not ids:
        return []
    columns = (
        MeasurementRow.id,
        MeasurementRow.created_at,
        MeasurementRow.filename,
        MeasurementRow.percent_masked,
        MeasurementRow.verdict,
    )
    found = {row.id: row for row in connection.execute(sa.select(*columns).where(MeasurementRow.id.in_(ids)))}
    by_class: dict[str, dict[str, float]] = {}
    classes = sa.select(ClassRow.measurement_id, ClassRow.class_name, ClassRow.percent_masked)
    for id_, name, percent in connection.execute(classes.where(ClassRow.measurement_id.in_(ids))):
        by_class.setdefault(id_, {})[name] = percent
    figures = {id_: (row.percent_masked, row.verdict) for id_, row in found.items()}
    for id_, entry in corrected.items():
        if id_ in found:
            figures[id_] = entry.percent, entry.verdict
            by_class[id_] = {name: percent for name, (_, percent) in entry.by_class.items()}
    return [
        Point(row.id, row.created_at, row.filename, percent, by_class.get(row.id, {}), verdict)
        for row, (percent, verdict) in ((found[id_], figures[id_]) for id_ in ids if id_ in found)
    ]
