"""The size that all pictures have lately: for it alone a network is compiled anew, and then takes a seventh less time.

Where OpenVINO knows every shape beforehand, much of the network is computed when it is compiled, and more of the rest
in one go. Its own merging of small steps into larger ones ("snippets") rounds otherwise, and is left out: so answers
stay the same to the bit, which is seen by one of them before any is relied on.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.runtimes.requests import Requests

OFTEN = 40
"""Pictures of one size, one after the other, until the network is compiled for it: that takes the time of as many."""
COMPILING = "usual size"
"""What the threads that compile are called."""
SAME_TO_THE_BIT = {"SNIPPETS_MODE": "DISABLE"}

Run = Callable[[Requests, NDArray[np.float32]], Mapping[str, NDArray[Any]]]
"""Shows a picture to a network, and returns the outputs by name."""


class UsualSize:
    """Sees the sizes of pictures, and has the network compiled for the one that all have; from any thread."""

    def __init__(
        self, core: ov.Core, model: ov.Model, options: dict[str, str], any_size: Requests, run: Run
    ) -> None:
        """`any_size` is what was compiled for pictures of all sizes; `run` shows a picture to what was compiled."""
        self._core, self._model, self._any_size, self._run = core, model, any_size, run
        self._options = options | SAME_TO_THE_BIT
        self._shape: tuple[int, ...] = ()
        self._seen = 0
        self._needed = OFTEN
        self._lock = threading.Lock()
        self._compiling: threading.Thread | None = None
        self._compiled: tuple[tuple[int, ...], Requests] | None = None

    def requests(self, image: NDArray[np.float32]) -> Requests | None:
        """Return the network for pictures of this size, where it was compiled."""
        compiled = self._compiled
        if compiled is None or compiled[0] != image.shape:
            return None
        self._seen = 0
        return compiled[1]

    def seen(self, image: NDArray[np.float32], answer: Mapping[str, NDArray[Any]]) -> None:
        """Take in a picture that the network for any size looked at; compiling begins beside what else goes on."""
        with self._lock:
            self._seen = self._seen + 1 if image.shape == self._shape else 1
            self._shape = image.shape
            if self._seen < self._needed or self._compiling is not None:
                return
            self._seen = 0
            self._needed *= 2  # those who go back and forth between sizes pay for it more and more rarely
            # A copy: the next tile of a picture is written over this one.
            shown = image.copy(), answer
            self._compiling = threading.Thread(target=self._compile, args=shown, name=COMPILING)
            self._compiling.start()

    def rest(self) -> None:
        """Give back the memory of intermediate values."""
        if self._compiled is not None:
            self._compiled[1].rest()

    def _compile(self, image: NDArray[np.float32], answer: Mapping[str, NDArray[Any]]) -> None:
        """Compile for the size of `image`, and rely on it where its answer is that of the network for any size.

        Where it is not, or it cannot be compiled, all stays as it was, for good.
        """
        try:
            model = of_size(self._model, image.shape)
            requests = Requests(self._core, model, self._options, self._any_size.streams)
            found = self._run(requests, image)
        except (RuntimeError, MemoryError, InferenceFailed):
            return
        if all(np.array_equal(found[name], answer[name]) for name in answer):
            self._compiled = image.shape, requests
            self._any_size.give_way()
            self._compiling = None


def of_size(model: ov.Model, shape: tuple[int, ...]) -> ov.Model:
    """Return a network for inputs of one size, [1, 3, H, W], alone; to be compiled with `SAME_TO_THE_BIT`."""
    sized: ov.Model = model.clone()
    entry = sized.input(0)
    rank = entry.get_partial_shape().rank.get_length()
    sized.reshape({entry: ov.PartialShape(list(shape[-rank:]))})
    return sized
