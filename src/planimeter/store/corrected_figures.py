"""The figures of what was corrected, in place of those that were measured, for sums over many."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from planimeter.corrections import Figures
from planimeter.rules import Verdict
from planimeter.store.filters import Filter, conditions
from planimeter.store.record import damaged
from planimeter.store.tables import CorrectedRow, MeasurementRow

_AT_ONCE = 50
"""Documents in memory: each may have many masks."""


@dataclass(frozen=True)
class CorrectedFigures:
    """What the corrections of one measurement come to, in numbers."""

    id: str
    percent: float | None
    pixels_masked: int
    pixels_counted: int
    instances: int
    verdict: Verdict | None
    by_class: Mapping[str, tuple[int, float]]
    """Count and percent of each class that is there."""


def percent_of(figures: Figures) -> sa.ColumnElement[float | None]:
    """Return the percentage, as measured or, of what was corrected, as corrected."""
    row = MeasurementRow
    if figures == "measured":
        return sa.type_coerce(row.percent_masked, sa.Float())
    return sa.case((row.corrections > 0, row.corrected_percent_masked), else_=row.percent_masked)


def corrected_figures(
    connection: sa.Connection, wanted: Filter, figures: Figures
) -> Iterator[CorrectedFigures]:
    """Yield the corrected figures of those that match and were corrected, oldest first; none as measured."""
    if figures == "measured":
        return
    query = (
        sa.select(CorrectedRow.measurement_id, CorrectedRow.document)
        .join(MeasurementRow, MeasurementRow.id == CorrectedRow.measurement_id)
        .where(*conditions(replace(wanted, corrected=True)))
        .order_by(CorrectedRow.measurement_id)
    )
    for id_, document in connection.execution_options(yield_per=_AT_ONCE).execute(query):
        yield _read(id_, document)


def uncorrected(wanted: Filter, figures: Figures) -> Filter:
    """Return which of those that match are summed up as measured."""
    return wanted if figures == "measured" else replace(wanted, corrected=False)


def _read(id_: str, document: str) -> CorrectedFigures:
    try:
        found: dict[str, Any] = json.loads(document)
        coverage = found["coverage"]
        return CorrectedFigures(
            id=id_,
            percent=coverage["percent_masked"],
            pixels_masked=coverage["pixels_masked"],
            pixels_counted=coverage["pixels_counted"],
            instances=len(found["instances"]),
            verdict=found["verdict"],
            by_class={
                entry["class"]: (entry["count"], entry["percent_masked"] or 0.0)
                for entry in coverage["by_class"]
                if entry["count"]
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(id_) from error
