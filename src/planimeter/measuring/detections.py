"""What a network found, in the pixels of the picture, and the instances that are made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.paste import FrameMasks, MaskEdge, paste
from planimeter.masks.pixels import PixelProbabilities
from planimeter.masks.window import Box, WindowMask, trim
from planimeter.pictures.tiles import Found, Queue, Tile, merge


@dataclass(frozen=True)
class Segmentation:
    """What was found in one picture, in the picture's own pixels, sorted by falling score.

    boxes float64 [N, 4] as x0, y0, x1, y1; labels are class ids from 1; one mask an instance.
    """

    boxes: NDArray[np.float64]
    labels: list[int]
    scores: list[float]
    masks: list[WindowMask]
    limit_reached: bool = False
    tiles: int = 1

    @classmethod
    def of(cls, instances: Sequence[Found], *, limit_reached: bool, tiles: int) -> "Segmentation":
        """Return the segmentation that consists of `instances`, given by falling score."""
        return cls(
            np.array([entry.box for entry in instances]).reshape(-1, 4),
            [entry.label for entry in instances],
            [entry.score for entry in instances],
            [entry.mask for entry in instances],
            limit_reached,
            tiles,
        )

    def above(self, threshold: float) -> "Segmentation":
        """Return the instances with a score of at least `threshold`."""
        keep = [index for index, score in enumerate(self.scores) if score >= threshold]
        return replace(
            self,
            boxes=self.boxes[keep],
            labels=[self.labels[index] for index in keep],
            scores=[self.scores[index] for index in keep],
            masks=[self.masks[index] for index in keep],
        )


@dataclass(frozen=True)
class TileDetections:
    """What the network found in one tile, sorted by falling score.

    boxes float64 [N, 4] as x0, y0, x1, y1 in pixels of the whole picture; labels are class ids from 1; masks
    float32 [N, M, M], the probability of each cell of the box, or masks on a grid over the tile.
    """

    tile: Tile
    boxes: NDArray[np.float64]
    labels: list[int]
    scores: list[float]
    masks: NDArray[np.float32] | FrameMasks
    limit_reached: bool = False
    mask_edge: MaskEdge = "extend"
    pixels: PixelProbabilities | None = None
    """What the tile's pixels show, where the network says it."""

    def above(self, score_threshold: float) -> "TileDetections":
        """Return those with a score of at least `score_threshold`."""
        kept = sum(score >= score_threshold for score in self.scores)
        return replace(
            self,
            boxes=self.boxes[:kept],
            labels=self.labels[:kept],
            scores=self.scores[:kept],
            masks=self.masks[:kept],
        )

    def paste(self, height: int, width: int, mask_threshold: float) -> list[Found]:
        """Return the instances, masked where the probability is at least `mask_threshold`."""
        answered = _boxes(self.boxes.round(3))
        # Box-space masks are pasted as exactly as the network says; a frame is cut where the answer says.
        exact = answered if isinstance(self.masks, FrameMasks) else _boxes(self.boxes)
        found = [
            Found(
                box,
                label,
                score,
                trim(
                    paste(
                        mask,
                        place,
                        height,
                        width,
                        mask_threshold,
                        edge=self.mask_edge,
                        pixels=self.pixels,
                        label=label,
                    )
                ),
            )
            for box, place, label, score, mask in zip(
                answered, exact, self.labels, self.scores, self.masks, strict=True
            )
        ]
        # Ultralytics drops what its cut leaves nothing of; where the pixels deny a box, nothing was found there.
        if self.pixels is not None or (isinstance(self.masks, FrameMasks) and self.masks.cut):
            return [entry for entry in found if entry.mask.area]
        return found


def _boxes(table: NDArray[np.float64]) -> list[Box]:
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in table.tolist()]


@dataclass(frozen=True)
class Detections:
    """All that the network found in one picture, from which instances are made at any mask threshold."""

    height: int
    width: int
    tiles: tuple[TileDetections, ...]

    def segmentation(self, mask_threshold: float, score_threshold: float = 0.0) -> Segmentation:
        """Return the instances of at least that score, masked where the probability is at least that of a mask."""
        tiles = [tile.above(score_threshold) for tile in self.tiles]
        parts = self._paste(tiles, mask_threshold)
        instances = merge(parts, self.height, self.width) if len(parts) > 1 else parts[0][1]
        return Segmentation.of(
            instances, limit_reached=any(tile.limit_reached for tile in tiles), tiles=len(parts)
        )

    def queue(self, mask_threshold: float) -> Queue:
        """Return all instances, from which those that count are chosen at any score threshold."""
        return Queue.of(self._paste(self.tiles, mask_threshold), self.height, self.width)

    def _paste(
        self, tiles: Sequence[TileDetections], mask_threshold: float
    ) -> list[tuple[Tile, list[Found]]]:
        return [(entry.tile, entry.paste(self.height, self.width, mask_threshold)) for entry in tiles]
