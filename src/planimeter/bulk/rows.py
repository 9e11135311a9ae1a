"""A measurement as rows of the two tables."""

from typing import Any

from pydantic import ValidationError

from planimeter.bulk.schema import Row
from planimeter.details import Details
from planimeter.errors import PlanimeterError, StoreFailed
from planimeter.measurement import ClassCoverage, Interval, Measurement, Rle
from planimeter.measuring.candidates import exact_mask
from planimeter.measuring.counting import counted_part
from planimeter.scale import METRES, Scale, clean


def measurement_row(
    key: str, measurement: Measurement, candidates: bytes, details: Details, measured_at: int
) -> Row:
    """Return the row of a picture; `measured_at` is in milliseconds since 1970.

    Areas are in µm², so that rows can be compared, and None where it is not known how large a pixel is. What a store
    needs beside the other columns is in `document`, all of the measurement but its masks, and in `candidates`.
    """
    image, coverage, model = measurement.image, measurement.coverage, measurement.model
    used, scale = measurement.profile, measurement.image.scale
    return {
        "key": key,
        "sha256": image.sha256,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "percent_of": counted_part(measurement.options.counting),
        "percent_masked": coverage.percent_masked,
        **_between(coverage.interval),
        "interval_level": None if coverage.interval is None else coverage.interval.level,
        "pixels_masked": coverage.pixels_masked,
        "pixels_counted": coverage.pixels_counted,
        "pixels_overlapping": coverage.pixels_overlapping,
        "instances": len(measurement.instances),
        "by_class": [_class(entry, scale) for entry in coverage.by_class],
        **_pixel_size(scale),
        "area_masked_um2": _area(coverage.pixels_masked, scale),
        "instances_per_mm2": coverage.instances_per_mm2,
        "model": model.name,
        "model_version": model.version,
        "model_sha256": model.sha256,
        "runtime": model.runtime,
        "precision": model.precision,
        "device": model.device,
        "passes": model.passes,
        "score_threshold": measurement.options.score_threshold,
        "profile": None if used is None else used.name,
        "profile_version": None if used is None else used.version,
        "verdict": measurement.verdict,
        "rules": [
            {"rule": rule.words, "verdict": rule.verdict, "value": rule.value, "reason": rule.reason}
            for rule in measurement.rules
        ],
        "notes": [{"code": note.code, "message": note.message} for note in measurement.notes],
        **_said(details),
        "measured_at": measured_at,
        "ms": measurement.timing_ms.total,
        "document": _without_masks(measurement).model_dump_json(by_alias=True),
        "candidates": candidates,
    }


def error_row(
    key: str, error: PlanimeterError, sha256: str | None, details: Details, measured_at: int
) -> Row:
    """Return the row of a picture that could not be measured; `sha256` is None where it could not be read."""
    return {
        "key": key,
        "sha256": sha256,
        **_said(details),
        "error_code": error.code,
        "error": str(error).encode("utf-8", "backslashreplace").decode(),
        "measured_at": measured_at,
    }


def instance_rows(key: str, measurement: Measurement) -> list[Row]:
    """Return a row for each instance, with its exact mask."""
    scale, rows = measurement.image.scale, []
    for entry in measurement.instances:
        mask = exact_mask(entry)
        rows.append(
            {
                "key": key,
                "id": entry.id,
                "class": entry.class_name,
                "class_id": entry.class_id,
                "score": entry.score,
                "bbox": list(entry.bbox),
                "area_px": entry.area_px,
                "percent": entry.percent,
                "area_um2": _area(entry.area_px, scale),
                "rle_size": list(mask.size),
                "rle_counts": mask.counts,
            }
        )
    return rows


def measurement_in(row: Row, instances: list[Row]) -> Measurement:
    """Return the measurement of a row of its picture, and those of its instances; raises `StoreFailed`."""
    try:
        measurement = Measurement.model_validate_json(row["document"])
        masks = {each["id"]: Rle(size=each["rle_size"], counts=each["rle_counts"]) for each in instances}
        found = [entry.model_copy(update={"mask": masks.pop(entry.id)}) for entry in measurement.instances]
    except (ValidationError, KeyError) as error:
        raise StoreFailed(f"the row is damaged, or was written by a newer Planimeter: {error}") from error
    same = (
        row["sha256"] == measurement.image.sha256
        and row["percent_masked"] == measurement.coverage.percent_masked
        and row["pixels_masked"] == measurement.coverage.pixels_masked
    )
    if masks or not same:
        raise StoreFailed("the row was changed: its figures, its document and its instances do not agree")
    return measurement.model_copy(update={"instances": found})


def _without_masks(measurement: Measurement) -> Measurement:
    bare = [entry.model_copy(update={"mask": None}) for entry in measurement.instances]
    return measurement.model_copy(update={"instances": bare})


def _class(entry: ClassCoverage, scale: Scale | None) -> Row:
    return {
        "class": entry.class_name,
        "class_id": entry.class_id,
        "count": entry.count,
        "pixels_masked": entry.pixels_masked,
        "percent_masked": entry.percent_masked,
        **_between(entry.interval),
        "area_masked_um2": _area(entry.pixels_masked, scale),
    }


def _between(interval: Interval | None) -> dict[str, float | None]:
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return {"percent_low": low, "percent_high": high}


def _pixel_size(scale: Scale | None) -> dict[str, Any]:
    if scale is None:
        return {}
    factor = METRES[scale.unit] / METRES["um"]
    return {
        "pixel_width_um": clean(scale.pixel_width * factor),
        "pixel_height_um": clean(scale.pixel_height * factor),
        "pixel_size_source": scale.source,
    }


def _area(pixels: int, scale: Scale | None) -> float | None:
    return None if scale is None else scale.area_in(pixels, "um")


def _said(details: Details) -> dict[str, Any]:
    texts = {name: getattr(details, name) for name in ("lot", "sample", "operator", "note")}
    return {**texts, "tags": list(details.tags)}
