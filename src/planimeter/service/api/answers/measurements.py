"""Measurements as they are answered: whole, in a list, and their instances in numbers."""

from dataclasses import asdict
from typing import Any

from pydantic import Field

from planimeter.corrections import Corrected, Figures
from planimeter.masks.rle import rle_window
from planimeter.masks.shapes import measure_shape
from planimeter.measurement import (
    Coverage,
    ImageInfo,
    Instance,
    MaskFormat,
    ModelInfo,
    Note,
    Options,
    ProfileUsed,
    RuleResult,
    Timing,
)
from planimeter.measuring.candidates import exact_mask
from planimeter.measuring.coverage import with_mask_format
from planimeter.rules import Verdict
from planimeter.scale import Scale
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.service.links import links_of
from planimeter.store import Record


class ImageAnswer(ImageInfo):
    """The picture, and where it can be had as it was uploaded."""

    url: Link


class _Head(Answer):
    id: str = Field(description="ULID: sorts by time.")
    created_at: Moment
    batch: str | None = Field(description="The name under which pictures were sent together.")
    lot: str | None = Field(description="What a person says of the picture, here and in the next four.")
    sample: str | None
    operator: str | None
    note: str | None
    tags: list[str] = Field(description="In the order of the alphabet.")
    measured_by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    url: Link
    image: ImageAnswer
    model: ModelInfo
    options: Options
    measured_threshold: float = Field(
        description="The score threshold that the picture was measured with; options has the one of these figures."
    )
    kept_threshold: float | None = Field(
        description="The score threshold that a user keeps for this measurement instead; null without one."
    )
    pinned: bool = Field(description="Whether it stays, however old it is and however much is stored.")
    profile: ProfileUsed | None = Field(description="What it was measured by; null without a profile.")
    verdict: Verdict | None = Field(
        description="By the rules of that version of the profile; null where it has none."
    )
    coverage: Coverage = Field(description="As measured, whatever was corrected.")
    reviewed: bool = Field(
        description="Whether a person said that all of the picture is right, as it was measured or corrected."
    )
    corrected_percent_masked: float | None = Field(
        description="After corrections; null where there were none, and where percent_masked would be."
    )


class CorrectedAnswer(Corrected):
    """What people corrected of a measurement; everything else of it stays as measured."""

    at: Moment = Field(description="Of the last correction.")


class MeasurementAnswer(_Head):
    """One measurement, complete."""

    rules: list[RuleResult] = Field(description="Of the profile, in its order.")
    instances: list[Instance] = Field(description="As measured, by falling score.")
    corrected: CorrectedAnswer | None = Field(
        description="The figures after corrections; null where there were none."
    )
    notes: list[Note] = Field(description="What a careful reader must know; programs read the codes.")
    overlay_url: Link
    mask_url: Link
    coco_url: Link
    candidates_url: Link
    timing_ms: Timing


class Lengths(Answer):
    """The lengths of an instance in a unit, by the names of those in pixels."""

    equivalent_diameter_area: float
    perimeter: float
    feret_diameter_max: float


class InstanceFigures(Answer):
    """One instance in numbers; lengths in pixels, shape figures as skimage.measure.regionprops defines them.

    Where pixels are known not to be square nothing has a length or a circularity: these are null then.
    """

    id: int
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    bbox: tuple[float, float, float, float] = Field(description="x, y, width, height.")
    area_px: int
    percent: float
    area: float | None = Field(description="In the square of the scale's unit; null without a scale.")
    equivalent_diameter_area: float | None = Field(description="Of the disc of the same area.")
    perimeter: float | None
    feret_diameter_max: float | None = Field(description="The longest diameter.")
    circularity: float | None = Field(description="4 pi area / perimeter²; null without a perimeter.")
    lengths: Lengths | None = Field(
        description="In the scale's unit; null without a scale, and where pixels are not square."
    )


