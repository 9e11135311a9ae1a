"""The CPU runtime: OpenVINO reads the pack's ONNX file and runs it, on x86 and Arm."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as opset
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed, InvalidPack, RuntimeUnavailable
from planimeter.packs.packing import new_file
from planimeter.runtimes import RawDetections, Reader, read_own
from planimeter.runtimes.cores import RUNNING, available, shared
from planimeter.runtimes.levels import merge_levels

STREAM_PIXELS = 400_000
"""Up to so many pixels a network's input is looked at beside another. Larger ones keep all cores busy by themselves
(736 x 960 on two cores: 283 ms together, 482 on one; 256 x 256: 55 and 61), and each request of its own takes memory
for its intermediate values (330 and 50 MiB)."""
UNPINNED = {"ENABLE_CPU_PINNING": "NO"}
"""Where other processes have a share of the cores. By itself OpenVINO ties each thread to a core, the first of each
process to the first core: two processes of one thread were seen to share one core while the other rested."""

_first_run = threading.Lock()
_has_run = threading.Event()
"""What runs first in a process runs alone. OpenVINO's binding makes tables when it first needs them, and needs Python's
lock for it: two threads that want them at once wait for each other without end, and all others with them."""


class OpenVinoRuntime:
    """A compiled network; `run` is for up to `streams` threads at a time.

    One picture at a time gets all cores. Of several, each gets its share of them, so that none waits for a core that
    another has: on two cores, two small pictures together are through in three quarters of the time. Answers are the
    same to the bit.
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
            options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
            if shared():  # OpenVINO itself would take all
                options |= {"INFERENCE_NUM_THREADS": str(available()), **UNPINNED}
            compiled = self._compiled = _compile(core, model, options)
        except RuntimeError as error:
            raise InvalidPack(f"{onnx} cannot be loaded by OpenVINO: {error}") from error
        self._whole = compiled.create_infer_request()
        self._whole_taken = threading.Lock()
        self.streams = min(streams, available())
        self._streams = _Streams(core, model, precision, self.streams) if self.streams > 1 else None
        self._outputs = {
            name: index for index, output in enumerate(compiled.outputs) for name in output.get_names()
        }
        self._input = compiled.input(0)
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
        kind = self._input.get_element_type().to_dtype()
        rank = self._input.get_partial_shape().rank.get_length()
        with self._request(image.shape[2] * image.shape[3]) as request:
            try:
                request.infer({0: (image if rank == 4 else image[0]).astype(kind, copy=False)})
            except RuntimeError as error:
                raise InferenceFailed(f"OpenVINO could not run the network: {error}") from error
            # Copies: the request's own tensors are overwritten by the next picture.
            found = {
                name: request.get_output_tensor(index).data.copy() for name, index in self._outputs.items()
            }
        return self._reader(found)

    def rest(self) -> None:
        """Give back the memory of intermediate values; the next picture takes it anew."""
        self._compiled.release_memory()
        if self._streams is not None:
            self._streams.rest()

    @contextmanager
    def _request(self, pixels: int) -> Iterator[ov.InferRequest]:
        """Take the request with all cores, or one with its share of them where another network is at work."""
        with RUNNING.one_more() as alone:
            stream = (
                None if alone or self._streams is None or pixels > STREAM_PIXELS else self._streams.take()
            )
            if stream is None or self._streams is None:
                with self._whole_taken:
                    yield self._whole
                return
            try:
                yield stream
            finally:
                self._streams.give_back(stream)


class _Streams:
    """The same network for several pictures at once; compiled beside the first that come together."""

    def __init__(self, core: ov.Core, model: ov.Model, precision: str, number: int) -> None:
        self._core, self._model, self._number = core, model, number
        threads = max(number, available() // number * number)
        self._options = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": str(number),
            "INFERENCE_NUM_THREADS": str(threads),
            **(UNPINNED if shared() else {}),
        }
        self._compiled: ov.CompiledModel | None = None
        self._free: list[ov.InferRequest] = []
        self._lock = threading.Lock()
        self._compiling: threading.Thread | None = None

    def take(self) -> ov.InferRequest | None:
        """Return a request that is free, or None; the first call has them compiled, and does not wait for it."""
        with self._lock:
            if self._compiling is None:
                self._compiling = threading.Thread(target=self._compile, name="streams")
                self._compiling.start()
            return self._free.pop() if self._free else None

    def give_back(self, request: ov.InferRequest) -> None:
        """Let another picture have a request."""
        with self._lock:
            self._free.append(request)

    def rest(self) -> None:
        """Give back the memory of intermediate values."""
        if self._compiled is not None:
            self._compiled.release_memory()

    def _compile(self) -> None:
        try:
            compiled = _compile(self._core, self._model, self._options)
        except RuntimeError:  # no memory for it: one after the other, as before
            return
        requests = [compiled.create_infer_request() for _ in range(self._number)]
        with self._lock:
            self._compiled = compiled
            self._free += requests


def answered_shapes(onnx: Path, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each output for a grey picture; raises `InvalidPack` where the network cannot be run."""
    core = ov.Core()
    try:
        compiled = _compile(core, core.read_model(onnx), {"PERFORMANCE_HINT": "LATENCY"})
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


def _compile(core: ov.Core, model: ov.Model, options: dict[str, str]) -> ov.CompiledModel:
    """Compile for the CPU; a second time around what OpenVINO 2026.4 was seen to stumble over.

    It takes a Slice before a GatherElements away, as YOLO26's end-to-end head has them, and then finds that shapes no
    longer fit. A maximum with the lowest number there is changes no value and keeps the two apart.
    """
    merge_levels(model)
    try:
        return core.compile_model(model, "CPU", options)
    except RuntimeError:
        gathers = [entry for entry in model.get_ops() if entry.get_type_name() == "GatherElements"]
        if not gathers:
            raise
    for gather in gathers:
        source = gather.input_value(0)
        if source.get_element_type() == ov.Type.f32:
            lowest = np.float32(np.finfo(np.float32).min)
            gather.input(0).replace_source_output(opset.maximum(source, lowest).output(0))
    model.validate_nodes_and_infer_types()
    return core.compile_model(model, "CPU", options)


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
