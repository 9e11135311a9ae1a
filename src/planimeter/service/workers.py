"""Models that a cluster measures with: decoding, drawing and storing stay here."""

from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from planimeter.cluster.deployment import Worker, Workers
from planimeter.errors import RuntimeUnavailable
from planimeter.measurement import Counting, MaskFormat, ModelInfo
from planimeter.measuring.coverage import with_mask_format
from planimeter.measuring.judging import Judging
from planimeter.measuring.measured import Measured
from planimeter.measuring.segmenter import Segmenter, Turn
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.packs.pack import Pack
from planimeter.pictures.decode import Picture
from planimeter.runtimes import RawDetections
from planimeter.scale import Scale
from planimeter.service.deadline import Deadline
from planimeter.service.models import Models
from planimeter.settings import Settings


def models_on(workers: Workers, settings: Settings) -> Models:
    """Return the models of a service that a cluster measures for."""

    def load(pack: Pack, settings: Settings) -> Segmenter:
        # The queue here lets all through that may wait: Ray has one of its own.
        return FarSegmenter(pack, workers.open(pack), 1 + settings.queue_size, settings.deadline)

    return Models(settings, load=load)


class FarSegmenter(Segmenter):
    """A segmenter whose network is on a cluster. A picture takes one turn, however large it is."""

    def __init__(self, pack: Pack, worker: Worker, at_a_time: int, patience: float) -> None:
        super().__init__(pack, _FarNetwork(worker.info, at_a_time))
        self._worker = worker
        self._patience = patience

    def measure_picture(
        self,
        picture: Picture,
        *,
        threshold: float,
        counting: Counting | None = None,
        judging: Judging | None = None,
        mask_format: MaskFormat = "rle",
        watch: Stopwatch,
        turn: Turn | None = None,
    ) -> Measured:
        """Have a picture measured; raises what `Worker.measure` raises."""
        with turn() if turn else nullcontext() as held:
            deadline = held if isinstance(held, Deadline) else Deadline(self._patience)
            watch.lap("queue")
            answer = self._worker.measure(picture, threshold, counting, lambda: deadline.left)
            self.used += 1
            watch.lap("inference")
        if turn:
            watch.lap("queue")
        found = with_mask_format(answer.measurement, mask_format)
        measured = Measured(**{name: getattr(found, name) for name in type(found).model_fields})
        if judging is not None:
            masks = [entry.mask for entry in answer.candidates.above(threshold)]
            measured = judging.of(measured, masks)
        return measured.with_picture(picture.pixels, self.colors, answer.candidates)

    def tiles(self, height: int, width: int, scale: Scale | None = None) -> int:  # noqa: ARG002
        """Return 1: how many turns a picture takes here."""
        return 1


class _FarNetwork:
    """What is known here of a network that is elsewhere."""

    def __init__(self, info: ModelInfo, at_a_time: int) -> None:
        self.name = info.runtime
        self.precision = info.precision
        self.device = info.device
        self.passes = info.passes
        self.streams = at_a_time

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Refuse: pictures are sent to the cluster whole."""
        raise RuntimeUnavailable(f"the network is on a cluster; {image.shape} cannot be shown to it here")

    def rest(self) -> None:
        """Nothing is held here."""
