"""Large pictures in overlapping tiles, so that objects keep the size at which the network knows them.

An object that a tile's edge cuts is found whole in the neighbouring tile where it is no larger than the overlap;
the cut part of it is then dropped. A larger object stays in parts: their union is still its area.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from planimeter.masks.union import count_common
from planimeter.masks.window import WindowMask

# A part that lies this much inside an instance already kept is the same object, seen twice.
SAME_OBJECT = 0.5


@dataclass(frozen=True)
class Tile:
    """A window of a picture: pixels x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Found:
    """One instance, in the picture's pixels: box x0, y0, x1, y1; label is a class id from 1."""

    box: tuple[float, float, float, float]
    label: int
    score: float
    mask: WindowMask


def list_tiles(height: int, width: int, side: int, overlap: int) -> list[Tile]:
    """Return square tiles of `side` pixels that cover a picture; neighbours share `overlap` pixels or more."""
    return [
        Tile(x0, y0, min(x0 + side, width), min(y0 + side, height))
        for y0 in _starts(height, side, overlap)
        for x0 in _starts(width, side, overlap)
    ]


@dataclass(frozen=True)
class Queued:
    """An instance in the order in which instances are chosen."""

    found: Found
    tile: int
    """Index of the tile that it was found in."""
    shared: bool
    """Whether another tile sees its place too."""


@dataclass(frozen=True)
class Queue:
    """The instances of all tiles in the order in which they are chosen, and which of them are the same object."""

    entries: Sequence[Queued]
    rivals: Sequence[tuple[int, ...]]
    """For each instance the earlier ones, by index, that are the same object seen from another tile."""

    @classmethod
    def of(cls, parts: Sequence[tuple[Tile, Sequence[Found]]], height: int, width: int) -> "Queue":
        """Return the queue of what was found in each tile of a picture of that size."""
        entries = queue_up(parts, height, width)
        return cls(entries, find_rivals(entries))

    @property
    def scores(self) -> list[float]:
        """The score of each instance."""
        return [entry.found.score for entry in self.entries]

    def above(self, threshold: float) -> list[Found]:
        """Return what counts at a score threshold, each object once, by falling score."""
        return [self.entries[index].found for index in choose(self.scores, self.rivals, threshold)]


def merge(parts: Sequence[tuple[Tile, Sequence[Found]]], height: int, width: int) -> list[Found]:
    """Return the instances of all tiles, each once, by falling score."""
    return Queue.of(parts, height, width).above(0.0)


def queue_up(parts: Sequence[tuple[Tile, Sequence[Found]]], height: int, width: int) -> list[Queued]:
    """Return the instances of all tiles: the whole ones by falling score, then those cut by an edge of their tile."""
    whole: list[Queued] = []
    doubtful: list[Queued] = []
    for index, (tile, found) in enumerate(parts):
        others = [other for other, _ in parts if other != tile]
        for entry in found:
            shared = any(_meets(entry.box, other) for other in others)
            cut = bool(others) and _is_cut(entry.box, tile, height, width)
            (doubtful if cut else whole).append(Queued(entry, index, shared))
    return [
        entry for group in (whole, doubtful) for entry in sorted(group, key=lambda item: -item.found.score)
    ]


def find_rivals(queue: Sequence[Queued]) -> list[tuple[int, ...]]:
    """Return for each instance the earlier ones, by index, that are the same object seen from another tile."""
    rivals: list[tuple[int, ...]] = [()] * len(queue)
    shared = [index for index, entry in enumerate(queue) if entry.shared]
    if not shared:
        return rivals
    boxes = np.array([queue[index].found.box for index in shared])
    labels = np.array([queue[index].found.label for index in shared])
    for place, index in enumerate(shared):
        x0, y0, x1, y1 = boxes[place]
        earlier = boxes[:place]
        meet = (x0 < earlier[:, 2]) & (x1 > earlier[:, 0]) & (y0 < earlier[:, 3]) & (y1 > earlier[:, 1])
        near = np.flatnonzero(meet & (labels[:place] == labels[place])).tolist()
        mask = queue[index].found.mask
        rivals[index] = tuple(
            shared[other] for other in near if _is_same(mask, queue[shared[other]].found.mask)
        )
    return rivals


def choose(scores: Sequence[float], rivals: Sequence[Sequence[int]], threshold: float = 0.0) -> list[int]:
    """Return the indices of what counts at a score of at least `threshold`, by falling score.

    First come, first chosen: an instance counts unless a rival before it does. So the same instances count
    whether those below the threshold were in the queue or not.
    """
    counts = [False] * len(scores)
    for index, score in enumerate(scores):
        counts[index] = score >= threshold and not any(counts[rival] for rival in rivals[index])
    return sorted((index for index, does in enumerate(counts) if does), key=lambda index: -scores[index])


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = ceil((length - overlap) / (side - overlap))
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]


def _meets(box: tuple[float, float, float, float], tile: Tile) -> bool:
    return box[0] < tile.x1 and box[2] > tile.x0 and box[1] < tile.y1 and box[3] > tile.y0


def _is_cut(box: tuple[float, float, float, float], tile: Tile, height: int, width: int) -> bool:
    """Return whether a box touches an edge of its tile that is no edge of the picture."""
    near = 2.0
    return (
        (tile.x0 > 0 and box[0] < tile.x0 + near)
        or (tile.y0 > 0 and box[1] < tile.y0 + near)
        or (tile.x1 < width and box[2] > tile.x1 - near)
        or (tile.y1 < height and box[3] > tile.y1 - near)
    )


def _is_same(one: WindowMask, other: WindowMask) -> bool:
    smaller = min(one.area, other.area)
    return smaller > 0 and count_common(one, other) > SAME_OBJECT * smaller
