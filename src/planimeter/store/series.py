"""Many measurements as columns: when each was made, and its percent masked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from planimeter.corrections import Figures
from planimeter.store.corrected_figures import percent_of
from planimeter.store.distribution import Percents
from planimeter.store.filters import Filter, matching
from planimeter.store.tables import MeasurementRow

_CROCKFORD = np.full(128, -1, np.int64)
_CROCKFORD[np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", np.uint8)] = np.arange(32)
_TIME_CHARACTERS = 10


@dataclass(frozen=True)
class Series:
    """Many measurements as columns, oldest first."""

    ids: Sequence[str]
    percents: Percents
    verdicts: Sequence[str | None]

    def milliseconds(self) -> NDArray[np.int64]:
        """Return when each was made: the time that its id carries, in milliseconds since 1970."""
        return milliseconds_of(np.array([id_[:_TIME_CHARACTERS] for id_ in self.ids], np.bytes_))


def milliseconds_of(ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the time that each id, or at least its first 10 characters, carries, in milliseconds since 1970."""
    heads = ids.astype(f"S{_TIME_CHARACTERS}")
    digits = _CROCKFORD[heads.view(np.uint8).reshape(-1, _TIME_CHARACTERS)]
    place_values = 32 ** np.arange(_TIME_CHARACTERS - 1, -1, -1, dtype=np.int64)
    total: NDArray[np.int64] = digits @ place_values
    return total


def read_series(connection: sa.Connection, wanted: Filter, figures: Figures = "measured") -> Series:
    """Return the matching measurements; damaged ones, and those without a percentage, are left out."""
    query, id_column = matching(wanted, needs_columns=True)
    percent = percent_of(figures)
    query = query.add_columns(percent, MeasurementRow.verdict).where(percent.is_not(None))
    result = connection.execute(query.order_by(id_column))
    # As the driver gives them: a row object for each of 100,000 would take longer than the query.
    rows = result.cursor.fetchall() if result.cursor is not None else []
    try:
        percents = np.fromiter((row[1] for row in rows), np.float64, len(rows))
    except (ValueError, TypeError):  # a damaged record among them costs no more than itself
        rows = [row for row in rows if isinstance(row[1], float)]
        percents = np.array([row[1] for row in rows], np.float64)
    return Series([row[0] for row in rows], percents, [row[2] for row in rows])
