"""What measures on a cluster: a replica of the deployment, with one network for each model that it is asked for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import ray
from ray import serve
from ray.exceptions import RayError

from planimeter.cluster.batches import Batches
from planimeter.cluster.carried import Asked, from_bytes, to_bytes
from planimeter.cluster.packs import open_files
from planimeter.errors import PlanimeterError
from planimeter.measurement import Measurement, ModelInfo
from planimeter.measuring.candidates import Candidates
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.runtimes import cores
from planimeter.settings import Inference

MODELS = 3
"""That a replica holds at the same time; the one that was not used for longest makes room."""
Found = TypeVar("Found")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a replica measured."""

    measurement: Measurement
    candidates: Candidates
    replica: str
    """Its name in Ray."""


class Replica:
    """One process of the deployment. Errors of ours are returned: Ray would wrap one that is raised into others."""

    def __init__(self, how: Inference, cpus: int, at_a_time: int) -> None:
        cores.use(cpus)
        self._how = how
        self._files: dict[str, Any] = {}
        self._at_a_time = at_a_time
        self._batches: Batches | None = None
        self._name = serve.get_replica_context().replica_tag
        self._threads = ThreadPoolExecutor(at_a_time, thread_name_prefix="measure")

    async def describe(self, model: str, files: list[Any]) -> ModelInfo | Exception:
        """Load a model and say what runs it; `files` holds the reference to those of its pack."""
        self._files[model] = files[0]
        return await self._without_raising(self._describe(model))

    async def measure(
        self, model: str, asked: Asked | bytes, files: list[Any] | None = None
    ) -> Answer | Exception | bytes | None:
        """Measure a picture that was decoded; what was asked packed is answered packed.

        Returns None where the model is not known here and no files of it came along.
        """
        if files:
            self._files[model] = files[0]
        if model not in self._files:
            return None
        found = await self._without_raising(self._measure(model, asked))
        return to_bytes(found) if isinstance(asked, bytes) and isinstance(found, Exception) else found

    async def _describe(self, model: str) -> ModelInfo:
        loaded: Segmenter = await self.load(model)
        return loaded.info

    async def _measure(self, model: str, asked: Asked | bytes) -> Answer | bytes:
        loaded: Segmenter = await self.load(model)
        return await self._in_thread(partial(self._answer, loaded, asked))

    async def _without_raising(self, work: Awaitable[Found]) -> Found | Exception:
        """Return what comes of it, or the error: what is raised is Ray's, and another replica is asked then."""
        try:
            return await work
        except RayError:
            raise
        except PlanimeterError as error:
            return error
        except Exception as error:
            log.exception("a picture could not be measured")
            return error

    @serve.multiplexed(max_num_models_per_replica=MODELS)  # type: ignore[untyped-decorator]
    async def load(self, model: str) -> Segmenter:
        """Load a model; Ray calls this where it is not there yet."""
        content: dict[str, bytes] = await self._files[model]
        if self._batches is None:
            self._batches = Batches(asyncio.get_running_loop(), self._at_a_time)
        return await self._in_thread(partial(open_files, content, self._how, self._batches.around))

    def _answer(self, segmenter: Segmenter, asked: Asked | bytes) -> Answer | bytes:
        picture, threshold, counting = from_bytes(asked) if isinstance(asked, bytes) else asked
        measured = segmenter.measure_picture(
            picture, threshold=threshold, counting=counting, watch=Stopwatch()
        )
        answer = Answer(measured.without_picture(), measured.candidates(), self._name)
        return to_bytes(answer) if isinstance(asked, bytes) else answer

    async def _in_thread(self, work: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def reference(content: dict[str, bytes]) -> Any:
    """Return a reference to the files of a pack, which are kept once in the cluster."""
    return ray.put(content)
