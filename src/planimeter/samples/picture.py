"""A computed picture and its truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """A computed picture and its truth."""

    pixels: NDArray[np.uint8]
    """[H, W], grey."""
    instances: NDArray[np.uint16]
    """[H, W]: 0 is background, 1, 2, … the objects."""

    @property
    def percent_true(self) -> float:
        """The pixels of all objects in percent of the picture."""
        return 100.0 * int(np.count_nonzero(self.instances)) / self.instances.size

    @property
    def instances_true(self) -> int:
        """The number of objects, counting those that the border cuts."""
        return int(self.instances.max())
