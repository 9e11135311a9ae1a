"""What others are told of a measurement: as the API gives it, without masks and instances."""

import json
from datetime import datetime
from typing import Any

from planimeter.store import Record
from planimeter.store.outbox import Kind

_TOLD = {"image", "model", "options", "coverage", "notes", "profile", "verdict", "rules"}


def write_event(kind: Kind, moment: datetime, record: Record) -> str:
    """Return an event as JSON, in the form of Standard Webhooks: type, timestamp, data."""
    event = {"type": kind, "timestamp": _written(moment), "data": measurement_data(record)}
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"))


def measurement_data(record: Record) -> dict[str, Any]:
    """Return a measurement in numbers; what can be large (masks, regions drawn as masks) is at its `url`."""
    measurement = record.measurement
    # What is of many pixels grows with the picture: a receiver of events need not bear that.
    large: dict[str, Any] = {"coverage": {"counted"}, "options": {"counting": {"region_mask"}}}
    told = measurement.model_dump(mode="json", by_alias=True, include=_TOLD, exclude=large)
    return {
        "id": record.id,
        "url": f"/api/v1/measurements/{record.id}",
        "created_at": _written(record.created_at),
        "batch": record.batch,
        **record.details.model_dump(mode="json"),
        "measured_by": record.measured_by,
        **told,
        "kept_threshold": record.kept_threshold,
        "instance_count": len(measurement.instances),
        "reviewed": record.reviewed,
        "corrections": record.corrections,
        "corrected_percent_masked": record.corrected_percent_masked,
    }


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
