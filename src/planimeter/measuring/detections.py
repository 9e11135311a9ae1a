"""What a network found, in the pixels of the picture, and the candidates that are made of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.counted import Counted
from planimeter.masks.frames import FrameMasks
from planimeter.masks.paste import MaskEdge, paste_all
from planimeter.masks.pixels import PixelProbabilities
from planimeter.masks.rle import trim_and_encode
from planimeter.masks.window import Box
from planimeter.measurement import Note
from planimeter.measuring.beside import Begin, when_waited_for
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.duplicates import line_up
from planimeter.measuring.familiarity import Texture, typical_texture
from planimeter.pictures.tiles import Tile


@dataclass(frozen=True)
class Detections:
    """What the network found in one tile, sorted by falling score; masks can be made of it at any threshold.

    boxes float64 [N, 4] as x0, y0, x1, y1 in pixels of the whole picture; labels are class ids from 1; masks
    float32 [N, M, M], the probability of each cell of the box, or masks on a grid over the tile.
    """

    tile: Tile
    boxes: NDArray[np.float64]
    labels: list[int]
    scores: list[float]
    masks: NDArray[np.float32] | FrameMasks
    mask_edge: MaskEdge = "extend"
    pixels: PixelProbabilities | None = None
    """What the tile's pixels show, where the network says it."""
    pixel_cells: float = 0
    """In how large boxes that counts how much: see `paste_all`."""
    mask_nms_iou: float = 1
    """From which IoU on two masks are one object: see `line_up`."""
    texture: Texture | None = None
    """What the network's first layers see in the tile, where it says so."""

    def above(self, score_threshold: float) -> "Detections":
        """Return those with a score of at least `score_threshold`."""
        kept = sum(score >= score_threshold for score in self.scores)
        return replace(
            self,
            boxes=self.boxes[:kept],
            labels=self.labels[:kept],
            scores=self.scores[:kept],
            masks=self.masks[:kept],
        )

    def paste(self, height: int, width: int, mask_threshold: float, *, tile: int = 0) -> list[Candidate]:
        """Return the candidates of tile number `tile`, masked where the probability is at least `mask_threshold`."""
        answered = [as_box(row) for row in self.boxes.round(3)]
        if isinstance(self.masks, FrameMasks):
            # A frame is cut where the answer says; box-space masks are pasted as exactly as the network says.
            pasted = [mask.paste(box, mask_threshold) for mask, box in zip(self.masks, answered, strict=True)]
        else:
            pasted = paste_all(
                self.masks,
                self.boxes,
                (height, width),
                mask_threshold,
                edge=self.mask_edge,
                pixels=self.pixels,
                labels=self.labels,
                pixel_cells=self.pixel_cells,
            )
        found = [
            Candidate(box, label, score, mask, tile, encoded=rle)
            for box, label, score, (mask, rle) in zip(
                answered, self.labels, self.scores, trim_and_encode(pasted, height, width), strict=True
            )
        ]
        # Ultralytics drops what its cut leaves nothing of; where the pixels deny a box, nothing was found there.
        if self.pixels is not None or (isinstance(self.masks, FrameMasks) and self.masks.cut):
            return [entry for entry in found if entry.mask.area]
        return found


def as_box(row: NDArray[np.float64]) -> Box:
    """Return a row of a table of boxes as a box."""
    x0, y0, x1, y1 = row.tolist()
    return x0, y0, x1, y1


@dataclass(frozen=True)
class _Part:
    """What is made of one tile."""

    tile: Tile
    entries: list[Candidate]
    said: tuple[NDArray[np.float64], int] | None
    """What its pixels show on average, and how many it has."""


def make_candidates(
    tiles: Iterable[Detections],
    counted: Counted,
    mask_threshold: float,
    *,
    most_instances: int = 0,
    score_floor: float = 0.0,
    picture_notes: Sequence[Note] = (),
    begin: Begin = when_waited_for,
) -> Candidates:
    """Return the candidates of a picture, masked where the probability is at least `mask_threshold`.

    One tile's masks are made, by what is begun with `begin`, while the next tile is asked for, or right after: the
    probabilities of no more than two tiles are held, as they take more memory.
    """
    height, width = counted.size
    canvas: list[NDArray[np.bool_]] = []
    """Where the pixels of all tiles are marked, if the network says what they show."""

    def make(number: int, found: Detections) -> _Part:
        entries = found.paste(height, width, mask_threshold, tile=number)
        said = None
        if found.pixels is not None:
            if not canvas:
                canvas.append(np.zeros((height, width), bool))
            said = found.pixels.mean(), found.pixels.mark_foreground(canvas[0])
        return _Part(found.tile, entries, said)

    parts: list[_Part] = []
    textures: list[Texture] = []
    mask_nms_iou = 1.0
    making: Callable[[], _Part] | None = None
    for number, found in enumerate(tiles):
        if making is not None:
            parts.append(making())
        making = begin(partial(make, number, found))
        mask_nms_iou = found.mask_nms_iou
        if found.texture is not None:
            textures.append(found.texture)
    if making is not None:
        parts.append(making())
    foreground = canvas[0] if canvas else None
    return Candidates(
        counted=counted,
        entries=line_up([(part.tile, part.entries) for part in parts], height, width, mask_nms_iou),
        tiles=len(parts),
        most_instances=most_instances,
        score_floor=score_floor,
        picture_notes=picture_notes,
        foreground=foreground,
        shown=_weighted([part.said for part in parts if part.said is not None]),
        texture=typical_texture(textures),
    )


def _weighted(said: Sequence[tuple[NDArray[np.float64], int]]) -> list[float] | None:
    """Return what the pixels of all tiles say, in percent; a tile weighs as much as it has pixels."""
    if not said:
        return None
    shares, pixels = np.array([share for share, _ in said]), np.array([size for _, size in said])
    return [round(value, 4) for value in (100 * (pixels @ shares) / pixels.sum()).tolist()]
