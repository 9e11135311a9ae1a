"""Areas in units: what the counts of a measurement are where it is known how large a pixel is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from planimeter.measurement import Coverage, Instance, Measurement, class_counted
from planimeter.pictures.decode import Picture
from planimeter.scale import Scale, clean

Of = TypeVar("Of", bound=Measurement)


def with_scale(picture: Picture, scale: Scale | None) -> Picture:
    """Return a picture whose pixels are as large as somebody says; None leaves what its file says."""
    if scale is None:
        return picture
    if scale.kept:
        scale = scale.model_copy(update={"measured": picture.info.scale})
    return replace(picture, info=picture.info.model_copy(update={"scale": scale}))


def in_units(measurement: Of) -> Of:
    """Return a measurement with areas as its picture's scale makes them; without a scale it has none."""
    scale = measurement.image.scale
    return measurement.model_copy(
        update={
            "coverage": coverage_in_units(measurement.coverage, scale, class_counted(measurement)),
            "instances": instances_in_units(measurement.instances, scale),
        }
    )


def coverage_in_units(coverage: Coverage, scale: Scale | None, of: str | None = None) -> Coverage:
    """Return a coverage with areas, and instances per area; those of the class `of`, which it is of, are in no sum."""
    counted = coverage.pixels_counted
    classes = [
        entry.model_copy(
            update={
                "area_masked": scale and scale.area(entry.pixels_masked),
                "instances_per_mm2": scale and density(entry.count, counted, scale),
            }
        )
        for entry in coverage.by_class
    ]
    return coverage.model_copy(
        update={
            "area_masked": scale and scale.area(coverage.pixels_masked),
            "area_counted": scale and scale.area(counted),
            "instances_per_mm2": scale
            and density(
                sum(entry.count for entry in coverage.by_class if entry.class_name != of), counted, scale
            ),
            "by_class": classes,
        }
    )


def instances_in_units(instances: Sequence[Instance], scale: Scale | None) -> list[Instance]:
    """Return instances with their areas."""
    return [
        entry.model_copy(update={"area": scale and scale.area(entry.area_px)})
        if scale or entry.area is not None
        else entry
        for entry in instances
    ]


def density(count: int, pixels: int, scale: Scale) -> float | None:
    """Return how many instances there are for each square millimetre of so many pixels; None where there is none."""
    return clean(count / scale.area_in(pixels, "mm")) if pixels else None
