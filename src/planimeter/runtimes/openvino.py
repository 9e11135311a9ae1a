"""The CPU runtime: OpenVINO reads the pack's ONNX file and runs it, on x86 and Arm."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed, InvalidPack, RuntimeUnavailable
from planimeter.packs.packing import new_file
from planimeter.runtimes import RawDetections, Reader, read_own
from planimeter.runtimes.compiling import UNPINNED, compile_network
from planimeter.runtimes.cores import available, shared
from planimeter.runtimes.requests import Requests
from planimeter.runtimes.usual_size import UsualSize

_first_run = threading.Lock()
_has_run = threading.Event()
"""What runs first in a process runs alone. OpenVINO's binding makes tables when it first needs them, and needs Python's
lock for it: two threads that want them at once wait for each other without end, and all others with them."""


class OpenVinoRuntime:
    """A compiled network; `run` is for up to `streams` threads at a time.

    One picture at a time gets all cores. Of several, each gets its share of them, so that none waits for a core that
    another has: on two cores, two small pictures together are through in three quarters of the time, and a third one
    waits in OpenVINO. A size that all pictures have lately gets a network of its own. Answers are the same to the bit.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self, onnx: Path, *, precision: str = "f32", reader: Reader = read_own, streams: int = 1
    ) -> None:
        core = ov.Core()
        offered = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in offered:
            raise RuntimeUnavailable(
                "this CPU has no bfloat16 arithmetic; use --precision f32 (or auto, which is the same)"
            )
        if precision not in {"f32", "bf16"}:
            raise RuntimeUnavailable(f"OpenVINO computes in f32 or bf16 on a CPU, not in {precision}")
        try:
            model = core.read_model(onnx)
            # Without the hint OpenVINO picks bfloat16 by itself where the CPU has it: an unasked loss of digits.
            options = {"INFERENCE_PRECISION_HINT": precision}
            if shared():  # OpenVINO itself would take all
                options |= {"INFERENCE_NUM_THREADS": str(available()), **UNPINNED}
            self._any_size = Requests(core, model, options, min(streams, available()))
            self.streams = self._any_size.at_a_time
        except RuntimeError as error:
            raise InvalidPack(f"{onnx} cannot be loaded by OpenVINO: {error}") from error
        self._usual_size: UsualSize | None = None
        if self._any_size.dynamic:
            self._usual_size = UsualSize(core, model, options, self._any_size, self._outputs)
        self._reader = reader
        self.precision = precision

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        if _has_run.is_set():
            return self._run(image)
        with _first_run:
            found = self._run(image)
            _has_run.set()
            return found

    def _run(self, image: NDArray[np.float32]) -> RawDetections:
        usual = None if self._usual_size is None else self._usual_size.requests(image)
        found = self._outputs(usual or self._any_size, image)
        if self._usual_size is not None and usual is None:
            self._usual_size.seen(image, found)
        return self._reader(found)

    @staticmethod
    def _outputs(requests: Requests, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        shown = (image if requests.rank == 4 else image[0]).astype(requests.kind, copy=False)
        with requests.one(image.shape[2] * image.shape[3]) as request:
            try:
                request.infer(shown)
            except RuntimeError as error:
                raise InferenceFailed(f"OpenVINO could not run the network: {error}") from error
            return {name: request.output(index) for name, index in requests.outputs.items()}

    def rest(self) -> None:
        """Give back the memory of intermediate values; the next picture takes it anew."""
        self._any_size.rest()
        if self._usual_size is not None:
            self._usual_size.rest()


def answered_shapes(onnx: Path, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each output for a grey picture; raises `InvalidPack` where the network cannot be run."""
    core = ov.Core()
    try:
        compiled = compile_network(core, core.read_model(onnx), {"PERFORMANCE_HINT": "LATENCY"})
        wanted = compiled.input(0)
        shape = (1, 3, height, width)[-wanted.get_partial_shape().rank.get_length() :]
        request = compiled.create_infer_request()
        request.infer({0: np.full(shape, 0.5).astype(wanted.get_element_type().to_dtype())})
    except RuntimeError as error:
        raise InvalidPack(f"{onnx.name} cannot be run by OpenVINO: {error}") from error
    return {
        name: tuple(request.get_output_tensor(index).shape)
        for index, output in enumerate(compiled.outputs)
        for name in output.get_names()
    }


def save_ir(onnx: Path, target: Path) -> None:
    """Write the network in OpenVINO's own form: `target`, an .xml file, and a .bin of the same name, in float32."""
    weights = target.with_suffix(".bin")
    with new_file(weights) as aside:
        structure = aside.with_suffix(".xml")
        try:
            ov.save_model(ov.Core().read_model(onnx), structure, compress_to_fp16=False)
        except RuntimeError as error:
            raise InvalidPack(f"{onnx} cannot be read by OpenVINO: {error}") from error
        structure.replace(target)
