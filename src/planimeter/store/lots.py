"""Lots: which there are, and what the pictures of one sum up to, each model by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from planimeter.store.lot_list import Lot, count_lots, list_lots
from planimeter.store.reviews import reviewed_percents, unreviewed_percents
from planimeter.store.series import read_series
from planimeter.store.sums import Statistics, statistics
from planimeter.store.tables import MeasurementRow

MOST_REPEATS = 10_000
"""Earlier measurements of the same pictures that can be left out of one lot."""


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
    countings: Sequence[tuple[Counting | None, int]]
    """What counts, and of how many of them."""


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
_Means = list[tuple[str, str, FieldMean]]
"""Model, what tells it from others of its name, mean."""


class Lots:
    """The lots of a store; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, contains: str = "") -> int:
        """Return how many there are, those only whose names contain a text."""
        with self._database.reading() as connection:
            return count_lots(connection, contains)

    def list(self, contains: str = "", *, limit: int = 100, offset: int = 0) -> _PageOfLots:
        """Return lots, that with the newest measurement first."""
        with self._database.reading(still=True) as connection:
            return list_lots(connection, contains, limit, offset)

    def fields(self, wanted: Filter, *, figures: Figures = "measured") -> _Means:
        """Return the mean of the matching pictures by each model, each once, as it was measured last.

        Raises TooMany where too much is repeated.
        """
        with self._database.reading(still=True) as connection:
            found = [
                (model, sha256, _fields(connection, _once(connection, of_it), figures))
                for model, sha256 in _models(connection, conditions(wanted))
                for of_it in [replace(wanted, model=model, model_sha256=sha256)]
            ]
        return [(model, sha256, fields) for model, sha256, fields in found if fields is not None]

    def repeated_among(self, name: str, ids: Sequence[str]) -> set[str]:
        """Return those of some measurements of a lot whose picture the same model measured again later in it."""
        row = MeasurementRow
        picture = row.model, row.model_sha256, row.sha256
        those = sa.select(row.id, *picture).where(row.id.in_(ids), row.sha256 != "")
        with self._database.reading(still=True) as connection:
            hashes = {id_: tuple(rest) for id_, *rest in connection.execute(those)}
            newest = (
                sa.select(*picture, sa.func.max(row.id))
                .where(row.lot == name, row.sha256.in_({found[-1] for found in hashes.values()}))
                .group_by(*picture)
            )
            newest_of = {tuple(rest): id_ for *rest, id_ in connection.execute(newest)}
        return {id_ for id_, found in hashes.items() if newest_of.get(found, id_) != id_}

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
            by_model = [
                found
                for model, sha256 in _models(connection, of_lot)
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


def _models(connection: sa.Connection, which: Sequence[sa.ColumnElement[bool]]) -> list[tuple[str, str]]:
    """Return the models that measured something, each with what tells it from others of its name."""
    model = MeasurementRow.model, MeasurementRow.model_sha256
    found = connection.execute(sa.select(*model).distinct().where(*which).order_by(*model))
    return [(name, sha256) for name, sha256 in found]


def _distinct(connection: sa.Connection, column: Any, of_lot: Sequence[sa.ColumnElement[bool]]) -> list[Any]:
    query = sa.select(column).distinct().where(column.is_not(None), *of_lot).order_by(column)
    return [*connection.scalars(query)]


def _once(connection: sa.Connection, wanted: Filter) -> Filter:
    """Return the matching measurements of one model without those of a picture that was measured again."""
    repeated = search.repeated(connection, wanted)
    if len(repeated) > MOST_REPEATS:
        raise TooMany(
            f"in the lot {wanted.lot!r}, {len(repeated):,} measurements are of pictures that were measured again, and "
            f"at most {MOST_REPEATS:,} can be left out; delete some of them"
        )
    return replace(wanted, without=tuple(repeated))


def _fields(connection: sa.Connection, counted: Filter, figures: Figures) -> FieldMean | None:
    return field_mean(read_series(connection, counted, figures).percents.tolist())


def _of_model(
    connection: sa.Connection, wanted: Filter, limit_percent: float | None, figures: Figures
) -> ModelInLot | None:
    counted = _once(connection, wanted)
    fields = _fields(connection, counted, figures)
    if fields is None:
        return None  # its records are damaged, were deleted just now, or have no percentage
    summed = statistics(connection, counted, limit_percent=limit_percent, figures=figures)
    return ModelInLot(
        model=wanted.model or "",
        sha256=wanted.model_sha256 or "",
        wanted=counted,
        without_percent=summed.without_percent,
        repeated=len(counted.without),
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
