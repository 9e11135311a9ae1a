"""What runs a network: OpenVINO on any CPU, PyTorch on a CUDA GPU, behind one small protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.masks.frames import Axis, FrameMasks
from planimeter.packs.outputs import OUTPUTS, PIXELS, TEXTURE
from planimeter.pictures.preprocessing import Placement


@dataclass(frozen=True, eq=False)
class GridMasks:
    """Masks on a grid over a network's whole input, as networks without masks in box space answer them.

    values float32 [N, h, w], or with `coefficients` float32 [N, K], which mix them, [K, h, w]; `logits` says
    whether they still lack the sigmoid, `cut` whether a mask ends where its box does.
    """

    values: NDArray[np.float32]
    logits: bool
    cut: bool
    coefficients: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.values if self.coefficients is None else self.coefficients)

    def take(self, order: Sequence[int] | NDArray[np.intp]) -> "GridMasks":
        """Return the masks with these indices, in this order."""
        if self.coefficients is None:
            return replace(self, values=self.values[order])
        return replace(self, coefficients=self.coefficients[order])

    def placed(self, placement: Placement, x: int, y: int) -> FrameMasks:
        """Return the masks where they lie in a picture of which a tile at `x`, `y` was the network's input."""
        height, width = self.values.shape[1:]
        bottom, right = placement.top + placement.scaled_height, placement.left + placement.scaled_width
        top, bottom = (edge * height / placement.input_height for edge in (placement.top, bottom))
        left, right = (edge * width / placement.input_width for edge in (placement.left, right))
        edges = (top, bottom, left, right)
        factor = next((n for n in (1, 2, 4, 8) if all((n * edge).is_integer() for edge in edges)), 8)
        top, bottom, left, right = (round(factor * edge) for edge in edges)
        return FrameMasks(
            self.values,
            Axis(height, top, max(bottom, top + 1), y, placement.height, factor),
            Axis(width, left, max(right, left + 1), x, placement.width, factor),
            self.logits,
            self.cut,
            self.coefficients,
        )


@dataclass(frozen=True)
class RawDetections:
    """What a network answers for one picture, at network size.

    boxes float32 [N, 4] as x0, y0, x1, y1 in input pixels; labels int64 [N], 1 = first class; scores float32 [N] in
    [0, 1]; masks float32 [N, M, M], the probability of each cell of the box, or masks on a grid; pixels float32
    [1 + classes, h, w], the probability of background and classes on a grid over the input, where the network says it;
    texture float32 [2 C, h, w], mean and mean square of what its first layers see in each block of the input.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    masks: NDArray[np.float32] | GridMasks
    pixels: NDArray[np.float32] | None = None
    texture: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that could turn into a wrong area; raises `InferenceFailed`."""
        count = len(self.boxes)
        values = self.mask_values
        if values.ndim != 3 or len(self.masks) != count:
            raise InferenceFailed(
                f"the network found {count} instances but gave masks of shape {values.shape}"
            )
        if self.boxes.shape != (count, 4) or self.labels.shape != (count,) or self.scores.shape != (count,):
            raise InferenceFailed(
                f"the network's answer does not fit together: boxes {self.boxes.shape}, labels "
                f"{self.labels.shape}, scores {self.scores.shape}"
            )
        for name, grid in (("pixel branch", self.pixels), ("texture", self.texture)):
            if grid is not None and grid.ndim != 3:
                raise InferenceFailed(f"the network's {name} answered the shape {grid.shape}, not 3 axes")
        for name, numbers in (
            ("boxes", self.boxes),
            ("scores", self.scores),
            ("masks", values),
            ("pixels", self.pixels),
            ("texture", self.texture),
        ):
            if numbers is not None and not np.isfinite(numbers).all():
                raise InferenceFailed(f"the network answered with non-finite {name}")

    @property
    def mask_values(self) -> NDArray[np.float32]:
        """The numbers that masks are made of, [N, h, w], or [K, h, w] where masks are mixed of them."""
        return self.masks.values if isinstance(self.masks, GridMasks) else self.masks

    def take(self, order: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float32] | GridMasks:
        """Return the masks with these indices."""
        return self.masks.take(order) if isinstance(self.masks, GridMasks) else self.masks[list(order)]

    def masks_in(
        self, placement: Placement, x: int, y: int, order: Sequence[int] | NDArray[np.intp]
    ) -> NDArray[np.float32] | FrameMasks:
        """Return the masks with the indices `order`, for `planimeter.masks.paste.paste`; see `GridMasks.placed`."""
        if isinstance(self.masks, GridMasks):
            return self.masks.take(order).placed(placement, x, y)
        return self.masks[order]


SENTINEL_SCORE = 2.0
"""Of row 0; see planimeter.networks.own.BoxSpaceNetwork."""


Tensors = Mapping[str, NDArray[Any]]
"""The outputs of a network by name."""
Reader = Callable[[Tensors], RawDetections]
"""Turns the outputs of one network into detections; see planimeter.layouts."""


def read_own(tensors: Tensors) -> RawDetections:
    """Read the outputs of a network that was built here: the detections behind row 0.

    Every network of ours answers that row so that none answers nothing. Raises `InferenceFailed` where it is missing:
    then the rest cannot be relied on.
    """
    boxes, labels, scores, masks = (tensors[name] for name in OUTPUTS)
    if len(scores) < 1 or scores[0] != SENTINEL_SCORE:
        raise InferenceFailed(
            "the network's answer does not start with its sentinel row; export the pack again"
        )
    pixels, texture = tensors.get(PIXELS), tensors.get(TEXTURE)
    return RawDetections(
        boxes[1:],
        labels[1:].astype(np.int64),
        scores[1:],
        masks[1:],
        None if pixels is None else pixels[0],
        None if texture is None else texture[0],
    )


class Runtime(Protocol):
    """A network ready to run. Up to `streams` calls at a time, from any threads."""

    name: str
    precision: str
    device: str
    streams: int

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W], normalised and padded as the pack says."""
        ...

    def rest(self) -> None:
        """Give back memory that is only needed while it runs, as far as it can."""
        ...
