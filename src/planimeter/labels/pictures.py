"""Labelled pictures in memory."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import DataError
from planimeter.masks.window import WindowMask
from planimeter.scale import Scale


@dataclass(frozen=True)
class LabelledPicture:
    """One picture with its true instances; pixels uint8 [H, W, 3] RGB, labels are class ids from 1."""

    name: str
    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]
    masks: tuple[WindowMask, ...]
    scale: Scale | None = None
    """How large a pixel is, where that is known."""


@dataclass(frozen=True)
class LabelledPictures:
    """A data set in memory: its classes, in the order of their ids, and its pictures."""

    classes: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]
    format: str = ""
    """What it was read from, for people."""
    doubts: tuple[str, ...] = ()
    """What was read, or left out, but is likely not meant; each names file and object."""

    @property
    def instances(self) -> int:
        """How many instances all pictures have."""
        return sum(len(picture.labels) for picture in self.pictures)

    def with_scale(self, scale: Scale | None) -> "LabelledPictures":
        """Return the same with pixels as large as somebody says; None leaves what the files say."""
        if scale is None:
            return self
        return replace(self, pictures=tuple(replace(picture, scale=scale) for picture in self.pictures))

    def with_classes(self, classes: tuple[str, ...]) -> "LabelledPictures":
        """Return the same with the class ids of a model, whose list may be longer or in another order."""
        unknown = set(self.classes) - set(classes)
        if unknown:
            raise DataError(
                f"the labels have classes that the model does not know: {', '.join(sorted(unknown))}; "
                f"it knows {', '.join(classes)}"
            )
        to = {old: classes.index(name) + 1 for old, name in enumerate(self.classes, start=1)}
        pictures = tuple(
            replace(picture, labels=tuple(to[label] for label in picture.labels)) for picture in self.pictures
        )
        return replace(self, classes=classes, pictures=pictures)
