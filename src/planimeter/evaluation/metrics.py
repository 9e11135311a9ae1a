"""All figures of an evaluation in one model: what a pack records and a report shows.

Names stay what they are: packs on disk hold them.
"""

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.agreement import CoverageError, errors_at, summarise_errors
from planimeter.evaluation.average_precision import average_precision
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.familiarity import count_unlike
from planimeter.evaluation.intervals import IntervalFigures, interval_figures
from planimeter.evaluation.matching import match, precision_recall
from planimeter.evaluation.overlap import count_pixels
from planimeter.packs.trust import Trust


class Metrics(BaseModel):
    """What an evaluation says. What has a default is not in packs that were evaluated with older versions."""

    model_config = ConfigDict(frozen=True)

    pictures: int
    instances: int
    score_threshold: float
    coverage: CoverageError
    coverage_by_class: dict[str, CoverageError] = Field(default_factory=dict)
    interval: IntervalFigures | None = Field(None, description="How the intervals for the percentage did.")
    interval_by_class: dict[str, IntervalFigures] = Field(default_factory=dict)
    unlike_training: int | None = Field(
        None, description="Pictures that are unlike those of the training, and get no interval in an answer."
    )
    mask_ap: float = Field(description="COCO mask AP, IoU 0.50:0.95, up to 1000 detections a picture.")
    mask_ap50: float
    mask_ap75: float
    mask_ap_by_size: dict[str, float] = Field(default_factory=dict)
    mask_ap_by_class: dict[str, float] = Field(default_factory=dict)
    ap50_by_class: dict[str, float]
    ap75_by_class: dict[str, float] = Field(default_factory=dict)
    box_ap: float | None = None
    box_ap50: float | None = None
    box_ap75: float | None = None
    box_ap_by_size: dict[str, float] = Field(default_factory=dict)
    box_ap_by_class: dict[str, float] = Field(default_factory=dict)
    precision: float = Field(description="At IoU 0.5, one-to-one matching, counts pooled.")
    recall: float
    f1: float
    pixel_iou_by_class: dict[str, float] = Field(description="Sum of intersections over sum of unions.")
    mean_pixel_iou: float | None = Field(None, description="Mean of pixel_iou_by_class.")
    dice_by_class: dict[str, float] = Field(default_factory=dict)
    mean_dice: float | None = None
    empty_pictures: int | None = Field(None, description="Pictures without any true instance.")
    empty_pictures_with_instances: int | None = Field(
        None, description="Those in which an instance was found at the threshold all the same."
    )


def summarise(
    compared: Sequence[Compared],
    classes: Sequence[str],
    score_threshold: float,
    trust: Trust | None = None,
) -> Metrics:
    """Return all figures of a comparison; `score_threshold` shapes coverage, precision and IoU, but not AP."""
    errors = errors_at(compared, [score_threshold], len(classes))[:, 0]
    masks = average_precision(compared, classes, "mask")
    boxes = average_precision(compared, classes, "box")
    matches = [match(entry) for entry in compared]
    precision, recall, f1 = precision_recall(compared, matches, [score_threshold])[0].tolist()
    pixels = count_pixels(compared, classes, score_threshold)
    empty = [entry.above(score_threshold) for entry in compared if not entry.picture.labels]
    trust = trust or Trust()
    spans = (
        {}
        if trust.intervals is None
        else interval_figures(compared, classes, score_threshold, trust.intervals)
    )
    return Metrics(
        pictures=len(compared),
        instances=sum(len(entry.picture.labels) for entry in compared),
        score_threshold=score_threshold,
        coverage=summarise_errors(errors[:, 0]),
        coverage_by_class={
            name: summarise_errors(errors[:, index])
            for index, name in enumerate(classes, start=1)
            if name in pixels
        },
        interval=spans.pop("", None),
        unlike_training=count_unlike(compared, trust.familiarity),
        interval_by_class={name: entry for name, entry in spans.items() if name in pixels},
        mask_ap=masks.ap,
        mask_ap50=masks.ap50,
        mask_ap75=masks.ap75,
        mask_ap_by_size=masks.by_size,
        mask_ap_by_class={name: entry.ap for name, entry in masks.by_class.items()},
        ap50_by_class={name: entry.ap50 for name, entry in masks.by_class.items()},
        ap75_by_class={name: entry.ap75 for name, entry in masks.by_class.items()},
        box_ap=boxes.ap,
        box_ap50=boxes.ap50,
        box_ap75=boxes.ap75,
        box_ap_by_size=boxes.by_size,
        box_ap_by_class={name: entry.ap for name, entry in boxes.by_class.items()},
        precision=precision,
        recall=recall,
        f1=f1,
        pixel_iou_by_class={name: count.iou for name, count in pixels.items()},
        mean_pixel_iou=fmean(count.iou for count in pixels.values()) if pixels else None,
        dice_by_class={name: count.dice for name, count in pixels.items()},
        mean_dice=fmean(count.dice for count in pixels.values()) if pixels else None,
        empty_pictures=len(empty),
        empty_pictures_with_instances=sum(bool(found) for found in empty),
    )
