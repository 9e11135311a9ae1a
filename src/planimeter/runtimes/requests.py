"""Requests of a compiled network: one with all cores for a picture that comes alone, others with a share of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import openvino as ov
from numpy.typing import NDArray

from planimeter.runtimes.compiling import compile_network
from planimeter.runtimes.cores import RUNNING, available

STREAM_PIXELS = 400_000
"""Up to so many pixels a network's input is looked at beside another. Larger ones keep all cores busy by themselves
(736 x 960 on two cores: 283 ms together, 482 on one; 256 x 256: 55 and 61), and each request of its own takes memory
for its intermediate values (330 and 50 MiB)."""
WAITING = 1
"""Pictures that wait in OpenVINO for a stream, so that none of them rests while Python passes turns on."""


@dataclass(frozen=True)
class Request:
    """What shows one picture to a compiled network, and holds its answer."""

    own: ov.InferRequest
    waits_for_a_stream: bool = False
    """Whether there are more requests than streams. OpenVINO begins with the next as one ends, while Python's threads
    would have to be called for it first."""

    def infer(self, image: NDArray[Any]) -> None:
        """Show a picture, and wait for the answer; raises RuntimeError."""
        if self.waits_for_a_stream:
            self.own.start_async({0: image}, share_inputs=True)
            self.own.wait()
        else:  # by this thread itself
            self.own.infer({0: image}, share_inputs=True)

    def output(self, index: int) -> NDArray[Any]:
        """Return a copy of an output; what the request holds is overwritten by its next picture."""
        found: NDArray[Any] = self.own.get_output_tensor(index).data.copy()
        return found


class Requests:
    """A compiled network; up to `at_a_time` threads can each take a request of it."""

    def __init__(self, core: ov.Core, model: ov.Model, options: dict[str, str], streams: int) -> None:
        """Compile `model`; raises RuntimeError where OpenVINO cannot."""
        self._compiled = compile_network(core, model, {**options, "PERFORMANCE_HINT": "LATENCY"})
        self._whole = self._compiled.create_infer_request()
        self._whole_taken = threading.Lock()
        self.streams = streams
        self.at_a_time = streams + WAITING if streams > 1 else 1
        self._streams = Streams(core, model, options, streams) if streams > 1 else None
        entry = self._compiled.input(0)
        self.dynamic: bool = entry.get_partial_shape().is_dynamic
        """Whether it takes pictures of more than one size."""
        self.kind = entry.get_element_type().to_dtype()
        """What the numbers of its input are."""
        self.rank: int = entry.get_partial_shape().rank.get_length()
        self.outputs = {
            name: index for index, output in enumerate(self._compiled.outputs) for name in output.get_names()
        }

    @contextmanager
    def one(self, pixels: int) -> Iterator["Request"]:
        """Take the request with all cores, or one with its share of them where another network is at work."""
        with RUNNING.one_more() as alone:
            stream = (
                None if alone or self._streams is None or pixels > STREAM_PIXELS else self._streams.take()
            )
            if stream is None or self._streams is None:
                with self._whole_taken:
                    yield Request(self._whole)
                return
            try:
                yield Request(stream, waits_for_a_stream=True)
            finally:
                self._streams.give_back(stream)

    def give_way(self) -> None:
        """Give back all memory that can be taken anew: other requests look at what comes now."""
        self.rest()
        if self._streams is not None:
            self._streams.forget()

    def rest(self) -> None:
        """Give back the memory of intermediate values; the next picture takes it anew."""
        with self._whole_taken:  # OpenVINO refuses where a picture is in the network
            self._compiled.release_memory()
        if self._streams is not None:
            self._streams.rest()


class Streams:
    """The same network for several pictures at once; compiled beside the first that come together."""

    def __init__(self, core: ov.Core, model: ov.Model, options: dict[str, str], number: int) -> None:
        self._core, self._model, self._number = core, model, number
        threads = max(number, available() // number * number)
        self._options = {
            **options,
            "NUM_STREAMS": str(number),
            "INFERENCE_NUM_THREADS": str(threads),
        }
        self._compiled: ov.CompiledModel | None = None
        self._own: list[ov.InferRequest] = []
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
            if request in self._own:  # one that was forgotten keeps what was compiled for it
                self._free.append(request)

    def rest(self) -> None:
        """Give back the memory of intermediate values, where no picture is in the network."""
        if self._compiled is not None:
            with suppress(RuntimeError):
                self._compiled.release_memory()

    def forget(self) -> None:
        """Give back what was compiled; the next pictures that come together have it compiled anew."""
        with self._lock:
            if self._compiled is not None:
                self._compiled, self._compiling = None, None
                self._own, self._free = [], []

    def _compile(self) -> None:
        try:
            compiled = compile_network(self._core, self._model, self._options)
        except RuntimeError:  # no memory for it: one after the other, as before
            return
        requests = [compiled.create_infer_request() for _ in range(self._number + WAITING)]
        with self._lock:
            self._compiled = compiled
            self._own, self._free = requests, [*requests]
