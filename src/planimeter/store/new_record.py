"""A measurement as the rows that record it, prepared before the database is asked for anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from planimeter.details import Details
from planimeter.measurement import Measurement
from planimeter.store.details import details_columns, tag_rows
from planimeter.store.files import FileNames
from planimeter.store.filters import folded
from planimeter.store.record import class_figures_of, figures_of, profile_columns
from planimeter.store.tables import CandidatesRow, ClassRow, DocumentRow, MeasurementRow, TagRow

Rows: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]

# Plain inserts, each made once: what keeps objects in step with rows takes several times as long.
_MEASUREMENT = sa.insert(MeasurementRow)
_DOCUMENT = sa.insert(DocumentRow)
_CLASSES = sa.insert(ClassRow)
_CANDIDATES = sa.insert(CandidatesRow)
_TAGS = sa.insert(TagRow)


@dataclass(frozen=True)
class NewRecord:
    """What records one measurement."""

    id: str
    inserts: Sequence[tuple[sa.Insert, Rows]]
    """To be executed in this order."""


def prepare_record(
    id_: str,
    created_at: datetime,
    measurement: Measurement,
    names: FileNames,
    details: Details,
    *,
    candidates: bytes | None,
    batch: str | None,
    measured_by: str | None,
    stored_bytes: int,
) -> NewRecord:
    """Return the rows of a measurement; see `Store.add` for what each is."""
    filename = measurement.image.filename
    row = {
        "id": id_,
        "created_at": created_at,
        "model": measurement.model.name,
        "model_sha256": measurement.model.sha256,
        "batch": batch,
        **profile_columns(measurement),
        "measured_by": measured_by,
        "stored_bytes": stored_bytes,
        "measured_threshold": measurement.options.score_threshold,
        "sha256": measurement.image.sha256,
        "filename": filename,
        "folded_name": folded(filename),
        "upload_name": names.image,
        **details_columns(details),
        **figures_of(measurement, names),
    }
    document = {"measurement_id": id_, "document": measurement.model_dump_json(by_alias=True)}
    classes = [{"measurement_id": id_, **entry} for entry in class_figures_of(measurement)]
    packed = {"measurement_id": id_, "packed": candidates} if candidates is not None else None
    inserts: list[tuple[sa.Insert, Rows | None]] = [
        (_MEASUREMENT, row),
        (_DOCUMENT, document),
        (_CLASSES, classes),
        (_CANDIDATES, packed),
        (_TAGS, tag_rows(id_, details)),
    ]
    return NewRecord(id_, [(insert, rows) for insert, rows in inserts if rows])
