"""Lots: which there are, and what the pictures of one sum up to, each model by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planimeter.corrections import Figures
from planimeter.errors import TooMany, UnknownLot
from planimeter.fields import FieldMean, field_mean
from planimeter.measurement import Counting
from planimeter.predicted import PredictedMean, predicted_mean
from planimeter.store import search
from planimeter.store.corrected_figures import percent_of
from planimeter.store.countings import read_countings
from planimeter.store.database import Database
from planimeter.store.filters import Filter, conditions
from planimeter.store.folding import ContainsFolded
from planimeter.store.reviews import reviewed_percents, unreviewed_percents
from planimeter.store.series import read_series
from planimeter.store.sums import Statistics, statistics
from planimeter.store.tables import MeasurementRow

MOST_REPEATS = 10_000
"""Earlier measurements of the same pictures that can be left out of one lot."""


@dataclass(frozen=True)
class Lot:
    """A lot in the list."""

    name: str
    measurements: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class ModelInLot:
    """What one model measured in a lot: each picture once, as it was measured last."""

    model: str
    sha256: str
    wanted: Filter
    """The measurements that count."""
    without_percent: int
    """Those among them that have no percentage, and are in no mean."""
    repeated: int
    """Earlier ones of the same pictures, which do not."""
    fields: FieldMean
    statistics: Statistics
    predicted: PredictedMean | None
    """The mean with what was reviewed; None where that is too little."""
    thresholds: Sequence[float]
    """The score thresholds at which they count."""
    countings: Sequence[Counting | None]
    """What counts of the newest of them."""


@dataclass(frozen=True)
class LotInSum:
    """All of one lot."""

    lot: Lot
    samples: Sequence[str]
    operators: Sequence[str]
    by_model: Sequence[ModelInLot]
    """The one with the most pictures first."""
    without_percent: int
    """Measurements that have no percentage, whichever model measured."""


_PageOfLots = list[Lot]


class Lots:
    """The lots of a store; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, contains: str = "") -> int:
        """Return how many there are, those only whose names contain a text."""
        query = sa.select(sa.func.count(sa.distinct(MeasurementRow.lot))).where(*_named(contains))
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def list(self, contains: str = "", *, limit: int = 100, offset: int = 0) -> _PageOfLots:
        """Return lots, that with the newest measurement first."""
        row = MeasurementRow
        last = sa.func.max(row.id)
        query = (
            sa.select(row.lot, sa.func.count(), sa.func.min(row.id), last)
            .where(*_named(contains))
            .group_by(row.lot)
            .order_by(last.desc())
        )
        with self._database.reading() as connection:
            found = connection.execute(query.limit(limit).offset(offset)).all()
            ids = [id_ for _, _, *ends in found for id_ in ends]
            query_of_ends = sa.select(row.id, row.created_at).where(row.id.in_(ids))
            moments = {end.id: end.created_at for end in connection.execute(query_of_ends)}
        return [
            Lot(name or "", count, moments[first], moments[end])
            for name, count, first, end in found
            if first in moments and end in moments  # else deleted meanwhile
        ]

    def get(
        self, name: str, *, limit_percent: float | None = None, figures: Figures = "measured"
    ) -> LotInSum:
        """Return all of a lot in sum; raises UnknownLot, and TooMany where too much in it is repeated."""
        wanted = Filter(lot=name)
        row = MeasurementRow
        of_lot = conditions(wanted)
        with self._database.reading() as connection:
            count = search.count(connection, wanted)
            if not count:
                raise UnknownLot(
                    f"There is no lot {name[:100]!r}: a measurement is put into one by its option lot, and capitals "
                    "make a difference."
                )
            first, last = connection.execute(
                sa.select(sa.func.min(row.created_at), sa.func.max(row.created_at)).where(*of_lot)
            ).one()
            models = connection.execute(
                sa.select(row.model, row.model_sha256)
                .distinct()
                .where(*of_lot)
                .order_by(row.model, row.model_sha256)
            ).all()
            by_model = [
                found
                for model, sha256 in models
                if (
                    found := _of_model(
                        connection, replace(wanted, model=model, model_sha256=sha256), limit_percent, figures
                    )
                )
            ]
            return LotInSum(
                lot=Lot(name, count, first, last),
                samples=_distinct(connection, row.sample, of_lot),
                operators=_distinct(connection, row.operator, of_lot),
                by_model=sorted(by_model, key=lambda found: -found.fields.n),
                without_percent=connection.scalar(
                    sa.select(sa.func.count()).where(*of_lot, percent_of(figures).is_(None))
                )
                or 0,
            )


def _named(contains: str) -> list[sa.ColumnElement[bool]]:
    lot = MeasurementRow.lot
    if not contains:
        return [lot.is_not(None)]
    names = sa.select(lot).where(lot.is_not(None)).distinct().subquery().c.lot  # each is looked at once
    return [lot.in_(sa.select(names).where(ContainsFolded(names, sa.literal(contains))))]


def _distinct(connection: sa.Connection, column: Any, of_lot: Sequence[sa.ColumnElement[bool]]) -> list[Any]:
    query = sa.select(column).distinct().where(column.is_not(None), *of_lot).order_by(column)
    return [*connection.scalars(query)]


def _of_model(
    connection: sa.Connection, wanted: Filter, limit_percent: float | None, figures: Figures
) -> ModelInLot | None:
    repeated = search.repeated(connection, wanted)
    if len(repeated) > MOST_REPEATS:
        raise TooMany(
            f"in the lot {wanted.lot!r}, {len(repeated):,} measurements are of pictures that were measured again, and "
            f"at most {MOST_REPEATS:,} can be left out; delete some of them"
        )
    counted = replace(wanted, without=tuple(repeated))
    fields = field_mean(read_series(connection, counted, figures).percents.tolist())
    if fields is None:
        return None  # its records are damaged, were deleted just now, or have no percentage
    summed = statistics(connection, counted, limit_percent=limit_percent, figures=figures)
    return ModelInLot(
        model=wanted.model or "",
        sha256=wanted.model_sha256 or "",
        wanted=counted,
        without_percent=summed.without_percent,
        repeated=len(repeated),
        fields=fields,
        statistics=summed,
        predicted=_predicted(connection, counted),
        thresholds=_distinct(connection, MeasurementRow.score_threshold, conditions(counted)),
        countings=read_countings(connection, counted),
    )


def _predicted(connection: sa.Connection, counted: Filter) -> PredictedMean | None:
    reviewed = reviewed_percents(connection, counted)
    return predicted_mean(
        [entry.true for entry in reviewed],
        [entry.measured for entry in reviewed],
        unreviewed_percents(connection, counted),
    )
