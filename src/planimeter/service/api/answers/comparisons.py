"""Two measurements of the same picture, as their difference is answered."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from planimeter.measurement import percent
from planimeter.measuring.difference import ONLY_FIRST, ONLY_SECOND, Overlap, difference
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
    counted = found.pixels_counted
    return ComparisonAnswer(
        first=measurement_summary(first),
        second=measurement_summary(second),
        pixels_counted=counted,
        overlap=OverlapAnswer(**_overlap(found.overlap, counted)),
        by_class=[
            ClassOverlap(class_name=name, color=colors[name], **_overlap(entry, counted))
            for name, entry in found.by_class.items()
        ],
        picture_url=link("api.show_difference", first=first.id, second=second.id),
    )


def _overlap(overlap: Overlap, counted: int) -> dict[str, Any]:
    return {
        "pixels_both": overlap.both,
        "pixels_only_first": overlap.only_first,
        "pixels_only_second": overlap.only_second,
        "percent_both": percent(overlap.both, counted),
        "percent_only_first": percent(overlap.only_first, counted),
        "percent_only_second": percent(overlap.only_second, counted),
        "percent_disagreement": percent(overlap.only_first + overlap.only_second, counted),
        "iou": overlap.iou,
    }
