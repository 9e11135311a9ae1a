"""Labelled pictures by their content: the same pictures with the same labels have the same digest."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planimeter.labels.likeness import group, pixels_digest
from planimeter.labels.pictures import LabelledPicture, LabelledPictures
from planimeter.masks.window import trim

HELD_OUT_SHARE = 0.2
"""Of the pictures, kept apart from training by their content."""
_SCALE = 2**32


@dataclass(frozen=True)
class PictureContent:
    """What one labelled picture holds."""

    name: str
    sha256: str
    """Of its pixels."""
    labels_sha256: str
    """Of its instances, whatever their order."""


def content_of(picture: LabelledPicture, classes: Sequence[str]) -> PictureContent:
    """Return what a picture and its labels hold; `classes` are the names of the ids from 1."""
    instances = []
    for label, mask in zip(picture.labels, picture.masks, strict=True):
        window = trim(mask)
        place = f"{classes[label - 1]}\n{window.x} {window.y} {window.pixels.shape}\n".encode()
        instances.append(hashlib.sha256(place + np.packbits(window.pixels).tobytes()).digest())
    labels = hashlib.sha256(b"".join(sorted(instances))).hexdigest()
    return PictureContent(picture.name, pixels_digest(picture), labels)


def digest_of(contents: Sequence[PictureContent]) -> str:
    """Return one digest of many pictures with their labels, whatever their order and names."""
    lines = sorted(f"{entry.sha256} {entry.labels_sha256}\n" for entry in contents)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def hold_out(data: LabelledPictures) -> tuple[LabelledPictures, LabelledPictures]:
    """Return the pictures to learn from, and those that no training may learn from: about a fifth.

    Which these are follows from their pixels alone, so that a picture that was kept apart once always is: whatever
    models learn in this way, they can be compared on it. A copy of a picture that is learnt from is in neither part.
    """
    held_ids = {id(picture) for picture in data.pictures if _is_held(picture)}
    learn = tuple(picture for picture in data.pictures if id(picture) not in held_ids)
    held = [
        picture
        for alike in group(data.pictures, [])
        if all(id(picture) in held_ids for picture in alike)
        for picture in alike
    ]
    return replace(data, pictures=learn), replace(data, pictures=tuple(held))


def _is_held(picture: LabelledPicture) -> bool:
    return int(pixels_digest(picture)[:8], 16) < HELD_OUT_SHARE * _SCALE
