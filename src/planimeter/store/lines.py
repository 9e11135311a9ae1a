"""Measurements as lines of a list: what the columns tell, without their documents."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planimeter.rules import Verdict
from planimeter.store.files import region_in
from planimeter.store.tables import ClassRow, MeasurementRow

_COLUMNS: tuple[Any, ...] = (
    MeasurementRow.id,
    MeasurementRow.created_at,
    MeasurementRow.filename,
    MeasurementRow.model,
    MeasurementRow.batch,
    MeasurementRow.lot,
    MeasurementRow.sample,
    MeasurementRow.operator,
    MeasurementRow.percent_masked,
    MeasurementRow.instances,
    MeasurementRow.score_threshold,
    MeasurementRow.measured_threshold,
    MeasurementRow.profile,
    MeasurementRow.verdict,
    MeasurementRow.overlay_name,
    MeasurementRow.reviewed,
    MeasurementRow.corrections,
    MeasurementRow.corrected_percent_masked,
)


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """One measurement."""

    id: str
    created_at: datetime
    filename: str
    model: str
    batch: str | None
    lot: str | None
    sample: str | None
    operator: str | None
    percent_masked: float | None
    instances: int
    score_threshold: float
    measured_threshold: float
    profile: str | None
    verdict: Verdict | None
    overlay_name: str
    reviewed: bool
    corrections: int
    corrected_percent_masked: float | None
    by_class: Mapping[str, float]
    """Percent masked of each class found."""

    @property
    def region(self) -> str | None:
        """What tells the region that a user keeps from others; None without one."""
        return region_in(self.overlay_name)

    @property
    def kept_threshold(self) -> float | None:
        """The score threshold that a user keeps for it, where there is one."""
        return None if self.score_threshold == self.measured_threshold else self.score_threshold


def read_lines(connection: sa.Connection, ids: Sequence[str]) -> list[Line]:
    """Return the lines of `ids` in their order, without those that are gone meanwhile, or damaged."""
    try:
        rows = connection.execute(sa.select(*_COLUMNS).where(MeasurementRow.id.in_(ids))).all()
    except (ValueError, TypeError):  # a value that its column cannot have, in one of the rows
        if len(ids) == 1:
            _log.warning("left out: the record of measurement %s is damaged", ids[0])
            return []
        return [line for id_ in ids for line in read_lines(connection, [id_])]
    found: dict[str, Any] = {row.id: row for row in rows if isinstance(row.percent_masked, float | None)}
    by_class: dict[str, dict[str, float]] = {}
    classes = sa.select(ClassRow.measurement_id, ClassRow.class_name, ClassRow.percent_masked)
    for id_, name, percent in connection.execute(classes.where(ClassRow.measurement_id.in_(ids))):
        by_class.setdefault(id_, {})[name] = percent
    return [Line(**found[id_]._asdict(), by_class=by_class.get(id_, {})) for id_ in ids if id_ in found]
