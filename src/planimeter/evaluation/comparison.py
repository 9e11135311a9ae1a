"""Pictures whose truth is known, and what a model found in them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.measuring.detections import Detections, Segmentation
from planimeter.measuring.segmenter import Segmenter, Stopwatch
from planimeter.pictures.tiles import Queue


@dataclass(frozen=True)
class Compared:
    """One picture: what is true and what was found, down to the model's score floor, by falling score."""

    picture: LabelledPicture
    found: Segmentation
    detections: Detections | None = None
    """What the masks were made of, to make them again at another threshold."""
    network_ms: float = 0.0
    total_ms: float = 0.0
    """From pixels to masks at the model's own thresholds; no decoding, no drawing, no files."""
    queue: Queue | None = None
    """Of a picture in tiles: what counts at a threshold is chosen anew there, and not always part of `found`."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.picture.pixels.shape[:2]
        return height, width

    def above(self, score_threshold: float) -> Segmentation:
        """Return what measuring this picture at a score threshold answers."""
        if self.queue is None:
            return self.found.above(score_threshold)
        return _chosen(self.queue, self.found.tiles, score_threshold)


def compare(
    segmenter: Segmenter, data: LabelledPictures, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> list[Compared]:
    """Segment every picture, with the pack's mask threshold."""
    return [_compare(segmenter, picture) for picture in progress(data.pictures)]


def _compare(segmenter: Segmenter, picture: LabelledPicture) -> Compared:
    thresholds = segmenter.pack.manifest.thresholds
    watch = Stopwatch()
    detections = segmenter.detect(picture.pixels, watch)
    found = detections.segmentation(thresholds.mask, thresholds.score)
    timing = watch.timing()
    compared = Compared(picture, found, detections, timing.inference, timing.total)
    return _with_masks(compared, detections, thresholds.mask)


def with_mask_threshold(compared: Sequence[Compared], mask_threshold: float) -> list[Compared]:
    """Return the same pictures with masks made at another threshold; the network does not run again."""
    changed = []
    for entry in compared:
        if entry.detections is None:
            raise ValueError(f"picture {entry.picture.name} was compared without its detections")
        changed.append(_with_masks(entry, entry.detections, mask_threshold))
    return changed


def _with_masks(entry: Compared, detections: Detections, mask_threshold: float) -> Compared:
    tiles = len(detections.tiles)
    if tiles == 1:
        return replace(entry, found=detections.segmentation(mask_threshold), queue=None)
    queue = detections.queue(mask_threshold)
    return replace(entry, found=_chosen(queue, tiles, 0.0), queue=queue)


def _chosen(queue: Queue, tiles: int, score_threshold: float) -> Segmentation:
    return Segmentation.of(queue.above(score_threshold), limit_reached=False, tiles=tiles)
