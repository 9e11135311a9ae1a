"""The pack's ONNX file in OpenVINO and in ONNX Runtime: boxes, labels, scores and masks in box space of one picture.

Row 0 of each is no instance: it is there so that a network never answers nothing.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from work import MANIFEST, PACK

ONNX = PACK / MANIFEST["onnx"]["name"]
OUTPUTS = ["boxes", "labels", "scores", "masks"]
Engine = Callable[[NDArray[np.float32]], tuple[NDArray[Any], ...]]


def openvino_engine() -> Engine:
    """Return a call of OpenVINO with all cores, one picture at a time."""
    import openvino as ov  # noqa: PLC0415  an environment has one of the two

    core = ov.Core()
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(ONNX), "CPU", options).create_infer_request()
    lock = threading.Lock()

    def run(image: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        with lock:
            request.infer({0: image})
            return tuple(request.get_tensor(name).data[1:].copy() for name in OUTPUTS)

    return run


def onnxruntime_engine() -> Engine:
    """Return a call of ONNX Runtime, whose sessions several threads may use."""
    import onnxruntime as ort  # noqa: PLC0415  an environment has one of the two

    session = ort.InferenceSession(ONNX, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(image: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        return tuple(rows[1:] for rows in session.run(OUTPUTS, {name: image}))

    return run
