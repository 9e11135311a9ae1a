"""Measurements as lines of a list: what the columns tell, without their documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from planimeter.store.ids import time_of
from planimeter.store.tables import ClassRow, MeasurementRow

_COLUMNS = (
    MeasurementRow.id,
    MeasurementRow.filename,
    MeasurementRow.model,
    MeasurementRow.batch,
    MeasurementRow.percent_masked,
    MeasurementRow.instances,
    MeasurementRow.score_threshold,
    MeasurementRow.measured_threshold,
)


@dataclass(frozen=True)
class Line:
    """One measurement."""

    id: str
    filename: str
    model: str
    batch: str | None
    percent_masked: float
    instances: int
    score_threshold: float
    measured_threshold: float
    by_class: Mapping[str, float]
    """Percent masked of each class found."""

    @property
    def created_at(self) -> datetime:
        """When it was measured."""
        return time_of(self.id)

    @property
    def kept_threshold(self) -> float | None:
        """The score threshold that a user keeps for it, where there is one."""
        return None if self.score_threshold == self.measured_threshold else self.score_threshold


def read_lines(connection: sa.Connection, ids: Sequence[str]) -> list[Line]:
    """Return the lines of `ids` in their order, without those that are gone meanwhile."""
    found = {
        row.id: row for row in connection.execute(sa.select(*_COLUMNS).where(MeasurementRow.id.in_(ids)))
    }
    by_class: dict[str, dict[str, float]] = {}
    classes = sa.select(ClassRow.measurement_id, ClassRow.class_name, ClassRow.percent_masked)
    for id_, name, percent in connection.execute(classes.where(ClassRow.measurement_id.in_(ids))):
        by_class.setdefault(id_, {})[name] = percent
    return [Line(*found[id_], by_class.get(id_, {})) for id_ in ids if id_ in found]
