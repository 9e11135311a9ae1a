"""The CPU runtime: OpenVINO reads the pack's ONNX file and runs it, on x86 and Arm."""

from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from planimeter.errors import InvalidPack, RuntimeUnavailable
from planimeter.runtimes import RawDetections, without_sentinel

_OUTPUTS = ("boxes", "labels", "scores", "masks")


class OpenVinoRuntime:
    """A compiled network with one inference request; `run` is for one thread at a time."""

    name = "openvino"
    device = "cpu"

    def __init__(self, onnx: Path, *, precision: str = "f32") -> None:
        core = ov.Core()
        offered = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in offered:
            raise RuntimeUnavailable(
                "this CPU has no bfloat16 arithmetic; use --precision f32 (or auto, which is the same)"
            )
        try:
            model = core.read_model(onnx)
            # Without the hint OpenVINO picks bfloat16 by itself where the CPU has it: an unasked loss of digits.
            options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise InvalidPack(f"{onnx} cannot be loaded by OpenVINO: {error}") from error
        self.precision = precision

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        self._request.infer({"image": image})
        # Copies: the request's own tensors are overwritten by the next picture.
        return without_sentinel(*(self._request.get_tensor(name).data.copy() for name in _OUTPUTS))
