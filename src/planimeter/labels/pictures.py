"""Labelled pictures in memory, and their split into a part to learn from and one to validate on."""

import random
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import DataError
from planimeter.masks import WindowMask


@dataclass(frozen=True)
class LabelledPicture:
    """One picture with its true instances; pixels uint8 [H, W, 3] RGB, labels are class ids from 1."""

    name: str
    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]
    masks: tuple[WindowMask, ...]


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


def split(data: LabelledPictures, fraction: float, seed: int) -> tuple[LabelledPictures, LabelledPictures]:
    """Split off a validation part: every picture size gives its share, so that both parts look alike."""
    groups: dict[tuple[int, ...], list[LabelledPicture]] = {}
    for picture in data.pictures:
        groups.setdefault(picture.pixels.shape, []).append(picture)
    chooser = random.Random(seed)  # noqa: S311 - a reproducible split, not a secret
    train: list[LabelledPicture] = []
    validation: list[LabelledPicture] = []
    for shape in sorted(groups):
        group = sorted(groups[shape], key=lambda picture: picture.name)
        chooser.shuffle(group)
        # Rounded at random, so that sizes that are rare are not always on the same side.
        take = int(len(group) * fraction + chooser.random())
        validation += group[:take]
        train += group[take:]
    if not train or not validation:
        raise DataError(
            f"{len(data.pictures)} pictures cannot be split into training and validation with "
            f"a validation fraction of {fraction}; label more pictures or change the fraction"
        )
    return replace(data, pictures=tuple(train)), replace(data, pictures=tuple(validation))
