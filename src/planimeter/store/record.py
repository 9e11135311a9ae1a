"""One stored measurement: as it is read, and as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from planimeter.corrections import Corrected, Figures
from planimeter.details import NOTHING_SAID, Details
from planimeter.errors import StoreFailed, UnknownMeasurement
from planimeter.measurement import Measurement, classes_found, truth_span
from planimeter.store.files import FileNames
from planimeter.store.lines import Line
from planimeter.store.tables import MeasurementRow


@dataclass(frozen=True)
class Record:
    """A stored measurement, and the names of its pictures: `Store.read` gives what is in them."""

    id: str
    created_at: datetime
    measurement: Measurement
    batch: str | None
    """The name under which pictures were sent together."""
    files: FileNames
    measured_threshold: float
    """The score threshold that the picture was measured with."""
    kept_threshold: float | None = None
    """The one that a user keeps for it instead: then `measurement` is what counts at that."""
    measured_by: str | None = None
    """The name of the key; None where nobody was asked for one."""
    pinned: bool = False
    """Whether retention leaves it alone."""
    details: Details = NOTHING_SAID
    """What a person says of it."""
    corrected: Corrected | None = None
    """What people corrected of it; `measurement` stays as measured."""

    @property
    def reviewed(self) -> bool:
        """Whether a person said that all of the picture is right."""
        return self.corrected is not None and self.corrected.reviewed

    @property
    def corrections(self) -> int:
        """How many there were."""
        return 0 if self.corrected is None else self.corrected.number

    @property
    def corrected_percent_masked(self) -> float | None:
        """After corrections; None where there were none."""
        return None if self.corrected is None else self.corrected.coverage.percent_masked

    def with_figures(self, figures: Figures) -> "Record":
        """Return the record with these figures in its measurement; where none are corrected, as measured."""
        if figures == "measured" or self.corrected is None:
            return self
        return replace(self, measurement=self.corrected.over(self.measurement))

    @property
    def region(self) -> str | None:
        """What tells the region that a user keeps from others; None without one."""
        return self.files.region

    @property
    def line(self) -> Line:
        """The same as a line of a list."""
        measurement = self.measurement
        return Line(
            id=self.id,
            created_at=self.created_at,
            filename=measurement.image.filename,
            model=measurement.model.name,
            batch=self.batch,
            lot=self.details.lot,
            sample=self.details.sample,
            operator=self.details.operator,
            percent_masked=measurement.coverage.percent_masked,
            instances=len(measurement.instances),
            score_threshold=measurement.options.score_threshold,
            measured_threshold=self.measured_threshold,
            profile=None if measurement.profile is None else measurement.profile.name,
            verdict=measurement.verdict,
            overlay_name=self.files.overlay,
            reviewed=self.reviewed,
            corrections=self.corrections,
            corrected_percent_masked=self.corrected_percent_masked,
            by_class={
                entry["class_name"]: entry["percent_masked"] for entry in class_figures_of(measurement)
            },
        )


@dataclass(frozen=True)
class Row:
    """What the database holds of one measurement."""

    columns: MeasurementRow
    document: str
    tags: Sequence[str] = ()
    corrected: str | None = None
    """As JSON, where there is one."""


def measurement_of(row: Row) -> Measurement:
    """Return the measurement of a row."""
    try:
        return Measurement.model_validate_json(row.document)
    except ValidationError as error:
        raise damaged(row.columns.id) from error


def corrected_of(row: Row) -> Corrected | None:
    """Return what was corrected of the measurement of a row."""
    if row.corrected is None:
        return None
    try:
        return Corrected.model_validate_json(row.corrected)
    except ValidationError as error:
        raise damaged(row.columns.id) from error


def record_of(row: Row) -> Record:
    """Return a row as a record; raises StoreFailed for a damaged one."""
    columns = row.columns
    return Record(
        id=columns.id,
        created_at=columns.created_at,
        measurement=measurement_of(row),
        batch=columns.batch,
        files=FileNames(columns.upload_name, columns.overlay_name, columns.mask_name),
        measured_threshold=columns.measured_threshold,
        kept_threshold=(
            columns.score_threshold if columns.score_threshold != columns.measured_threshold else None
        ),
        measured_by=columns.measured_by,
        pinned=columns.pinned,
        details=Details.model_construct(
            lot=columns.lot,
            sample=columns.sample,
            operator=columns.operator,
            note=columns.note,
            tags=tuple(row.tags),
        ),
        corrected=corrected_of(row),
    )


def damaged(id_: str) -> StoreFailed:
    """Return the error for a record that cannot be read."""
    return StoreFailed(
        f"The record of measurement {id_} is damaged, or was written by a newer Planimeter; planimeter doctor lists "
        "all such records."
    )


def figures_of(measurement: Measurement, names: FileNames) -> dict[str, Any]:
    """Return the columns that follow the score threshold."""
    coverage, span = measurement.coverage, truth_span(measurement) or (None, None)
    return {
        "percent_masked": coverage.percent_masked,
        "percent_low": span[0],
        "percent_high": span[1],
        "pixels_masked": coverage.pixels_masked,
        "pixels_counted": coverage.pixels_counted,
        "instances": len(measurement.instances),
        "score_threshold": measurement.options.score_threshold,
        "verdict": measurement.verdict,
        "overlay_name": names.overlay,
        "mask_name": names.mask,
    }


def corrected_columns(corrected: Corrected) -> dict[str, Any]:
    """Return the columns that follow corrections."""
    return {
        "corrections": corrected.number,
        "reviewed": corrected.reviewed,
        "corrected_percent_masked": corrected.coverage.percent_masked,
    }


def profile_columns(measurement: Measurement) -> dict[str, Any]:
    """Return the columns that name the profile."""
    used = measurement.profile
    return {
        "profile": None if used is None else used.name,
        "profile_version": None if used is None else used.version,
    }


def class_figures_of(measurement: Measurement) -> list[dict[str, Any]]:
    """Return the columns of each class that was found."""
    return [
        {
            "class_id": entry.class_id,
            "class_name": entry.class_name,
            "count": entry.count,
            "percent_masked": entry.percent_masked or 0.0,  # where something is found, there is one
        }
        for entry in classes_found(measurement)
    ]


def unknown(id_: str) -> UnknownMeasurement:
    """Return the error for an id that is not recorded."""
    return UnknownMeasurement(f"There is no measurement {id_[:64]!r}: it may have been deleted.")


def thrown_away(id_: str) -> UnknownMeasurement:
    """Return the error for a measurement that is in the trash."""
    return UnknownMeasurement(
        f"There is no measurement {id_!r} any more: it is in the trash, from which it can be brought back."
    )


def not_in_trash(id_: str) -> UnknownMeasurement:
    """Return the error for an id that is not in the trash."""
    return UnknownMeasurement(
        f"There is no measurement {id_[:64]!r} in the trash: it may have been brought back, or deleted for good."
    )
