"""What people changed of a picture's objects elsewhere: a labelling compared with the objects that were there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planimeter.corrections import Added, Changes, Reclassed, Replaced
from planimeter.masks.rle import rle_encode
from planimeter.masks.window import WindowMask

SAME_OBJECT = 0.5
"""Intersection over union from which on a mask is one that was there, redrawn."""


@dataclass(frozen=True)
class Known:
    """An object that is there."""

    id: int
    class_name: str
    mask: WindowMask


@dataclass(frozen=True)
class Labelled:
    """An object as people left it."""

    class_name: str
    mask: WindowMask


def changes_between(known: Sequence[Known], labelled: Sequence[Labelled], size: tuple[int, int]) -> Changes:
    """Return what turns the objects that are there into those of a labelling of the same picture [H, W].

    An object is the same one, redrawn or of another class, where its masks share half of their union or more: each
    goes with the one that it shares most with. What is left is rejected or added. What was redrawn keeps what of
    it does not count: a labelling has not shown it.
    """
    pairs = _pairs(known, labelled)
    reclass, replace = [], []
    for before, after in sorted(pairs.items()):
        old, new = known[before], labelled[after]
        if old.class_name != new.class_name:
            reclass.append(Reclassed(id=old.id, class_name=new.class_name))
        if not _equal(old.mask, new.mask):
            replace.append(Replaced(id=old.id, mask=rle_encode(new.mask, *size), outside_of=[old.id]))
    matched = set(pairs.values())
    return Changes(
        reject=[entry.id for index, entry in enumerate(known) if index not in pairs],
        reclass=reclass,
        replace=replace,
        add=[
            Added(class_name=entry.class_name, mask=rle_encode(entry.mask, *size))
            for index, entry in enumerate(labelled)
            if index not in matched
        ],
    )


def _pairs(known: Sequence[Known], labelled: Sequence[Labelled]) -> dict[int, int]:
    """Return which labelled object each known one has become; the same mask and class before all others."""
    if not known or not labelled:
        return {}
    boxes, others = _boxes([entry.mask for entry in known]), _boxes([entry.mask for entry in labelled])
    found = []
    for before, box in enumerate(boxes):
        touching = np.flatnonzero(((others[:, :2] < box[2:]) & (others[:, 2:] > box[:2])).all(axis=1))
        for after in touching.tolist():
            share = _iou(known[before].mask, labelled[after].mask)
            if share >= SAME_OBJECT:
                same = known[before].class_name == labelled[after].class_name
                found.append((-share, not same, before, after))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, before, after in sorted(found):
        if before not in pairs and after not in taken:
            pairs[before] = after
            taken.add(after)
    return pairs


def _boxes(masks: Sequence[WindowMask]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return left, top, right and bottom of each window, [N, 4]."""
    return np.array(
        [(mask.x, mask.y, mask.x + mask.pixels.shape[1], mask.y + mask.pixels.shape[0]) for mask in masks],
        np.int64,
    ).reshape(-1, 4)


def _iou(one: WindowMask, other: WindowMask) -> float:
    left, top = max(one.x, other.x), max(one.y, other.y)
    right = min(one.x + one.pixels.shape[1], other.x + other.pixels.shape[1])
    bottom = min(one.y + one.pixels.shape[0], other.y + other.pixels.shape[0])
    if left >= right or top >= bottom:
        return 0.0
    parts = (
        mask.pixels[top - mask.y : bottom - mask.y, left - mask.x : right - mask.x] for mask in (one, other)
    )
    common = int(np.logical_and(*parts).sum())
    return common / (one.area + other.area - common) if common else 0.0


def _equal(one: WindowMask, other: WindowMask) -> bool:
    return one.area == other.area and _iou(one, other) == 1.0
