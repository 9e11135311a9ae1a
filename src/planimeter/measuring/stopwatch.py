"""How long each step of a measurement takes."""

import time

from planimeter.measurement import Timing


class Stopwatch:
    """Milliseconds of each step of a measurement."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._steps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """End `step` now."""
        now = time.perf_counter()
        self._steps[step] = self._steps.get(step, 0.0) + 1000 * (now - self._last)
        self._last = now

    def timing(self) -> Timing:
        """Return all steps; what came after the last lap is post-processing."""
        self.lap("postprocess")
        return Timing(**self._steps, total=1000 * (self._last - self._start))
