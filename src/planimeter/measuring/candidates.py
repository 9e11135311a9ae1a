"""All that the network found in a picture, before any threshold, and what of it counts at a given one.

Kept beside a measurement, it answers for every other score threshold without the network, exactly as a new
measurement would: both choose from the same candidates by the same rule.
"""

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from planimeter.errors import StoreFailed
from planimeter.masks.rle import rle_decode, rle_encode, rle_window
from planimeter.masks.window import WindowMask
from planimeter.measurement import Instance, Measurement, Part, Rle
from planimeter.pictures.tiles import Found, Queue, Tile, choose


class Candidate(Part):
    """One object that the network may have found."""

    class_id: int = Field(ge=1)
    score: float = Field(ge=0, le=1)
    bbox: tuple[float, float, float, float] = Field(description="x, y, width, height in pixels.")
    counts: str = Field(description="The mask: `counts` of its COCO RLE.")
    tile: int = Field(0, ge=0, description="Which tile of a large picture it was found in.")
    rivals: tuple[int, ...] = Field(
        (),
        description="Indices of earlier candidates, seen in another tile: where one of them counts, it is this "
        "object, and this one does not count.",
    )


class Candidates(Part):
    """What a measurement is made from: everything with a score of at least the threshold, but no rivals."""

    size: tuple[int, int] = Field(description="Height and width of the picture.")
    tiles: int = Field(ge=1, description="How many tiles the picture was measured in.")
    most_instances: int = Field(description="The most instances that the network gives for one tile.")
    score_floor: float = Field(description="The network gives nothing that scores less.")
    picture_notes: list[str] = Field(description="Notes about how the picture was read.")
    candidates: list[Candidate] = Field(description="In the order in which they are chosen.")
    foreground: str | None = Field(
        None,
        description="Pixels that the network takes for one of its classes, in an instance or not: `counts` of an RLE; "
        "absent where it has no pixel branch.",
    )

    def shown(self) -> NDArray[np.bool_] | None:
        """Return the foreground, bool [H, W]."""
        return None if self.foreground is None else rle_decode(Rle(size=self.size, counts=self.foreground))

    def above(self, threshold: float) -> tuple[list[Found], bool]:
        """Return what counts at `threshold`, by falling score, and whether the network's limit cut it short."""
        scores = [entry.score for entry in self.candidates]
        chosen = choose(scores, [entry.rivals for entry in self.candidates], threshold)
        full = _is_full([entry.tile for entry in self.candidates], scores, threshold, self.most_instances)
        return [self._found(self.candidates[index]) for index in chosen], full

    def _found(self, entry: Candidate) -> Found:
        x, y, width, height = entry.bbox
        mask = rle_window(Rle(size=self.size, counts=entry.counts))
        return Found((x, y, round(x + width, 3), round(y + height, 3)), entry.class_id, entry.score, mask)

    def pack(self) -> bytes:
        """Return all of it as gzipped JSON."""
        return gzip.compress(self.model_dump_json().encode(), 6, mtime=0)


def unpack(data: bytes) -> Candidates:
    """Return what `Candidates.pack` packed; raises `StoreFailed` where it is damaged."""
    try:
        return Candidates.model_validate_json(gzip.decompress(data))
    except (OSError, EOFError, ValidationError) as error:
        raise StoreFailed(
            "what the network found is damaged, or was kept by a newer Planimeter; measure the picture again"
        ) from error


@dataclass(frozen=True)
class Lineup:
    """The candidates of a picture as they come from the network, tile by tile."""

    parts: Sequence[tuple[Tile, Sequence[Found]]]
    height: int
    width: int
    most_instances: int
    score_floor: float
    picture_notes: Sequence[str] = ()
    foreground: NDArray[np.bool_] | None = None
    """[H, W]: what the network takes for one of its classes, where it says so of each pixel."""

    @property
    def tiles(self) -> int:
        """How many tiles the picture was measured in."""
        return len(self.parts)

    def above(self, threshold: float) -> tuple[list[Found], bool]:
        """Return what counts at `threshold`, by falling score, and whether the network's limit cut it short."""
        parts = [(tile, [entry for entry in found if entry.score >= threshold]) for tile, found in self.parts]
        queue = Queue.of(parts, self.height, self.width)
        full = _is_full([entry.tile for entry in queue.entries], queue.scores, threshold, self.most_instances)
        return queue.above(threshold), full

    def candidates(self) -> Candidates:
        """Return all of it in the form that is kept."""
        queue = Queue.of(self.parts, self.height, self.width)
        return Candidates(
            size=(self.height, self.width),
            tiles=len(self.parts),
            most_instances=self.most_instances,
            score_floor=self.score_floor,
            picture_notes=list(self.picture_notes),
            foreground=None
            if self.foreground is None
            else rle_encode(WindowMask(0, 0, self.foreground), self.height, self.width).counts,
            candidates=[
                Candidate(
                    class_id=entry.found.label,
                    score=entry.found.score,
                    bbox=coco_box(entry.found.box),
                    counts=rle_encode(entry.found.mask, self.height, self.width).counts,
                    tile=entry.tile,
                    rivals=rivals,
                )
                for entry, rivals in zip(queue.entries, queue.rivals, strict=True)
            ],
        )


def candidates_above(measurement: Measurement) -> Candidates:
    """Return the candidates that a measurement without any kept ones still tells: those that counted."""
    return Candidates(
        size=(measurement.image.height, measurement.image.width),
        tiles=1,
        most_instances=len(measurement.instances) + 1,
        score_floor=measurement.options.score_threshold,
        picture_notes=measurement.notes,
        candidates=[
            Candidate(
                class_id=entry.class_id, score=entry.score, bbox=entry.bbox, counts=exact_mask(entry).counts
            )
            for entry in measurement.instances
        ],
    )


def exact_mask(instance: Instance) -> Rle:
    """Return the RLE mask of a recorded instance."""
    if not isinstance(instance.mask, Rle):
        raise StoreFailed("the record has an instance without its exact mask")
    return instance.mask


def coco_box(box: Sequence[float]) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 as COCO's x, y, width, height."""
    x0, y0, x1, y1 = box
    return x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)


def _is_full(tiles: Sequence[int], scores: Sequence[float], threshold: float, most: int) -> bool:
    """Return whether one tile gave as many as the network can."""
    counts = Counter(tile for tile, score in zip(tiles, scores, strict=True) if score >= threshold)
    return any(count >= most for count in counts.values())
