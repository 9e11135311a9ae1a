"""The network alone: milliseconds of one picture, and pictures a second with several streams."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

import planimeter
from planimeter.packs.pack import Pack
from planimeter.pictures.decode import decode
from planimeter.pictures.preprocessing import preprocess
from planimeter.runtimes.compiling import compile_network
from planimeter.runtimes.cores import available
from planimeter.runtimes.usual_size import COMPILING, OFTEN, SAME_TO_THE_BIT, of_size

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """A model's network on the input of one picture, prepared beforehand: no decoding, masks, drawing or files."""

    run: Callable[[], object]
    """Once, as the service runs it where one picture comes alone."""
    streams: dict[int, "ov.AsyncInferQueue"]
    """The same, compiled for so many pictures at a time."""
    image: Image
    pack: Pack
    precision: str
    """What it computes in, "f32" or "bf16"."""

    def milliseconds(self, seconds: float) -> list[float]:
        """Run one after the other for so long, at least three times; return what each took."""
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end:
            started = time.perf_counter()
            self.run()
            times.append(1000 * (time.perf_counter() - started))
        return times

    def pictures_a_second(self, streams: int, seconds: float) -> float:
        """Keep so many streams busy for so long, each at least twice; return how many pictures a second were run."""
        queue = self.streams[streams]
        started = time.perf_counter()
        number = 0
        while number < 2 * streams or time.perf_counter() < started + seconds:
            queue.start_async({0: self.image})  # waits for a free one
            number += 1
        queue.wait_all()
        return number / (time.perf_counter() - started)


def load_network(data: bytes, model: str, streams: tuple[int, ...] = (), precision: str = "auto") -> Network:
    """Return the network of a model, warm, with the bytes of a picture as its input.

    It is the one that a service has for pictures that all have this size.
    """
    segmenter = planimeter.load(model, infer_with_cpu=True, precision=precision)  # type: ignore[arg-type]
    pack = segmenter.pack
    image, _ = preprocess(decode(data).pixels, pack.manifest.preprocessing, pack.manifest.preprocessing.scale)
    runtime = segmenter._runtime  # noqa: SLF001  below the public API is what this measures
    chosen = segmenter.info.precision
    network = Network(
        lambda: runtime.run(image),
        {number: _queue(pack, image.shape, number, chosen) for number in streams},
        image,
        pack,
        chosen,
    )
    for _ in range(OFTEN + 1):
        network.run()
    for thread in threading.enumerate():
        if thread.name == COMPILING:
            thread.join()
    for queue in network.streams.values():
        for _ in range(len(queue)):
            queue.start_async({0: image})
        queue.wait_all()
    return network


def _queue(pack: Pack, shape: tuple[int, ...], streams: int, precision: str) -> "ov.AsyncInferQueue":
    core = ov.Core()
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(max(streams, available())),
    }
    model = of_size(core.read_model(pack.file(pack.manifest.onnx)), shape)
    compiled = compile_network(core, model, options | SAME_TO_THE_BIT)
    return ov.AsyncInferQueue(compiled, streams)
