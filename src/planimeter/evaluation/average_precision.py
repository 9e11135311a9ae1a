"""Average precision as COCO defines it (Lin et al. 2014, arXiv:1405.0312; pycocotools).

But up to 1000 detections a picture count instead of 100, because a dish of cells holds more.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from planimeter.evaluation.comparison import Compared
from planimeter.masks import rle_encode

MAX_DETECTIONS = 1000


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
