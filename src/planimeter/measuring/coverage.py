"""How much of a picture is covered: the figures of what counts at a threshold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.polygons import polygons
from planimeter.masks.rle import rle_encode, rle_window
from planimeter.masks.union import count_coverage
from planimeter.masks.window import WindowMask
from planimeter.measurement import (
    ClassCoverage,
    Coverage,
    Instance,
    MaskFormat,
    Measurement,
    Options,
    Polygons,
    Rle,
    percent,
)
from planimeter.measuring.candidates import Candidates, Lineup, coco_box
from planimeter.measuring.detections import Segmentation


def select(source: Lineup | Candidates, threshold: float) -> Segmentation:
    """Return what counts in a picture at a score threshold."""
    instances, limit_reached = source.above(threshold)
    return Segmentation.of(instances, limit_reached=limit_reached, tiles=source.tiles)


def at_threshold(measurement: Measurement, candidates: Candidates, threshold: float) -> Measurement:
    """Return what measuring the same picture with another score threshold answers, without the network."""
    height, width = candidates.size
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    found = select(candidates, threshold)
    return measurement.model_copy(
        update={
            "options": Options(score_threshold=threshold),
            "coverage": measure_coverage(found, classes, height, width, candidates.shown()),
            "instances": list_instances(found, classes, height, width, "rle"),
            "notes": [*candidates.picture_notes, *list_notes(found, candidates, threshold)],
        }
    )


def list_notes(found: Segmentation, source: Lineup | Candidates, threshold: float) -> list[str]:
    """Return what a careful reader must know about how the instances were found."""
    notes = []
    if found.limit_reached:
        notes.append(
            f"the model's limit of {source.most_instances} instances was reached: there may be more; "
            "cut the picture into parts to find them"
        )
    if found.tiles > 1:
        notes.append(
            f"a large picture, measured in {found.tiles} overlapping tiles so that objects keep their size; an "
            "object larger than the overlap counts as several instances, but its area once"
        )
    if threshold < source.score_floor:
        notes.append(
            f"the model gives no instance below a score of {source.score_floor}, whatever the threshold"
        )
    return notes


def measure_coverage(
    found: Segmentation,
    classes: Sequence[str],
    height: int,
    width: int,
    foreground: NDArray[np.bool_] | None = None,
) -> Coverage:
    """Return how much of the picture the instances cover: exact unions, never sums.

    `foreground` [H, W] are the pixels that the network takes for one of its classes, whether in an instance or not.
    """
    counted = height * width
    counts = count_coverage(found.masks, found.labels, height, width, len(classes))
    return Coverage(
        percent_masked=percent(counts.masked, counted),
        pixels_masked=counts.masked,
        pixels_counted=counted,
        pixels_overlapping=counts.overlapping,
        pixels_unclaimed=None if foreground is None else _count_unclaimed(foreground, found.masks),
        by_class=[
            ClassCoverage(
                class_name=name,
                class_id=class_id,
                count=found.labels.count(class_id),
                pixels_masked=counts.by_class[class_id - 1],
                percent_masked=percent(counts.by_class[class_id - 1], counted),
            )
            for class_id, name in enumerate(classes, start=1)
        ],
    )


def _count_unclaimed(foreground: NDArray[np.bool_], masks: Sequence[WindowMask]) -> int:
    unclaimed = foreground.copy()
    for mask in masks:
        unclaimed[mask.window] &= ~mask.pixels
    return int(np.count_nonzero(unclaimed))


def list_instances(
    found: Segmentation, classes: Sequence[str], height: int, width: int, mask_format: MaskFormat
) -> list[Instance]:
    """Return the instances as the answer lists them, by falling score."""
    return [
        Instance(
            id=index,
            class_name=classes[label - 1],
            class_id=label,
            score=score,
            bbox=coco_box(box),
            area_px=mask.area,
            percent=percent(mask.area, height * width),
            mask=_encode(mask, height, width, mask_format),
        )
        for index, (box, label, score, mask) in enumerate(
            zip(found.boxes.tolist(), found.labels, found.scores, found.masks, strict=True), start=1
        )
    ]


def with_mask_format(measurement: Measurement, mask_format: MaskFormat) -> Measurement:
    """Return a measurement whose masks are RLE with its masks in another format."""
    if mask_format == "rle":
        return measurement
    instances = [
        entry.model_copy(
            update={
                "mask": polygons(rle_window(entry.mask))
                if mask_format == "polygon" and isinstance(entry.mask, Rle)
                else None
            }
        )
        for entry in measurement.instances
    ]
    return measurement.model_copy(update={"instances": instances})


def _encode(mask: WindowMask, height: int, width: int, mask_format: MaskFormat) -> Rle | Polygons | None:
    if mask_format == "rle":
        return rle_encode(mask, height, width)
    return polygons(mask) if mask_format == "polygon" else None
