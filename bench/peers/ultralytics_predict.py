"""Ultralytics' own `predict` of a YOLO-seg network, in a FastAPI app: masks at the picture's size, percent, drawing.

PEER_WEIGHTS is the network, .pt for PyTorch or .onnx for ONNX Runtime.
"""

import os
import threading
import uuid
from typing import Any

import cv2
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from pycocotools import mask as coco
from ultralytics import YOLO
from work import FOLDER

app = FastAPI()
network = YOLO(os.environ["PEER_WEIGHTS"], task="segment")
lock = threading.Lock()


def run(data: bytes) -> dict[str, Any]:
    """Measure the bytes of a picture."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    with lock:
        # rect=False: the exported network takes a square. retina_masks: masks at the picture's own size.
        found = network.predict(
            picture, conf=0.25, rect=False, retina_masks=True, verbose=False, device="cpu"
        )[0]
    height, width = picture.shape[:2]
    masks = np.zeros((0, height, width), bool)
    if found.masks is not None:
        masks = found.masks.data.to(torch.bool).cpu().numpy()
    instances = []
    for mask, box in zip(masks, found.boxes, strict=True):
        rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        instances.append(
            {
                "class": found.names[int(box.cls)],
                "score": float(box.conf),
                "bbox": box.xyxy[0].tolist(),
                "area_px": int(mask.sum()),
                "mask": {"size": rle["size"], "counts": rle["counts"].decode()},
            }
        )
    id_ = uuid.uuid4().hex
    _, png = cv2.imencode(".png", found.plot())
    (FOLDER / f"{id_}.upload").write_bytes(data)
    (FOLDER / f"{id_}.png").write_bytes(png.tobytes())
    return {"id": id_, "percent_masked": 100 * float(masks.any(0).mean()), "instances": instances}


@app.post("/measure", status_code=201)
async def measure(request: Request) -> dict[str, Any]:
    """Measure the body of a request."""
    return await run_in_threadpool(run, await request.body())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), log_level="warning")
