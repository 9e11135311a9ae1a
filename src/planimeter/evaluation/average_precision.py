"""Average precision as COCO defines it (Lin et al. 2014, arXiv:1405.0312), by pycocotools.

But up to 1000 detections a picture count instead of 100, because a dish of cells holds more.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.comparison import Compared
from planimeter.masks.rle import rle_encode
from planimeter.masks.window import WindowMask

MAX_DETECTIONS = 1000
SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas of the true masks in pixels, as COCO bins them."""


class AveragePrecision(BaseModel):
    """AP is the mean over IoU 0.50, 0.55, …, 0.95; AP50 and AP75 are those at one IoU."""

    model_config = ConfigDict(frozen=True)

    ap: float
    ap50: float
    ap75: float
    by_size: dict[str, float] = Field(
        default_factory=dict,
        description="small (below 32² pixels), medium, large (from 96²); where there are any.",
    )
    by_class: dict[str, "AveragePrecision"] = Field(
        default_factory=dict, description="A class without truth is left out."
    )


def average_precision(
    compared: Sequence[Compared], classes: Sequence[str], kind: Literal["mask", "box"] = "mask"
) -> AveragePrecision:
    """Return COCO's AP of the masks or the boxes."""
    truth, results = as_coco(compared, classes, kind)
    # [IoU, recall, class, size, 1]; -1 where a class has no truth of that size.
    if results:
        precision = _accumulate(truth, results, "segm" if kind == "mask" else "bbox")
    else:
        precision = _nothing_found(compared, len(classes))
    return AveragePrecision(
        **_at_ious(precision[:, :, :, 0]),
        by_size={
            name: _mean(precision[:, :, :, index])
            for index, name in enumerate(SIZES)
            if index and (precision[:, :, :, index] > -1).any()
        },
        by_class={
            name: AveragePrecision(**_at_ious(precision[:, :, index, 0]))
            for index, name in enumerate(classes)
            if (precision[:, :, index, 0] > -1).any()
        },
    )


def _accumulate(
    truth: dict[str, list[dict[str, Any]]], results: list[dict[str, Any]], kind: Literal["segm", "bbox"]
) -> NDArray[np.float64]:
    # pycocotools prints what it does; a library must not.
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = truth  # type: ignore[assignment]
        ground.createIndex()
        evaluation = QuickCocoEval(ground, ground.loadRes(results), kind)
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.params.areaRng = [list(limits) for limits in SIZES.values()]
        evaluation.params.areaRngLbl = list(SIZES)
        evaluation.evaluate()
        evaluation.accumulate()
    precision: NDArray[np.float64] = evaluation.eval["precision"][..., 0]
    return precision


class QuickCocoEval(COCOeval):
    """pycocotools' evaluation, whose matching loop of one picture looks only at pairs that can match.

    With hundreds of instances in a picture that is an order of magnitude quicker; the outcome is the same.
    """

    _gts: dict[tuple[int, int], list[dict[str, Any]]]
    _dts: dict[tuple[int, int], list[dict[str, Any]]]

    def evaluateImg(  # type: ignore[override]  # noqa: N802 - pycocotools' name
        self,
        imgId: int,  # noqa: N803
        catId: int,  # noqa: N803
        aRng: Sequence[float],  # noqa: N803
        maxDet: int,  # noqa: N803
    ) -> dict[str, Any] | None:
        """Match the detections of one class in one picture; see `COCOeval.evaluateImg`."""
        true, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not true and not found:
            return None
        ignored = np.array([not aRng[0] <= entry["area"] <= aRng[1] for entry in true], bool)
        order = np.argsort(-np.array([entry["score"] for entry in found]), kind="mergesort")[:maxDet]
        found = [found[index] for index in order]
        ious = np.asarray(self.ious[imgId, catId], np.float64).reshape(len(found), len(true))
        to_true = _match(ious, ignored, np.minimum(self.params.iouThrs, 1 - 1e-10))
        matched = to_true >= 0
        outside = np.array([not aRng[0] <= entry["area"] <= aRng[1] for entry in found], bool)
        if true:
            found_ignored = np.where(matched, ignored[to_true], outside)
        else:
            found_ignored = np.broadcast_to(outside, matched.shape)
        return {
            "image_id": imgId,
            "category_id": catId,
            "aRng": aRng,
            "maxDet": maxDet,
            "dtIds": [entry["id"] for entry in found],
            "gtIds": [entry["id"] for entry in true],
            "dtMatches": to_true + 1,
            "dtScores": [entry["score"] for entry in found],
            "gtIgnore": ignored,
            "dtIgnore": found_ignored,
        }


