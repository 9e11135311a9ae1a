"""Two measurements of the same picture, as their difference is answered."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from planimeter.measurement import percent
from planimeter.measuring.difference import ONLY_FIRST, ONLY_SECOND, Overlap, difference
from planimeter.scale import Scale
from planimeter.service.api.answers.base import Answer, Link
from planimeter.service.api.answers.measurements import MeasurementSummary, measurement_summary
from planimeter.service.links import link
from planimeter.store import Record


class OverlapAnswer(Answer):
    """How two unions of masks lie on each other."""

    pixels_both: int
    pixels_only_first: int
    pixels_only_second: int
    percent_both: float = Field(description="Of the pixels counted, like all percentages here.")
    percent_only_first: float
    percent_only_second: float
    percent_disagreement: float = Field(description="What exactly one of the two masks.")
    iou: float | None = Field(description="Intersection over union; null where neither masks anything.")
    area_both: float | None = Field(
        description="In the square of the first scale's unit; null unless both say that pixels are as large."
    )
    area_only_first: float | None
    area_only_second: float | None


class ClassOverlap(OverlapAnswer):
    """The same for one class, by its name."""

    class_name: str = Field(alias="class")
    color: str


class ComparisonAnswer(Answer):
    """Two measurements of the same picture."""

    first: MeasurementSummary
    second: MeasurementSummary
    pixels_counted: int
    overlap: OverlapAnswer
    by_class: list[ClassOverlap] = Field(description="Every class that either model knows.")
    picture_url: Link = Field(
        description=f"The difference drawn: only the first {ONLY_FIRST}, only the second {ONLY_SECOND}, both pale."
    )


def comparison_answer(first: Record, second: Record, colors: Mapping[str, str]) -> ComparisonAnswer:
    """Compare two records; `colors` by class name. Raises `DifferentPictures`."""
    found = difference(first.measurement, second.measurement)
    counted, scale = found.pixels_counted, _common_scale(first, second)
    return ComparisonAnswer(
        first=measurement_summary(first),
        second=measurement_summary(second),
        pixels_counted=counted,
        overlap=OverlapAnswer(**_overlap(found.overlap, counted, scale)),
        by_class=[
            ClassOverlap(class_name=name, color=colors[name], **_overlap(entry, counted, scale))
            for name, entry in found.by_class.items()
        ],
        picture_url=link("api.show_difference", first=first.id, second=second.id),
    )


def _common_scale(first: Record, second: Record) -> Scale | None:
    """Return the scale of the first where the second has pixels of the same size."""
    one, other = (record.measurement.image.scale for record in (first, second))
    return one if one is not None and other is not None and one.equals(other) else None


def _overlap(overlap: Overlap, counted: int, scale: Scale | None) -> dict[str, Any]:
    return {
        "pixels_both": overlap.both,
        "pixels_only_first": overlap.only_first,
        "pixels_only_second": overlap.only_second,
        "percent_both": percent(overlap.both, counted),
        "percent_only_first": percent(overlap.only_first, counted),
        "percent_only_second": percent(overlap.only_second, counted),
        "percent_disagreement": percent(overlap.only_first + overlap.only_second, counted),
        "iou": overlap.iou,
        "area_both": scale and scale.area(overlap.both),
        "area_only_first": scale and scale.area(overlap.only_first),
        "area_only_second": scale and scale.area(overlap.only_second),
    }
