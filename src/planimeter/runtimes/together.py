"""Inputs of one size that are shown to a network together, each with an answer or an error of its own."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planimeter.runtimes import RawDetections, Runtime


class ManyRuntime(Runtime, Protocol):
    """A network that can look at several pictures at once."""

    def run_many(self, images: NDArray[np.float32]) -> list[RawDetections]:
        """Detect in pictures of one size, float32 [B, 3, H, W]."""
        ...


Input = tuple[ManyRuntime, NDArray[np.float32]]
"""A network, and one picture for it, float32 [1, 3, H, W]."""


def run_together(inputs: Sequence[Input]) -> list[RawDetections | Exception]:
    """Return what each network answers for its picture, or the error that it raised for that picture alone.

    Pictures of one network and one size are shown to it at once. Where that fails (one of them cannot be measured,
    or there is no memory for all), they are shown one by one.
    """
    groups: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
    for index, (runtime, image) in enumerate(inputs):
        groups[id(runtime), image.shape].append(index)
    found: dict[int, RawDetections | Exception] = {}
    for indices in groups.values():
        runtime = inputs[indices[0]][0]
        images = [inputs[index][1] for index in indices]
        found |= zip(indices, _run(runtime, images), strict=True)
    return [found[index] for index in range(len(inputs))]


def _run(runtime: ManyRuntime, images: Sequence[NDArray[np.float32]]) -> Sequence[RawDetections | Exception]:
    if len(images) > 1:
        try:
            return runtime.run_many(np.concatenate(images))
        except Exception:  # noqa: BLE001, S110  whose it is shows when each is alone
            pass
    return [_run_alone(runtime, image) for image in images]


def _run_alone(runtime: Runtime, image: NDArray[np.float32]) -> RawDetections | Exception:
    try:
        return runtime.run(image)
    except Exception as error:  # noqa: BLE001  raised where the picture is waited for
        return error