class InstanceList(Answer):
    """The instances of one measurement in numbers, by falling score."""

    figures: Figures = Field(description="Whether they are as measured, or as corrected by people.")
    scale: Scale | None = Field(description="How large a pixel is; null where nothing is known of it.")
    instances: list[InstanceFigures]


class MeasurementSummary(_Head):
    """One measurement in the list: without its instances."""

    instance_count: int
    overlay_url: Link
    mask_url: Link


class MeasurementList(Answer):
    """A page of measurements."""

    measurements: list[MeasurementSummary]
    count: int = Field(description="How many there are on all pages with these filters.")
    next_url: Link | None = Field(description="The next page; null on the last.")


class NeighboursAnswer(Answer):
    """Where a measurement stands among those that match."""

    position: int | None = Field(description="From 1; null where it does not match itself.")
    count: int = Field(description="How many match.")
    previous: MeasurementSummary | None = Field(description="The one before it; null at the beginning.")
    next: MeasurementSummary | None = Field(description="The one after it; null at the end.")


def measurement_answer(
    record: Record, mask_format: MaskFormat = "rle", score_threshold: float | None = None
) -> MeasurementAnswer:
    """Return the answer for one record; `score_threshold` is that of the request, for the links."""
    measurement = with_mask_format(record.measurement, mask_format)
    corrected = record.corrected
    if corrected is not None:
        own = with_mask_format(corrected.over(record.measurement), mask_format)
        corrected = CorrectedAnswer.model_construct(**dict(corrected.with_figures(own)))
    overlay_url, mask_url, coco_url = links_of(
        record.id, "api.overlay", "api.mask", "api.coco", score_threshold=score_threshold
    )
    [candidates_url] = links_of(record.id, "api.candidates")
    return MeasurementAnswer(
        **_head(record),
        rules=measurement.rules,
        instances=measurement.instances,
        corrected=corrected,
        notes=measurement.notes,
        overlay_url=overlay_url,
        mask_url=mask_url,
        coco_url=coco_url,
        candidates_url=candidates_url,
        timing_ms=measurement.timing_ms,
    )


def instance_figures(entry: Instance, scale: Scale | None) -> InstanceFigures:
    """Return the numbers of one instance, in pixels and in units."""
    figures = entry.model_dump(exclude={"mask", "origin"})
    if scale is not None and scale.pixel_size is None:
        unknown = dict.fromkeys([*Lengths.model_fields, "circularity", "lengths"])
        return InstanceFigures(**figures, **unknown)
    shape = measure_shape(rle_window(exact_mask(entry)))
    lengths = {name: scale and scale.length(getattr(shape, name)) for name in Lengths.model_fields}
    return InstanceFigures(
        **figures,
        **asdict(shape),
        lengths=None if None in lengths.values() else Lengths.model_validate(lengths),
    )


def measurement_summary(record: Record) -> MeasurementSummary:
    """Return one line of the list."""
    overlay_url, mask_url = links_of(record.id, "api.overlay", "api.mask")
    return MeasurementSummary(
        **_head(record),
        instance_count=len(record.measurement.instances),
        overlay_url=overlay_url,
        mask_url=mask_url,
    )


def _head(record: Record) -> dict[str, Any]:
    measurement = record.measurement
    image = {name: getattr(measurement.image, name) for name in ImageInfo.model_fields}
    url, image_url = links_of(record.id, "api.get_measurement", "api.image")
    return {
        "id": record.id,
        "created_at": record.created_at,
        "batch": record.batch,
        **dict(record.details),
        "measured_by": record.measured_by,
        "url": url,
        "image": ImageAnswer(**image, url=image_url),
        "model": measurement.model,
        "options": measurement.options,
        "measured_threshold": record.measured_threshold,
        "kept_threshold": record.kept_threshold,
        "pinned": record.pinned,
        "profile": measurement.profile,
        "verdict": measurement.verdict,
        "coverage": measurement.coverage,
        "reviewed": record.reviewed,
        "corrected_percent_masked": record.corrected_percent_masked,
    }
