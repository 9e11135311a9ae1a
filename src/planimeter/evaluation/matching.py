"""Which found instance is which true one: precision, recall and confusion.

Matching is greedy and one to one at an IoU of 0.5, as COCO does it: found instances choose by falling score, each
the true one of highest IoU that is still free. So what is matched above a threshold does not depend on what lies
below it, and one pass tells precision and recall at every threshold; but in a picture measured in tiles, where a
whole object that counts at a lower threshold replaces its part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from planimeter.evaluation.comparison import Compared
from planimeter.masks.union import count_common
from planimeter.masks.window import WindowMask
from planimeter.measuring.candidates import Candidate

IOU = 0.5


@dataclass(frozen=True)
class Matches:
    """The partners in one picture: for each found instance the index of its true one, -1 where it has none."""

    within_class: NDArray[np.int64]
    """[N] where only instances of the same class may match: what precision and recall count."""
    any_class: NDArray[np.int64]
    """[N] where any instances may match: what shows confusions."""


class Confusion(BaseModel):
    """How often which class was found for which true one, at a score threshold.

    Instances match whatever their classes; what has no partner is counted against the background.
    """

    model_config = ConfigDict(frozen=True)

    classes: tuple[str, ...]
    score_threshold: float
    iou: float = IOU
    counts: list[list[int]] = Field(
        description="Rows are true, columns are found; the last row and column are the background."
    )


def match(entry: Compared, iou: float = IOU) -> Matches:
    """Match all found instances of a picture, whatever their scores."""
    labels = entry.picture.labels
    pairs = list_pairs([found.mask for found in entry.found], entry.picture.masks, iou)
    same = [
        [(overlap, index) for overlap, index in others if labels[index] == found.label]
        for others, found in zip(pairs, entry.found, strict=True)
    ]
    return Matches(_choose(same), _choose(pairs))


def list_pairs(
    found: Sequence[WindowMask], true: Sequence[WindowMask], least: float = IOU
) -> list[list[tuple[float, int]]]:
    """Return for each found mask the IoU and index of the true ones with an IoU of at least `least`."""
    if not found or not true:
        return [[] for _ in found]
    one, other = _windows(found)[:, None], _windows(true)[None]
    shared = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    meet: NDArray[np.bool_] = shared.min(axis=-1) > 0
    result = []
    for row, mask in enumerate(found):
        overlaps = [(window_iou(mask, true[index]), index) for index in np.flatnonzero(meet[row]).tolist()]
        result.append([pair for pair in overlaps if pair[0] >= least])
    return result


def window_iou(one: WindowMask, other: WindowMask) -> float:
    """Return the intersection over union of two masks of the same picture."""
    common = count_common(one, other)
    return common / (one.area + other.area - common) if common else 0.0


def match_above(entry: Compared, matches: Matches, threshold: float) -> tuple[list[Candidate], Matches]:
    """Return what counts at a score threshold, and its partners; `matches` are those of all found instances."""
    found = entry.above(threshold)
    if entry.in_tiles:
        # What counts here counts whatever its duplicates do.
        alone = [replace(candidate, duplicates=()) for candidate in found]
        return found, match(replace(entry, candidates=replace(entry.candidates, entries=alone)))
    kept = slice(len(found))  # they are sorted by falling score
    return found, Matches(matches.within_class[kept], matches.any_class[kept])


def precision_recall(
    compared: Sequence[Compared], matches: Sequence[Matches], thresholds: Sequence[float]
) -> NDArray[np.float64]:
    """Return precision, recall and F1 at each threshold, [thresholds, 3]; counts are pooled over all pictures."""
    true = sum(len(entry.picture.labels) for entry in compared)
    counts = count_hits(compared, matches, thresholds).sum(axis=0)
    return np.array([rates(hits, found, true) for hits, found in counts.tolist()]).reshape(-1, 3)


def count_hits(
    compared: Sequence[Compared], matches: Sequence[Matches], thresholds: Sequence[float]
) -> NDArray[np.int64]:
    """Return how many instances have a partner, and how many there are: [pictures, thresholds, 2]."""
    counts = np.zeros((len(compared), len(thresholds), 2), np.int64)
    for picture, (entry, partners) in enumerate(zip(compared, matches, strict=True)):
        for column, threshold in enumerate(thresholds):
            paired = match_above(entry, partners, threshold)[1].within_class
            counts[picture, column] = np.count_nonzero(paired >= 0), len(paired)
    return counts


def rates(hits: int, found: int, true: int) -> tuple[float, float, float]:
    """Return precision, recall and F1; nothing found is no error of precision, nothing there none of recall."""
    return (
        hits / found if found else 1.0,
        hits / true if true else 1.0,
        2 * hits / (found + true) if found + true else 1.0,
    )


def confusion(
    compared: Sequence[Compared], matches: Sequence[Matches], classes: Sequence[str], score_threshold: float
) -> Confusion:
    """Count which class was found for which."""
    background = len(classes)
    counts = np.zeros((background + 1, background + 1), np.int64)
    for entry, partners in zip(compared, matches, strict=True):
        found, kept = match_above(entry, partners, score_threshold)
        missed = set(range(len(entry.picture.labels)))
        for candidate, partner in zip(found, kept.any_class.tolist(), strict=True):
            true = entry.picture.labels[partner] - 1 if partner >= 0 else background
            counts[true, candidate.label - 1] += 1
            missed.discard(partner)
        for index in missed:
            counts[entry.picture.labels[index] - 1, background] += 1
    return Confusion(classes=tuple(classes), score_threshold=score_threshold, counts=counts.tolist())


def _choose(pairs: Sequence[Sequence[tuple[float, int]]]) -> NDArray[np.int64]:
    """Let each in turn take its best partner that is still free."""
    taken: set[int] = set()
    chosen = np.full(len(pairs), -1, np.int64)
    for position, others in enumerate(pairs):
        free = [pair for pair in others if pair[1] not in taken]
        if free:
            chosen[position] = max(free)[1]
            taken.add(int(chosen[position]))
    return chosen


def _windows(masks: Sequence[WindowMask]) -> NDArray[np.int64]:
    """Return [N, 4]: left, top, right and bottom of each window."""
    return np.array(
        [(mask.x, mask.y, mask.x + mask.pixels.shape[1], mask.y + mask.pixels.shape[0]) for mask in masks],
        np.int64,
    )
