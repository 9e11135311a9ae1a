"""All figures of an evaluation in one model: what a pack records and a report shows."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.agreement import CoverageError, coverage_error
from planimeter.evaluation.average_precision import average_precision
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.matching import matched
from planimeter.evaluation.overlap import pixel_iou


class Metrics(BaseModel):
    """What an evaluation says."""

    model_config = ConfigDict(frozen=True)

    pictures: int
    instances: int
    score_threshold: float
    coverage: CoverageError
    mask_ap: float = Field(description="COCO mask AP, IoU 0.50:0.95, up to 1000 detections a picture.")
    mask_ap50: float
    mask_ap75: float
    ap50_by_class: dict[str, float]
    precision: float = Field(description="At IoU 0.5, one-to-one matching, counts pooled.")
    recall: float
    f1: float
    pixel_iou_by_class: dict[str, float] = Field(description="Sum of intersections over sum of unions.")


def summarise(compared: Sequence[Compared], classes: Sequence[str], score_threshold: float) -> Metrics:
    """Return all figures of a comparison; `score_threshold` shapes coverage, precision and IoU, but not AP."""
    ap, ap50, ap75, by_class = average_precision(compared, classes)
    precision, recall, f1 = matched(compared, score_threshold)
    return Metrics(
        pictures=len(compared),
        instances=sum(len(entry.picture.labels) for entry in compared),
        score_threshold=score_threshold,
        coverage=coverage_error(compared, score_threshold),
        mask_ap=ap,
        mask_ap50=ap50,
        mask_ap75=ap75,
        ap50_by_class=by_class,
        precision=precision,
        recall=recall,
        f1=f1,
        pixel_iou_by_class=pixel_iou(compared, classes, score_threshold),
    )
