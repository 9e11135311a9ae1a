"""Pictures whose truth is known, and what a model found in them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.segmenter import Segmentation, Segmenter


@dataclass(frozen=True)
class Compared:
    """One picture: what is true and what was found, down to the model's score floor."""

    picture: LabelledPicture
    found: Segmentation

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.picture.pixels.shape[:2]
        return height, width


def compare(
    segmenter: Segmenter, data: LabelledPictures, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> list[Compared]:
    """Segment every picture."""
    return [Compared(picture, segmenter.segment(picture.pixels)) for picture in progress(data.pictures)]
