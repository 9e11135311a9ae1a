"""What runs a network: OpenVINO on any CPU, PyTorch on a CUDA GPU, behind one small protocol."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed


@dataclass(frozen=True)
class RawDetections:
    """What a network answers for one picture, at network size, sorted by falling score.

    boxes float32 [N, 4] as x0, y0, x1, y1 in input pixels; labels int64 [N], 1 = first class;
    scores float32 [N] in [0, 1]; masks float32 [N, M, M], the probability of each cell of the box.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    masks: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse an answer that could turn into a wrong area; raises `InferenceFailed`."""
        count = len(self.boxes)
        if self.masks.ndim != 3 or len(self.masks) != count:
            raise InferenceFailed(
                f"the network found {count} instances but gave masks of shape {self.masks.shape}"
            )
        if self.boxes.shape != (count, 4) or self.labels.shape != (count,) or self.scores.shape != (count,):
            raise InferenceFailed(
                f"the network's answer does not fit together: boxes {self.boxes.shape}, labels "
                f"{self.labels.shape}, scores {self.scores.shape}"
            )
        for name in ("boxes", "scores", "masks"):
            if not np.isfinite(getattr(self, name)).all():
                raise InferenceFailed(f"the network answered with non-finite {name}")


SENTINEL_SCORE = 2.0


def without_sentinel(
    boxes: NDArray[np.float32], labels: NDArray[Any], scores: NDArray[np.float32], masks: NDArray[np.float32]
) -> RawDetections:
    """Return the detections behind row 0, which every network of ours answers so that none answers nothing.

    Raises `InferenceFailed` where that row is missing: then the rest cannot be relied on.
    """
    if len(scores) < 1 or scores[0] != SENTINEL_SCORE:
        raise InferenceFailed(
            "the network's answer does not start with its sentinel row; export the pack again"
        )
    return RawDetections(boxes[1:], labels[1:].astype(np.int64), scores[1:], masks[1:])


class Runtime(Protocol):
    """A network ready to run. One call at a time, from any thread."""

    name: str
    precision: str
    device: str

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W], normalised and padded as the pack says."""
        ...
