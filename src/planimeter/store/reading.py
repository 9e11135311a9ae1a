"""Reading what is stored: one measurement, pages of them, all of them, and what they sum up to."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planimeter.corrections import Figures
from planimeter.errors import StoreFailed
from planimeter.measurement import Measurement
from planimeter.store import search
from planimeter.store.database import Database
from planimeter.store.filters import EVERYTHING, Filter, class_names, distinct
from planimeter.store.lines import Line, read_lines
from planimeter.store.order import NEWEST, Order
from planimeter.store.record import Record, Row, measurement_of, record_of
from planimeter.store.records import Records
from planimeter.store.requests import RequestKey, known
from planimeter.store.sums import Statistics, statistics
from planimeter.store.tables import MeasurementRow
from planimeter.store.thresholds import saved_thresholds
from planimeter.store.trend import Trend, trend

_log = logging.getLogger(__name__)
AT_ONCE = 100
"""Measurements read or deleted together: their documents fit in memory, whatever is in them."""
_PageOfNames = list[str]
_PageOfLines = list[Line]
_PageOfRecords = list[Record]  # inside the class, `list` is the method


@dataclass(frozen=True)
class Around:
    """Where a measurement stands among those that match, and its neighbours, each side in the order asked for."""

    position: int | None
    """From 1; None where it is none of them itself."""
    count: int
    earlier: Sequence[Line]
    later: Sequence[Line]


class Reading:
    """What can be asked of a store; from any thread."""

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records

    def get(self, id_: str) -> Record:
        """Return a measurement; raises UnknownMeasurement."""
        return record_of(self._records.find(id_))

    def list(
        self,
        wanted: Filter = EVERYTHING,
        *,
        limit: int = 50,
        before: str | None = None,
        order: Order = NEWEST,
    ) -> _PageOfRecords:
        """Return up to `limit` measurements, newest first or in another order.

        For the next page, `before` is the last one's id.
        """
        found: _PageOfRecords = []
        portion = limit
        while ids := self._matching(wanted, limit=portion, after=before, order=order):
            found += self._records_of(ids)
            if len(found) >= limit or len(ids) < portion:
                break
            before, portion = ids[-1], max(AT_ONCE, limit - len(found))  # in place of damaged ones
        return found[:limit]

    def walk(
        self, wanted: Filter = EVERYTHING, *, before: str | None = None, order: Order = NEWEST
    ) -> Iterator[Record]:
        """Yield measurements in `order`, a few in memory at a time; what is deleted meanwhile is left out."""
        while ids := self._matching(wanted, limit=AT_ONCE, after=before, order=order):
            yield from self._records_of(ids)
            before = ids[-1]

    def lines(
        self, wanted: Filter = EVERYTHING, *, limit: int, offset: int = 0, order: Order = NEWEST
    ) -> _PageOfLines:
        """Return up to `limit` measurements as lines of a list, after the first `offset`."""
        with self._database.reading() as connection:
            return read_lines(
                connection, search.ids(connection, wanted, limit=limit, offset=offset, order=order)
            )

    def around(self, id_: str, wanted: Filter, order: Order, *, reach: int) -> Around:
        """Return where a measurement stands among those that match, and up to `reach` on each side of it."""
        with self._database.reading(still=search.has_range(wanted)) as connection:
            earlier = search.ids(connection, wanted, limit=reach, after=id_, order=order, backwards=True)[
                ::-1
            ]
            later = search.ids(connection, wanted, limit=reach, after=id_, order=order)
            return Around(
                position=search.position(connection, wanted, id_, order),
                count=search.count(connection, wanted),
                earlier=read_lines(connection, earlier),
                later=read_lines(connection, later),
            )

    def repeated(self, wanted: Filter = EVERYTHING) -> _PageOfNames:
        """Return the ids of matching measurements whose picture was measured again by a later one that matches too."""
        with self._database.reading() as connection:
            return search.repeated(connection, wanted)

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """Return how many measurements there are."""
        with self._database.reading(still=search.has_range(wanted)) as connection:
            return search.count(connection, wanted)

    def trend(
        self, wanted: Filter = EVERYTHING, *, most_buckets: int = 60, figures: Figures = "measured"
    ) -> Trend:
        """Return how the percent masked went over time, in at most so many buckets of a round duration."""
        with self._database.reading(still=True) as connection:
            return trend(connection, wanted, most_buckets=most_buckets, figures=figures)

    def statistics(
        self,
        wanted: Filter = EVERYTHING,
        *,
        limit_percent: float | None = None,
        figures: Figures = "measured",
    ) -> Statistics:
        """Return sums and spread; with a limit, also how many are above it."""
        with self._database.reading(still=True) as connection:
            return statistics(connection, wanted, limit_percent=limit_percent, figures=figures)

    def models(self) -> _PageOfNames:
        """Return the names of the models that measured what is stored."""
        with self._database.reading() as connection:
            return distinct(connection, MeasurementRow.model)

    def classes(self) -> _PageOfNames:
        """Return the names of the classes that were found, alphabetically."""
        with self._database.reading() as connection:
            return class_names(connection)

    def candidates(self, id_: str) -> bytes | None:
        """Return what `add` was given; None for a measurement from before it was kept."""
        return self._records.candidates(id_)

    def measured_by_profiles(self) -> _PageOfNames:
        """Return the names of the profiles by which something was measured, alphabetically."""
        with self._database.reading() as connection:
            return distinct(connection, MeasurementRow.profile)

    def thresholds(self) -> dict[str, float]:
        """Return the score thresholds that were saved as defaults, by the name of the model."""
        with self._database.reading() as connection:
            return saved_thresholds(connection)

    def asked_before(self, request: RequestKey) -> Record | None:
        """Return the measurement that this request made; raises `KeyReused` where another had its key."""
        id_ = self._records.asked_before(request)
        return None if id_ is None else self.get(id_)

    def known_requests(self, keys: Sequence[str]) -> set[str]:
        """Return those of a few keys of requests that made a measurement which is here, and not in the trash."""
        with self._database.reading() as connection:
            return known(connection, keys)

    def kept(self, id_: str) -> tuple[float | None, str | None]:
        """Return the score threshold that a user keeps for a measurement, and what tells the region; None as measured.

        Raises UnknownMeasurement, and StoreFailed for a damaged record.
        """
        with self._database.reading() as connection:
            lines = read_lines(connection, [id_])
        entry = lines[0] if lines else self.get(id_)
        return entry.kept_threshold, entry.region

    def kept_threshold(self, id_: str) -> float | None:
        """Return the first of `kept`."""
        return self.kept(id_)[0]

    def measured(self, id_: str) -> Measurement:
        """Return a measurement as it was made, whatever is kept for it; raises UnknownMeasurement."""
        return measurement_of(self._records.document(id_))

    def _readable(self, rows: Sequence[Row]) -> _PageOfRecords:
        """Return the records of rows; one that is damaged costs no more than itself, and is told in the log."""
        found = []
        for row in rows:
            try:
                found.append(record_of(row))
            except StoreFailed as error:
                _log.warning("left out: %s", error)
        return found

    def _matching(
        self, wanted: Filter, *, limit: int, after: str | None = None, order: Order = NEWEST
    ) -> _PageOfNames:
        with self._database.reading() as connection:
            return search.ids(connection, wanted, limit=limit, after=after, order=order)

    def _records_of(self, ids: Sequence[str]) -> _PageOfRecords:
        return self._readable(self._records.rows(ids))
