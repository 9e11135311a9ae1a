"""What a replica's network is to look at, put together by Ray Serve into batches for a GPU.

On a CPU there are none: one picture keeps all threads of a replica busy, so that a batch would only make the first
picture wait for the last.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
from numpy.typing import NDArray
from ray import serve

from planimeter.runtimes import RawDetections, Runtime
from planimeter.runtimes.together import Input, ManyRuntime, run_together

MOST_PIXELS = 4 * 2**20
"""Of the inputs of a batch: 64 of 256 x 256, or 4 of 1024 x 1024. A larger input is alone."""
WAIT_SECONDS = 0.005
"""For which the first picture of a batch waits for others."""


def count_pixels(inputs: Sequence[Input]) -> int:
    """Return how large a batch is; Ray refuses one input that is larger than a batch may be."""
    return sum(min(image.shape[2] * image.shape[3], MOST_PIXELS) for _, image in inputs)


class Batches:
    """The batches of one process: asked from any thread, made in the event loop, run in a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, at_a_time: int) -> None:
        self.at_a_time = at_a_time
        """How many pictures are under way, and so the most that can meet."""
        self.sizes: Counter[int] = Counter()
        """How many batches there were of so many pictures."""
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")

    def around(self, runtime: Runtime) -> Runtime:
        """Return a runtime whose pictures meet those of others, where it is on a GPU and can look at several."""
        if runtime.device == "cpu" or not hasattr(runtime, "run_many"):
            return runtime
        return BatchedRuntime(cast("ManyRuntime", runtime), self)

    def run(self, runtime: ManyRuntime, image: NDArray[np.float32]) -> RawDetections:
        """Have a picture looked at together with others; from any thread but that of the event loop."""
        asked = self._forward((runtime, image))
        found: RawDetections | Exception = asyncio.run_coroutine_threadsafe(asked, self._loop).result()
        if isinstance(found, Exception):
            raise found
        return found

    async def _forward(self, asked: Input) -> RawDetections | Exception:
        (found,) = await self._batch(asked)
        return cast("RawDetections | Exception", found)

    @serve.batch(  # type: ignore[untyped-decorator]
        max_batch_size=MOST_PIXELS, batch_wait_timeout_s=WAIT_SECONDS, batch_size_fn=count_pixels
    )
    async def _batch(self, inputs: list[Input]) -> list[tuple[RawDetections | Exception]]:
        self.sizes[len(inputs)] += 1
        found = await self._loop.run_in_executor(self._thread, run_together, inputs)
        return [(each,) for each in found]  # an error as it is would be raised by Ray, with its own around it


class BatchedRuntime:
    """A network that looks at several pictures at once; whoever shows it one waits for its own answer alone."""

    def __init__(self, runtime: ManyRuntime, batches: Batches) -> None:
        self._runtime = runtime
        self._batches = batches
        self.name = runtime.name
        self.precision = runtime.precision
        self.device = runtime.device
        self.streams = batches.at_a_time

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        return self._batches.run(self._runtime, image)

    def rest(self) -> None:
        """Give back what the network can."""
        self._runtime.rest()
