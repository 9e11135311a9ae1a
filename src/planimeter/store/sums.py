"""Many measurements in sum: totals, spread, classes, verdicts at a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from planimeter.rules import VERDICTS, Verdict
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
    by_profile: Mapping[Verdict, int]
    """How many have which verdict by the rules that they were measured by."""


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
            for name, found, count, percent in connection.execute(
                by_class.order_by(total.desc(), ClassRow.class_name)
            )
        ],
        edges=edges,
        counts=counts,
        verdicts=None if limit_percent is None else _judge(connection, wanted, limit_percent),
        by_profile=_count(connection, wanted, MeasurementRow.verdict),
    )


def _judge(connection: sa.Connection, wanted: Filter, limit_percent: float) -> dict[Verdict, int]:
    """Count the verdicts that `planimeter.rules.decide` gives."""
    row = MeasurementRow
    low = sa.func.coalesce(row.percent_low, row.percent_masked)
    high = sa.func.coalesce(row.percent_high, row.percent_masked)
    verdict = sa.case((high <= limit_percent, "pass"), (low > limit_percent, "fail"), else_="undecided")
    return _count(connection, wanted, verdict)


def _count(connection: sa.Connection, wanted: Filter, verdict: Any) -> dict[Verdict, int]:
    """Return how many of the matching measurements have each verdict; those that have none are left out."""
    each = sa.select(verdict.label("decided")).where(*conditions(wanted)).subquery()
    query = sa.select(each.c.decided, sa.func.count()).group_by(each.c.decided)
    found: dict[Any, int] = {name: int(count) for name, count in connection.execute(query)}
    return {name: found.get(name, 0) for name in VERDICTS}
