"""Lots as a list: how many measurements each has, and what its pictures come to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from planimeter.rules import VERDICTS, Verdict
from planimeter.store.folding import ContainsFolded
from planimeter.store.tables import MeasurementRow

MOST_SUMMED = 50_000
"""Measurements that are summed up for one list; a lot that does not fit in is left for its own page."""


@dataclass(frozen=True)
class ModelInList:
    """What one model measured in a lot: each picture once, as it was measured last."""

    model: str
    sha256: str
    n: int
    """Pictures that have a percentage."""
    mean_percent: float | None
    """Of these; None where there are none."""
    pictures: int
    """Those without a percentage too."""
    verdicts: Mapping[Verdict, int]
    """How many of the pictures have which verdict by the rules that they were measured by."""


@dataclass(frozen=True)
class Lot:
    """A lot in the list."""

    name: str
    measurements: int
    first: datetime
    last: datetime
    by_model: Sequence[ModelInList] | None = None
    """The model with the most pictures first; None where it is not summed up here."""


def count_lots(connection: sa.Connection, contains: str) -> int:
    """Return how many lots there are, those only whose names contain a text."""
    query = sa.select(sa.func.count(sa.distinct(MeasurementRow.lot))).where(*_named(contains))
    return connection.scalar(query) or 0


def list_lots(connection: sa.Connection, contains: str, limit: int, offset: int) -> list[Lot]:
    """Return lots, that with the newest measurement first. The connection has to hold still."""
    row = MeasurementRow
    last = sa.func.max(row.id)
    query = (
        sa.select(row.lot, sa.func.count(), sa.func.min(row.id), last)
        .where(*_named(contains))
        .group_by(row.lot)
        .order_by(last.desc())
    )
    found = connection.execute(query.limit(limit).offset(offset)).all()
    ids = [id_ for _, _, *ends in found for id_ in ends]
    query_of_ends = sa.select(row.id, row.created_at).where(row.id.in_(ids))
    moments = {end.id: end.created_at for end in connection.execute(query_of_ends)}
    lots = [Lot(name or "", count, moments[first], moments[end]) for name, count, first, end in found]
    summed = _sum_up(connection, [*_fitting(lots)])
    return [replace(lot, by_model=summed.get(lot.name)) for lot in lots]


def _named(contains: str) -> list[sa.ColumnElement[bool]]:
    lot = MeasurementRow.lot
    if not contains:
        return [lot.is_not(None)]
    names = sa.select(lot).where(lot.is_not(None)).distinct().subquery().c.lot  # each is looked at once
    return [lot.in_(sa.select(names).where(ContainsFolded(names, sa.literal(contains))))]


def _fitting(lots: Sequence[Lot]) -> Iterator[str]:
    room = MOST_SUMMED
    for lot in lots:
        if lot.measurements <= room:
            room -= lot.measurements
            yield lot.name


def _sum_up(connection: sa.Connection, names: Sequence[str]) -> dict[str, list[ModelInList]]:
    """Return what each model measured in these lots."""
    row = MeasurementRow
    picture = sa.case(
        (row.sha256 == "", row.id), else_=row.sha256
    )  # of old ones nobody knows which are the same
    model = row.lot, row.model, row.model_sha256
    newest_first = sa.func.row_number().over(partition_by=(*model, picture), order_by=row.id.desc())
    each = (
        sa.select(*model, row.percent_masked, row.verdict, newest_first.label("place"))
        .where(row.lot.in_(names))
        .subquery()
    ).c
    verdicts = [sa.func.sum(sa.case((each.verdict == verdict, 1), else_=0)) for verdict in VERDICTS]
    query = (
        sa.select(each.lot, each.model, each.model_sha256, sa.func.count(each.percent_masked))
        .add_columns(sa.func.avg(each.percent_masked), sa.func.count(), *verdicts)
        .where(each.place == 1)
        .group_by(each.lot, each.model, each.model_sha256)
        .order_by(sa.func.count(each.percent_masked).desc(), each.model, each.model_sha256)
    )
    found: defaultdict[str, list[ModelInList]] = defaultdict(list)
    for lot, name, sha256, n, mean, pictures, *counts in connection.execute(query):
        by_rules = {verdict: int(count) for verdict, count in zip(VERDICTS, counts, strict=True)}
        found[lot].append(ModelInList(name, sha256, n, mean, pictures, by_rules))
    return found
