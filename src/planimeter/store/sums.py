"""Many measurements in sum: totals, spread, classes, verdicts at a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from planimeter.corrections import Figures
from planimeter.rules import VERDICTS, Verdict
from planimeter.store.block_series import BlockSeries, blocks_of_figures
from planimeter.store.corrected_figures import (
    CorrectedFigures,
    corrected_figures,
    percent_of,
    uncorrected,
)
from planimeter.store.distribution import (
    Distribution,
    distribution,
    distribution_of_runs,
    histogram,
    histogram_of_runs,
)
from planimeter.store.filters import EVERYTHING, Filter, conditions
from planimeter.store.rows import classes_of
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
    figures: Figures = "measured"
    corrected: int = 0
    """How many of them have corrected figures here; the others are as measured."""


def statistics(
    connection: sa.Connection, wanted: Filter, *, limit_percent: float | None, figures: Figures = "measured"
) -> Statistics:
    """Return the sums and the spread of the matching measurements, as measured or as corrected.

    The connection has to hold still.
    """
    if (blocks := blocks_of_figures(connection, wanted, figures)) is not None:
        return _from_blocks(blocks, limit_percent, figures)
    return _from_rows(connection, wanted, limit_percent, figures)


def _from_blocks(blocks: BlockSeries, limit_percent: float | None, figures: Figures) -> Statistics:
    sums = blocks.sums
    spread = distribution_of_runs(blocks.runs)
    by_class: dict[str, tuple[int, int, float]] = {}
    by_profile = dict.fromkeys(VERDICTS, 0)
    for part in sums:
        for name, more in part.by_class.items():
            found, count, total = by_class.get(name, (0, 0, 0.0))
            by_class[name] = found + more[0], count + more[1], total + more[2]
        for verdict in VERDICTS:
            by_profile[verdict] += part.verdicts.get(verdict, 0)
    verdicts: dict[Verdict, int] | None = None
    if limit_percent is not None:
        passed, failed = blocks.judged(limit_percent)
        undecided = sum(part.count for part in sums) - passed - failed
        verdicts = {"pass": passed, "fail": failed, "undecided": undecided}
    edges, counts = histogram_of_runs(blocks.runs) if spread else ([], [])
    return Statistics(
        spread=spread,
        without_percent=sum(part.count - part.with_percent for part in sums),
        instances=sum(part.instances for part in sums),
        pixels_masked=sum(part.pixels_masked for part in sums),
        pixels_counted=sum(part.pixels_counted for part in sums),
        by_class=_by_class([(name, *row) for name, row in by_class.items()], (), max(1, blocks.count)),
        edges=edges,
        counts=counts,
        verdicts=verdicts,
        by_profile=by_profile,
        figures=figures,
    )


def _from_rows(
    connection: sa.Connection, wanted: Filter, limit_percent: float | None, figures: Figures
) -> Statistics:
    percents = read_series(connection, wanted, figures).percents
    corrected = [*corrected_figures(connection, wanted, figures)]
    everything, wanted = wanted, uncorrected(wanted, figures)
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
        by_class = by_class.select_from(MeasurementRow).join(ClassRow, classes_of(MeasurementRow.id))
    by_class = by_class.where(*conditions(wanted)).group_by(ClassRow.class_name)
    instances, masked, counted = tuple(connection.execute(sums).one())
    without = sa.select(sa.func.count()).where(*conditions(everything), percent_of(figures).is_(None))
    by_profile = _count(connection, wanted, MeasurementRow.verdict)
    verdicts = None if limit_percent is None else _judge(connection, wanted, limit_percent)
    for entry in corrected:
        if entry.verdict is not None:
            by_profile[entry.verdict] += 1
        if verdicts is not None and limit_percent is not None:
            verdicts[_at(limit_percent, entry.percent)] += 1
    totals = [(name, found, int(count), total) for name, found, count, total in connection.execute(by_class)]
    edges, counts = histogram(percents) if spread else ([], [])
    return Statistics(
        spread=spread,
        without_percent=connection.scalar(without) or 0,
        instances=int(instances) + sum(entry.instances for entry in corrected),
        pixels_masked=int(masked) + sum(entry.pixels_masked for entry in corrected),
        pixels_counted=int(counted) + sum(entry.pixels_counted for entry in corrected),
        by_class=_by_class(totals, corrected, max(1, len(percents))),
        edges=edges,
        counts=counts,
        verdicts=verdicts,
        by_profile=by_profile,
        figures=figures,
        corrected=len(corrected),
    )


def _by_class(
    measured: Sequence[tuple[str, int, int, float]], corrected: Sequence[CorrectedFigures], pictures: int
) -> list[ClassTotal]:
    """Return the classes by falling mean; `measured` has name, measurements, instances and sum of percents of each."""
    sums = {name: (found, count, total) for name, found, count, total in measured}
    for entry in corrected:
        for name, (more, percent) in entry.by_class.items():
            found, count, total = sums.get(name, (0, 0, 0.0))
            sums[name] = found + 1, count + more, total + percent
    ordered = sorted(sums.items(), key=lambda item: (-item[1][2], item[0]))
    return [ClassTotal(name, found, count, total / pictures) for name, (found, count, total) in ordered]


def _at(limit: float, percent: float | None) -> Verdict:
    """Return the verdict of what a person corrected: there is no interval."""
    if percent is None:
        return "undecided"
    return "pass" if percent <= limit else "fail"


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
