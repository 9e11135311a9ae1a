"""Many measurements in sum: totals, spread, classes, verdicts at a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from planimeter.measurement import Verdict
from planimeter.store.distribution import Distribution, distribution, histogram
from planimeter.store.filters import EVERYTHING, Filter, conditions
from planimeter.store.series import read_series
from planimeter.store.tables import ClassRow, MeasurementRow


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
    """Of those that have a percentage."""
    without_percent: int
    """How many have none: nothing was found of the class that it would be of."""
    instances: int
    pixels_masked: int
    pixels_counted: int
    by_class: Sequence[ClassTotal]
    edges: Sequence[float]
    counts: Sequence[int]
    verdicts: Mapping[Verdict, int] | None
    """How many pass, fail or are undecided at the limit; None without one."""


def statistics(connection: sa.Connection, wanted: Filter, *, limit_percent: float | None) -> Statistics:
    """Return the sums and the spread of the matching measurements."""
    percents = read_series(connection, wanted).percents
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
    without = sa.select(sa.func.count()).where(*conditions(wanted), MeasurementRow.percent_masked.is_(None))
    edges, counts = histogram(percents) if spread else ([], [])
    return Statistics(
        spread=spread,
        without_percent=connection.scalar(without) or 0,
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
    open_ = sa.and_(row.percent_low <= limit_percent, limit_percent < row.percent_high)
    undecided = sa.or_(row.percent_masked.is_(None), open_)
    verdict = sa.case((undecided, "undecided"), (row.percent_masked <= limit_percent, "pass"), else_="fail")
    query = sa.select(verdict, sa.func.count()).where(*conditions(wanted)).group_by(verdict)
    counts: dict[Verdict, int] = {"pass": 0, "fail": 0, "undecided": 0}
    counts.update((name, int(count)) for name, count in connection.execute(query))
    return counts
