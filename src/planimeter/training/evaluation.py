"""How good a model is: COCO mask AP, and the error of the percentage itself.

AP follows COCO (Lin et al. 2014, arXiv:1405.0312; pycocotools), except that up to 1000 detections a picture
count instead of 100, because a dish of cells holds more. The coverage error of a picture is the measured
minus the true percent masked; limits of agreement are Bland and Altman's (1986), mean ± 1.96 standard deviations.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pydantic import BaseModel, ConfigDict, Field

from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.masks import WindowMask, count_common, count_coverage, rle_encode
from planimeter.segmenter import Segmentation, Segmenter

MAX_DETECTIONS = 1000
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


class CoverageError(BaseModel):
    """The error of the percentage over a set of pictures, in percentage points."""

    model_config = ConfigDict(frozen=True)

    bias: float = Field(description="Mean of measured minus true.")
    mean_absolute_error: float
    limits_of_agreement: tuple[float, float] = Field(description="bias ± 1.96 standard deviations: 95 %.")


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


@dataclass(frozen=True)
class Compared:
    """One picture: what is true and what was found, down to the model's score floor."""

    picture: LabelledPicture
    found: Segmentation

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.picture.pixels.shape[:2]
        return height, width


def compare(
    segmenter: Segmenter, data: LabelledPictures, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> list[Compared]:
    """Segment every picture."""
    return [Compared(picture, segmenter.segment(picture.pixels)) for picture in progress(data.pictures)]


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


def coverage_error(compared: Sequence[Compared], score_threshold: float) -> CoverageError:
    """Return the error of the percent masked at a threshold."""
    errors = np.array(
        [
            _percent(entry.found.above(score_threshold).masks, entry.size)
            - _percent(entry.picture.masks, entry.size)
            for entry in compared
        ]
    )
    bias, spread = float(errors.mean()), 1.96 * float(errors.std(ddof=1)) if len(errors) > 1 else 0.0
    return CoverageError(
        bias=bias,
        mean_absolute_error=float(np.abs(errors).mean()),
        limits_of_agreement=(bias - spread, bias + spread),
    )


def best_threshold(compared: Sequence[Compared]) -> float:
    """Return the score threshold with the smallest coverage error, |bias| + mean absolute error."""

    def cost(threshold: float) -> float:
        error = coverage_error(compared, threshold)
        return abs(error.bias) + error.mean_absolute_error

    return min(THRESHOLDS, key=cost)


def average_precision(
    compared: Sequence[Compared], classes: Sequence[str]
) -> tuple[float, float, float, dict[str, float]]:
    """Return COCO mask AP, AP50, AP75, and AP50 by class; a class without truth is left out."""
    truth, results = _as_coco(compared, classes)
    if not results:
        return 0.0, 0.0, 0.0, dict.fromkeys(classes, 0.0)
    # pycocotools prints what it does; a library must not.
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = truth  # type: ignore[assignment]
        ground.createIndex()
        evaluation = COCOeval(ground, ground.loadRes(results), "segm")
        evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    # [IoU, recall, class, area, detections]; -1 where a class has no truth.
    precision: NDArray[np.float64] = evaluation.eval["precision"][:, :, :, 0, -1]
    per_class = {name: precision[0, :, index] for index, name in enumerate(classes)}
    return (
        _mean(precision),
        _mean(precision[0]),
        _mean(precision[5]),
        {name: _mean(values) for name, values in per_class.items() if (values > -1).any()},
    )


def matched(
    compared: Sequence[Compared], score_threshold: float, iou: float = 0.5
) -> tuple[float, float, float]:
    """Return precision, recall and F1 at an IoU: greedy one-to-one matching by score, counts pooled."""
    hits = found = true = 0
    for entry in compared:
        kept = entry.found.above(score_threshold)
        taken: set[int] = set()
        for label, mask in zip(kept.labels, kept.masks, strict=True):
            overlaps = [
                (window_iou(mask, other), index)
                for index, other in enumerate(entry.picture.masks)
                if index not in taken and entry.picture.labels[index] == label
            ]
            best, index = max(overlaps, default=(0.0, -1))
            if best >= iou:
                taken.add(index)
        hits += len(taken)
        found += len(kept.labels)
        true += len(entry.picture.labels)
    precision, recall = hits / found if found else 1.0, hits / true if true else 1.0
    return precision, recall, 2 * hits / (found + true) if found + true else 1.0


def window_iou(one: WindowMask, other: WindowMask) -> float:
    """Return the intersection over union of two masks of the same picture."""
    common = count_common(one, other)
    return common / (one.area + other.area - common) if common else 0.0


def pixel_iou(
    compared: Sequence[Compared], classes: Sequence[str], score_threshold: float
) -> dict[str, float]:
    """Return the pooled pixel IoU of each class that is there or was found."""
    result = {}
    for class_id, name in enumerate(classes, start=1):
        common = union = 0
        for entry in compared:
            kept = entry.found.above(score_threshold)
            found = _canvas(kept.labels, kept.masks, class_id, entry.size)
            true = _canvas(entry.picture.labels, entry.picture.masks, class_id, entry.size)
            common += int(np.count_nonzero(found & true))
            union += int(np.count_nonzero(found | true))
        if union:
            result[name] = common / union
    return result


def _percent(masks: Sequence[WindowMask], size: tuple[int, int]) -> float:
    return 100 * count_coverage(masks, [1] * len(masks), *size, 1).masked / (size[0] * size[1])


def _canvas(
    labels: Sequence[int], masks: Sequence[WindowMask], class_id: int, size: tuple[int, int]
) -> NDArray[np.bool_]:
    canvas = np.zeros(size, bool)
    for label, mask in zip(labels, masks, strict=True):
        if label == class_id:
            tall, wide = mask.pixels.shape
            canvas[mask.y : mask.y + tall, mask.x : mask.x + wide] |= mask.pixels
    return canvas


def _as_coco(
    compared: Sequence[Compared], classes: Sequence[str]
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    truth: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": index, "name": name} for index, name in enumerate(classes, start=1)],
    }
    results = []
    for number, entry in enumerate(compared, start=1):
        height, width = entry.size
        truth["images"].append({"id": number, "height": height, "width": width})
        for label, mask in zip(entry.picture.labels, entry.picture.masks, strict=True):
            common = {
                "image_id": number,
                "category_id": label,
                "segmentation": rle_encode(mask, height, width).model_dump(),
            }
            truth["annotations"].append(
                {
                    **common,
                    "id": len(truth["annotations"]) + 1,
                    "area": mask.area,
                    "bbox": [mask.x, mask.y, mask.pixels.shape[1], mask.pixels.shape[0]],
                    "iscrowd": 0,
                }
            )
        for label, mask, score in zip(entry.found.labels, entry.found.masks, entry.found.scores, strict=True):
            results.append(
                {
                    "image_id": number,
                    "category_id": label,
                    "segmentation": rle_encode(mask, height, width).model_dump(),
                    "score": score,
                }
            )
    return truth, results


def _mean(values: NDArray[np.float64]) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0
