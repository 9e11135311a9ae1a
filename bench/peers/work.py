"""What every peer does with a picture beside running the network, written as a developer would in an hour.

OpenCV decodes, scales, draws and encodes; pycocotools makes the RLE. Upload and drawn picture are kept in folders, and
nothing is promised: no database, no check of what came, no limit.
"""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

PACK = Path(os.environ["PEER_PACK"])
FOLDER = Path(os.environ["PEER_FOLDER"])
MANIFEST: dict[str, Any] = json.loads((PACK / "pack.json").read_text("utf-8"))
NAMES = [entry["name"] for entry in MANIFEST["classes"]]


def prepare(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """Return the picture, uint8 [H, W, 3] RGB, the network's input, float32 [1, 3, h, w], and its scale."""
    how = MANIFEST["preprocessing"]
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    scale = how["scale"]
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    step = how["multiple"]
    rows, columns = (-(-side // step) * step for side in scaled.shape[:2])
    image = np.zeros((1, 3, rows, columns), np.float32)
    normal = (scaled.astype(np.float32) - np.float32(how["mean"])) / np.float32(how["std"])
    image[0, :, : scaled.shape[0], : scaled.shape[1]] = normal.transpose(2, 0, 1)
    return picture, image, scale


def answer(
    data: bytes, picture: NDArray[np.uint8], scale: float, found: tuple[NDArray[Any], ...]
) -> dict[str, Any]:
    """Paste, unite, encode, draw and keep what the network found: boxes, labels, scores and masks in box space."""
    boxes, labels, scores, masks = found
    height, width = picture.shape[:2]
    union = np.zeros((height, width), bool)
    drawn = picture.copy()
    instances = []
    for box, label, score, mask in zip(boxes / scale, labels, scores, masks, strict=True):
        if score < MANIFEST["thresholds"]["score"]:
            continue
        full = paste(mask, box, height, width)
        if not full.any():
            continue
        union |= full
        drawn[full] = (0.55 * drawn[full] + 0.45 * np.array([34, 211, 238])).astype(np.uint8)
        outline, _ = cv2.findContours(full.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outline, -1, (34, 211, 238), 1)
        rle = coco.encode(np.asfortranarray(full.astype(np.uint8)))
        instances.append(
            {
                "class": NAMES[int(label) - 1],
                "score": float(score),
                "bbox": [float(side) for side in box],
                "area_px": int(full.sum()),
                "mask": {"size": rle["size"], "counts": rle["counts"].decode()},
            }
        )
    id_ = uuid.uuid4().hex
    _, png = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    (FOLDER / f"{id_}.upload").write_bytes(data)
    (FOLDER / f"{id_}.png").write_bytes(png.tobytes())
    return {"id": id_, "percent_masked": 100 * float(union.mean()), "instances": instances}


def paste(mask: NDArray[np.float32], box: NDArray[np.float32], height: int, width: int) -> NDArray[np.bool_]:
    """Return a mask of a box on the whole picture, as Detectron2's demo for the CPU does it."""
    x0, y0, x1, y1 = (round(float(side)) for side in box)
    size = max(x1 - x0, 1), max(y1 - y0, 1)
    inside = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR) >= MANIFEST["thresholds"]["mask"]
    full = np.zeros((height, width), bool)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + size[0], width), min(y0 + size[1], height)
    if left < right and top < bottom:
        full[top:bottom, left:right] = inside[top - y0 : bottom - y0, left - x0 : right - x0]
    return full
