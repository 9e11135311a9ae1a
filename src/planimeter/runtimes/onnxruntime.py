"""The ONNX Runtime runtime: the pack's ONNX file with any of its providers, such as CUDA or DirectML. An extra."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed, InvalidPack, RuntimeUnavailable
from planimeter.runtimes import RawDetections, Reader, read_own
from planimeter.runtimes.cores import available

_CPU = "CPUExecutionProvider"
# In this order; each computes in float32. Others may be faster, but round without saying so.
_GPUS = {
    "CUDAExecutionProvider": "cuda",
    "MIGraphXExecutionProvider": "rocm",
    "ROCMExecutionProvider": "rocm",
    "DmlExecutionProvider": "directml",
}
# TF32 would round inputs to 10 bits: not the float32 that the answer names.
_OPTIONS: dict[str, dict[str, str]] = {"CUDAExecutionProvider": {"use_tf32": "0"}}
_KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def find_gpu() -> str | None:
    """Return the provider for a GPU that this build of ONNX Runtime has, or None."""
    offered = ort.get_available_providers()
    return next((provider for provider in _GPUS if provider in offered), None)


class OnnxRuntime:
    """A session of ONNX Runtime; `run` is for one thread at a time."""

    name = "onnxruntime"
    precision = "f32"
    streams = 1

    def __init__(
        self, onnx: Path, *, precision: str = "f32", cpu_only: bool = True, reader: Reader = read_own
    ) -> None:
        if precision != "f32":
            raise RuntimeUnavailable(f"ONNX Runtime computes in f32 here, not in {precision}")
        gpu = None if cpu_only else find_gpu()
        options = ort.SessionOptions()
        options.log_severity_level = 3  # its warnings are about its own optimiser
        options.intra_op_num_threads = available()
        wanted: list[Any] = [(gpu, _OPTIONS.get(gpu, {}))] if gpu else []
        try:
            self._session = ort.InferenceSession(str(onnx), options, providers=[*wanted, _CPU])
        except Exception as error:
            raise InvalidPack(f"{onnx} cannot be loaded by ONNX Runtime: {error}") from error
        # A provider whose driver is missing is left out by ONNX Runtime itself: ask what is really used.
        used = self._session.get_providers()[0]
        self.device = _GPUS.get(used, "cpu")
        self._input = self._session.get_inputs()[0]
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._reader = reader

    def rest(self) -> None:
        """Give back nothing: ONNX Runtime keeps its arena for as long as its session."""

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        given = (image if len(self._input.shape) == 4 else image[0]).astype(
            _KINDS[self._input.type], copy=False
        )
        try:
            answer = self._session.run(self._outputs, {self._input.name: given})
        except Exception as error:
            raise InferenceFailed(f"ONNX Runtime could not run the network: {error}") from error
        return self._reader(dict(zip(self._outputs, answer, strict=True)))