def _match(
    ious: NDArray[np.float64], ignored: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the index of the true instance of each found one at each IoU, -1 for none: [thresholds, found].

    A true instance that counts is preferred to one that is ignored, then the higher IoU, then the later one.
    """
    chosen = np.full((len(thresholds), len(ious)), -1, np.int64)
    taken = np.zeros((len(thresholds), ious.shape[1]), bool)
    rows = np.arange(len(thresholds))
    for position, overlaps in enumerate(ious):
        near = np.flatnonzero(overlaps >= thresholds[0])
        # The worst first, so that the last one written is the best.
        for index in near[np.lexsort((near, overlaps[near], ~ignored[near]))]:
            free = (overlaps[index] >= thresholds) & ~taken[:, index]
            chosen[free, position] = index
        matched = chosen[:, position] >= 0
        taken[rows[matched], chosen[matched, position]] = True
    return chosen


def as_coco(
    compared: Sequence[Compared], classes: Sequence[str], kind: Literal["mask", "box"]
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Return the truth as a COCO data set, and what was found as COCO results."""
    truth: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": index, "name": name} for index, name in enumerate(classes, start=1)],
    }
    results = []
    for number, entry in enumerate(compared, start=1):
        height, width = entry.counted.size
        truth["images"].append({"id": number, "height": height, "width": width})
        for label, mask in zip(entry.picture.labels, entry.picture.masks, strict=True):
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": number,
                    "category_id": label,
                    "segmentation": rle_encode(mask, height, width).model_dump() if kind == "mask" else None,
                    "area": mask.area,
                    "bbox": bounds(mask),
                    "iscrowd": 0,
                }
            )
        for found in entry.found:
            x0, y0, x1, y1 = found.box
            place: dict[str, Any] = (
                {"segmentation": found.rle(entry.counted).model_dump()}
                if kind == "mask"
                else {"bbox": [x0, y0, x1 - x0, y1 - y0]}
            )
            results.append({"image_id": number, "category_id": found.label, "score": found.score, **place})
    return truth, results


def bounds(mask: WindowMask) -> list[int]:
    """Return the smallest box that holds the mask's pixels, as x, y, width, height."""
    rows, columns = np.flatnonzero(mask.pixels.any(axis=1)), np.flatnonzero(mask.pixels.any(axis=0))
    if not len(rows):
        return [mask.x, mask.y, 0, 0]
    left, top = int(columns[0]), int(rows[0])
    return [mask.x + left, mask.y + top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _nothing_found(compared: Sequence[Compared], classes: int) -> NDArray[np.float64]:
    """Return what pycocotools would say of an empty list of results, which it refuses."""
    precision = np.full((10, 101, classes, len(SIZES)), -1.0)
    for entry in compared:
        for label, mask in zip(entry.picture.labels, entry.picture.masks, strict=True):
            for index, (low, high) in enumerate(SIZES.values()):
                if low <= mask.area <= high:
                    precision[:, :, label - 1, index] = 0.0
    return precision


def _at_ious(precision: NDArray[np.float64]) -> dict[str, float]:
    return {"ap": _mean(precision), "ap50": _mean(precision[0]), "ap75": _mean(precision[5])}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0
