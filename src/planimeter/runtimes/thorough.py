"""A network that looks four times: the probabilities of pixels, averaged over the picture and its mirror images.

Test-time augmentation as for FCNs (Long et al. 2015, arXiv:1411.4038, and since). Instances are those of the picture
as it is; what is averaged decides where their masks end.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planimeter.runtimes import RawDetections, Runtime

FLIPS = ((3,), (2,), (2, 3))
"""Axes of the input [1, 3, H, W]: left to right, upside down, both."""
PASSES = 1 + len(FLIPS)


class ThoroughRuntime:
    """Runs another runtime on a picture and its mirror images; for networks with a pixel branch."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.name = runtime.name
        self.precision = runtime.precision
        self.device = runtime.device
        self.streams = runtime.streams
        self.passes = PASSES

    def rest(self) -> None:
        """Give back memory that is only needed while it runs."""
        self._runtime.rest()

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        found = self._runtime.run(image)
        if found.pixels is None:
            return found
        total = found.pixels.copy()
        for axes in FLIPS:
            mirrored = self._runtime.run(np.ascontiguousarray(np.flip(image, axes)))
            assert mirrored.pixels is not None  # noqa: S101  the same network
            total += np.flip(mirrored.pixels, tuple(axis - 1 for axis in axes))
        return replace(found, pixels=total / PASSES)
