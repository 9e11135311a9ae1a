"""How much of a picture is covered: the figures of what counts at a threshold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.counted import Counted
from planimeter.masks.polygons import polygons
from planimeter.masks.rle import rle_encode_whole, rle_window
from planimeter.masks.union import count_coverage
from planimeter.masks.window import WindowMask
from planimeter.measurement import (
    ClassCoverage,
    Counting,
    Coverage,
    Instance,
    MaskFormat,
    Measurement,
    Note,
    Options,
    Polygons,
    Rle,
    percent_or_none,
)
from planimeter.measuring.candidates import Candidate, Candidates, coco_box
from planimeter.measuring.counting import count_within, counted_part, left_out_at, note_counting
from planimeter.measuring.interval import with_intervals
from planimeter.measuring.judging import check_rules, judged
from planimeter.measuring.of_class import with_class, within_class
from planimeter.measuring.physical import in_units
from planimeter.numbers import write_percent
from planimeter.packs.trust import Intervals

UNCLAIMED_WORTH_TELLING = 1.0
"""Percent of the pixels that count."""


def at_threshold(
    measurement: Measurement,
    candidates: Candidates,
    threshold: float,
    intervals: Intervals | None = None,
    counting: Counting | None = None,
) -> Measurement:
    """Return what measuring the same picture with another score threshold answers, without the network.

    `intervals` are those of the model that measured; `counting` is what of the picture counts, which `candidates` do
    not know yet. Raises what `count_within` and `check_rules` raise.
    """
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    check_rules(measurement.rules, classes, counting)
    candidates = within_class(count_within(candidates, counting, classes), threshold)
    found = candidates.above(threshold)
    coverage, notes = measure_at(candidates, threshold, classes, intervals)
    counted = measurement.model_copy(
        update={
            "options": Options(score_threshold=threshold, counting=counting),
            "coverage": coverage,
            "instances": list_instances(found, classes, candidates.counted, "rle"),
            "notes": notes,
        }
    )
    return judged(in_units(counted), [entry.mask for entry in found])


def measure_at(
    candidates: Candidates, threshold: float, classes: Sequence[str], intervals: Intervals | None
) -> tuple[Coverage, list[Note]]:
    """Return how much of the picture is covered at a score threshold, with intervals, and all notes.

    `candidates` are cut to what counts, as `count_within` and `within_class` return them.
    """
    found = candidates.above(threshold)
    coverage = measure_coverage(found, classes, candidates.counted, candidates.foreground)
    left_out = left_out_at(candidates, threshold)
    coverage = with_class(coverage.model_copy(update={"left_out": left_out}), candidates)
    notes = [
        *candidates.picture_notes,
        *list_notes(candidates, threshold, coverage),
        *note_counting(candidates, left_out),
    ]
    coverage, withheld = with_intervals(coverage, candidates, threshold, intervals)
    return coverage, [*notes, *withheld]


def list_notes(candidates: Candidates, threshold: float, coverage: Coverage) -> list[Note]:
    """Return what a careful reader must know about how the instances at a score threshold were found."""
    notes: list[Note] = []
    if candidates.limit_reached(threshold):
        message = (
            f"the model's limit of {candidates.most_instances} instances was reached: there may be more; "
            "cut the picture into parts to find them"
        )
        notes.append(Note(code="limit_reached", message=message))
    if candidates.tiles > 1:
        message = (
            f"a large picture, measured in {candidates.tiles} overlapping tiles so that objects keep their size; an "
            "object larger than the overlap counts as several instances, but its area once"
        )
        notes.append(Note(code="measured_in_tiles", message=message))
    if threshold < candidates.score_floor:
        message = (
            f"the model gives no instance below a score of {candidates.score_floor}, whatever the threshold"
        )
        notes.append(Note(code="below_score_floor", message=message))
    unclaimed = percent_or_none(coverage.pixels_unclaimed or 0, coverage.pixels_counted) or 0.0
    if unclaimed >= UNCLAIMED_WORTH_TELLING:
        message = (
            f"{write_percent(unclaimed)} % of the {counted_part(candidates.counting)} looks like a class of the model "
            "but belongs to no instance "
            "that counts, and is not masked; a lower score threshold may find instances there"
        )
        notes.append(Note(code="pixels_unclaimed", message=message))
    return notes


def measure_coverage(
    found: Sequence[Candidate],
    classes: Sequence[str],
    counted: Counted,
    foreground: NDArray[np.bool_] | None = None,
) -> Coverage:
    """Return how much of the picture the instances cover: exact unions, never sums.

    `foreground` [H, W] are the pixels that the network takes for one of its classes, whether in an instance or not.
    """
    masks, labels = [entry.mask for entry in found], [entry.label for entry in found]
    counts = count_coverage(masks, labels, *counted.size, len(classes))
    return Coverage(
        percent_masked=percent_or_none(counts.masked, counted.pixels),
        pixels_masked=counts.masked,
        pixels_counted=counted.pixels,
        counted=None if counted.mask is None else rle_encode_whole(counted.mask),
        pixels_overlapping=counts.overlapping,
        pixels_unclaimed=None if foreground is None else _count_unclaimed(foreground, masks),
        by_class=[
            ClassCoverage(
                class_name=name,
                class_id=class_id,
                count=labels.count(class_id),
                pixels_masked=pixels,
                percent_masked=percent_or_none(pixels, counted.pixels),
            )
            for class_id, (name, pixels) in enumerate(zip(classes, counts.by_class, strict=True), start=1)
        ],
    )


def _count_unclaimed(foreground: NDArray[np.bool_], masks: Sequence[WindowMask]) -> int:
    unclaimed = foreground.copy()
    for mask in masks:
        unclaimed[mask.window] &= ~mask.pixels
    return int(np.count_nonzero(unclaimed))


def list_instances(
    found: Sequence[Candidate], classes: Sequence[str], counted: Counted, mask_format: MaskFormat
) -> list[Instance]:
    """Return the instances as the answer lists them, by falling score."""
    return [
        Instance(
            id=number,
            class_name=classes[entry.label - 1],
            class_id=entry.label,
            score=entry.score,
            bbox=coco_box(entry.box),
            area_px=entry.mask.area,
            percent=percent_or_none(entry.mask.area, counted.pixels)
            or 0.0,  # none is left where nothing counts
            mask=_encode(entry, counted, mask_format),
        )
        for number, entry in enumerate(found, start=1)
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


def _encode(entry: Candidate, counted: Counted, mask_format: MaskFormat) -> Rle | Polygons | None:
    if mask_format == "rle":
        return entry.rle(counted)
    return polygons(entry.mask) if mask_format == "polygon" else None
