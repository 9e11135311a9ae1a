"""What measures on a cluster: a replica of the deployment, with one network for each model that it is asked for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import ray
from ray import serve

from planimeter.cluster.batches import Batches
from planimeter.cluster.packs import open_files
from planimeter.errors import PlanimeterError
from planimeter.measurement import Counting, Measurement, ModelInfo
from planimeter.measuring.candidates import Candidates
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.pictures.decode import Picture
from planimeter.runtimes import cores
from planimeter.settings import Inference

MODELS = 3
"""That a replica holds at the same time; the one that was not used for longest makes room."""
Found = TypeVar("Found")


@dataclass(frozen=True)
class Answer:
    """What a replica measured."""

    measurement: Measurement
    candidates: Candidates
    replica: str
    """Its name in Ray."""


class Replica:
    """One process of the deployment. An error of ours is returned: Ray would wrap one that is raised into others."""

    def __init__(self, how: Inference, cpus: int, at_a_time: int) -> None:
        cores.use(cpus)
        self._how = how
        self._files: dict[str, Any] = {}
        self._at_a_time = at_a_time
        self._batches: Batches | None = None
        self._name = serve.get_replica_context().replica_tag
        self._threads = ThreadPoolExecutor(at_a_time, thread_name_prefix="measure")

    async def describe(self, model: str, files: list[Any]) -> ModelInfo | PlanimeterError:
        """Load a model and say what runs it; `files` holds the reference to those of its pack."""
        try:
            return (await self._segmenter(model, files)).info
        except PlanimeterError as error:
            return error

    async def measure(
        self, model: str, files: list[Any], picture: Picture, threshold: float, counting: Counting | None
    ) -> Answer | PlanimeterError:
        """Measure a picture that was decoded."""
        try:
            segmenter = await self._segmenter(model, files)
            return await self._in_thread(partial(self._measure, segmenter, picture, threshold, counting))
        except PlanimeterError as error:
            return error

    async def _segmenter(self, model: str, files: list[Any]) -> Segmenter:
        self._files[model] = files[0]
        loaded: Segmenter = await self.load(model)
        return loaded

    @serve.multiplexed(max_num_models_per_replica=MODELS)  # type: ignore[untyped-decorator]
    async def load(self, model: str) -> Segmenter:
        """Load a model; Ray calls this where it is not there yet."""
        content: dict[str, bytes] = await self._files[model]
        if self._batches is None:
            self._batches = Batches(asyncio.get_running_loop(), self._at_a_time)
        return await self._in_thread(partial(open_files, content, self._how, self._batches.around))

    def _measure(
        self, segmenter: Segmenter, picture: Picture, threshold: float, counting: Counting | None
    ) -> Answer:
        measured = segmenter.measure_picture(
            picture, threshold=threshold, counting=counting, watch=Stopwatch()
        )
        return Answer(measured.without_picture(), measured.candidates(), self._name)

    async def _in_thread(self, work: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def reference(content: dict[str, bytes]) -> Any:
    """Return a reference to the files of a pack, which are kept once in the cluster."""
    return ray.put(content)
