"""What a developer writes in an hour today: FastAPI and uvicorn around the pack's ONNX file in OpenVINO."""

import os
import threading
from typing import Any

import openvino as ov
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from work import MANIFEST, PACK, answer, prepare

app = FastAPI()
core = ov.Core()
options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
compiled = core.compile_model(core.read_model(PACK / MANIFEST["onnx"]["name"]), "CPU", options)
inference = compiled.create_infer_request()
lock = threading.Lock()
OUTPUTS = ("boxes", "labels", "scores", "masks")


def run(data: bytes) -> dict[str, Any]:
    """Measure the bytes of a picture."""
    picture, image, scale = prepare(data)
    with lock:
        inference.infer({0: image})
        found = tuple(inference.get_tensor(name).data.copy() for name in OUTPUTS)
    return answer(data, picture, scale, found)


@app.post("/measure", status_code=201)
async def measure(request: Request) -> dict[str, Any]:
    """Measure the body of a request."""
    return await run_in_threadpool(run, await request.body())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), log_level="warning")
