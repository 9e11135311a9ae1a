"""Pictures whose truth is known, and what a model found in them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.masks.counted import Counted
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.detections import Detections, make_candidates
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.stopwatch import Stopwatch


@dataclass(frozen=True)
class Compared:
    """One picture: what is true and what was found."""

    picture: LabelledPicture
    candidates: Candidates
    """What was found, down to the model's score floor."""
    detections: tuple[Detections, ...] = ()
    """What the masks were made of, to make them again at another threshold."""
    network_ms: float = 0.0
    total_ms: float = 0.0
    """From pixels to masks at the model's own thresholds; no decoding, no drawing, no files."""

    @property
    def counted(self) -> Counted:
        """The pixels that percentages are percentages of."""
        return self.candidates.counted

    @property
    def in_tiles(self) -> bool:
        """Whether what counts at a threshold is chosen anew there, and not always part of `found`."""
        return self.candidates.tiles > 1

    @cached_property
    def found(self) -> list[Candidate]:
        """All that counts at the lowest threshold, by falling score."""
        return self.above(0.0)

    def above(self, score_threshold: float) -> list[Candidate]:
        """Return what measuring this picture at a score threshold answers."""
        return self.candidates.above(score_threshold)


def compare(
    segmenter: Segmenter, data: LabelledPictures, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> list[Compared]:
    """Segment every picture, with the pack's mask threshold."""
    return [_compare(segmenter, picture) for picture in progress(data.pictures)]


def _compare(segmenter: Segmenter, picture: LabelledPicture) -> Compared:
    thresholds = segmenter.pack.manifest.thresholds
    height, width = picture.pixels.shape[:2]
    counted, watch = Counted(height, width), Stopwatch()
    detections = segmenter.detect(picture.pixels, watch, picture.scale)
    make_candidates((tile.above(thresholds.score) for tile in detections), counted, thresholds.mask)
    timing = watch.timing()
    candidates = make_candidates(detections, counted, thresholds.mask)
    return Compared(picture, candidates, detections, timing.inference, timing.total)


def with_mask_threshold(compared: Sequence[Compared], mask_threshold: float) -> list[Compared]:
    """Return the same pictures with masks made at another threshold; the network does not run again."""
    for entry in compared:
        if not entry.detections:
            raise ValueError(f"picture {entry.picture.name} was compared without its detections")
    return [
        replace(entry, candidates=make_candidates(entry.detections, entry.counted, mask_threshold))
        for entry in compared
    ]
