"""What people reviewed, in numbers: how far measured percentages are from those that were corrected."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planimeter.store.database import Database
from planimeter.store.filters import Filter, conditions
from planimeter.store.tables import MeasurementRow


@dataclass(frozen=True)
class ReviewedPercent:
    """One reviewed measurement in numbers."""

    id: str
    created_at: datetime
    measured: float
    true: float
    """After all corrections."""
    low: float | None
    high: float | None
    """Of the interval that was stated; None where none was."""

    @property
    def unlike(self) -> bool:
        """Whether the picture was unlike those of the training: the truth could be anywhere, see `truth_span`."""
        return (self.low, self.high) == (0.0, 100.0)


@dataclass(frozen=True)
class UnreviewedPercent:
    """One measurement that nobody has reviewed, in numbers."""

    id: str
    sha256: str
    model: str
    model_sha256: str
    percent: float
    low: float | None
    high: float | None
    verdict: str | None


def reviewed_percents(
    connection: sa.Connection, wanted: Filter, *, most: int | None = None
) -> list[ReviewedPercent]:
    """Return the matching measurements that are reviewed and have a percentage, the newest first."""
    row = MeasurementRow
    query = (
        sa.select(
            row.id,
            row.created_at,
            row.percent_masked,
            row.corrected_percent_masked,
            row.percent_low,
            row.percent_high,
        )
        .where(*conditions(replace(wanted, reviewed=True)))
        .where(row.percent_masked.is_not(None), row.corrected_percent_masked.is_not(None))
        .order_by(row.id.desc())
    )
    found: Any = connection.execute(query if most is None else query.limit(most))
    return [ReviewedPercent(*entry) for entry in found]


def unreviewed_percents(connection: sa.Connection, wanted: Filter) -> list[float]:
    """Return the percentages of the matching measurements that are not reviewed."""
    query = sa.select(MeasurementRow.percent_masked).where(*conditions(replace(wanted, reviewed=False)))
    return [*connection.scalars(query.where(MeasurementRow.percent_masked.is_not(None)))]


class Reviews:
    """The reviewed measurements of a store; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def percents(self, wanted: Filter, *, most: int) -> list[ReviewedPercent]:
        """Return the newest reviewed measurements that match, in numbers."""
        with self._database.reading() as connection:
            return reviewed_percents(connection, wanted, most=most)

    def waiting(self, wanted: Filter, *, most: int) -> list[UnreviewedPercent]:
        """Return the newest matching measurements that nobody has reviewed, in numbers."""
        row = MeasurementRow
        query = (
            sa.select(
                row.id,
                row.sha256,
                row.model,
                row.model_sha256,
                row.percent_masked,
                row.percent_low,
                row.percent_high,
                row.verdict,
            )
            .where(*conditions(replace(wanted, reviewed=False)), row.percent_masked.is_not(None))
            .order_by(row.id.desc())
            .limit(most)
        )
        with self._database.reading() as connection:
            found: Any = connection.execute(query)
            return [UnreviewedPercent(*entry) for entry in found]
