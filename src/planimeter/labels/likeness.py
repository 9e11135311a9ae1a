"""Which pictures are the same, or nearly: what was learnt from must not be validated on.

Two pictures are nearly the same when the steps of their difference hashes (dHash, N. Krawetz 2013: is each
place brighter than the one left of it?) agree and their thumbnails correlate.
"""

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.labels.pictures import LabelledPicture

ALIKE_STEPS = 0.84
"""Cosine of the difference hashes of near-duplicates, at least: 92 of 100 steps that both have agree."""
ALIKE_CORRELATION = 0.98
"""Correlation that their thumbnails have at least: hashes of smooth pictures agree by chance."""
FLAT = 2.0
"""Standard deviation in grey levels below which a thumbnail shows nothing to compare."""

_HASH_SIDE = 16
_STEP = 0.1
"""What counts as a step, in standard deviations of the small picture: less is noise on even ground."""
_THUMBNAIL_SIDE = 32
_SQUARE = 64
_BLOCK = 512
TURNS: tuple[Image.Transpose | None, ...] = (None, *Image.Transpose)
"""The eight ways to turn and mirror a picture; copies made to have more of them are often turned."""
Likeness = Literal["equal", "alike", "turned"]
"""All pixels are equal; nearly the same; nearly the same when turned or mirrored."""


@dataclass(frozen=True)
class Print:
    """What a picture is recognised by."""

    name: str
    sha256: str
    """Of its pixels."""
    square: Image.Image
    """Small, grey, and square: quick to turn."""


@dataclass(frozen=True)
class Pair:
    """A picture and the one most like it."""

    entry: Print
    partner: Print
    how: Likeness


def take_print(picture: LabelledPicture) -> Print:
    """Return what a picture is recognised by."""
    square = Image.fromarray(picture.pixels).convert("L").resize((_SQUARE,) * 2, Image.Resampling.BOX)
    return Print(picture.name, pixels_digest(picture), square)


def pixels_digest(picture: LabelledPicture) -> str:
    """Return the SHA-256 of a picture's size and pixels."""
    return hashlib.sha256(repr(picture.pixels.shape).encode() + picture.pixels.tobytes()).hexdigest()


def list_pairs(prints: Sequence[Print], others: Sequence[Print], *, earlier_only: bool = False) -> list[Pair]:
    """Return each picture that has a like one among the others, with the most like.

    With `earlier_only` both lists are the same one, and a picture is compared with those before it.
    """
    first: dict[str, Print] = {}
    for entry in others:
        first.setdefault(entry.sha256, entry)
    best: dict[int, tuple[float, int, Likeness]] = {}
    for how, index, other, likeness in _alike(prints, others):
        if (not earlier_only or other < index) and likeness > best.get(index, (0.0,))[0]:
            best[index] = (likeness, other, how)
    pairs = []
    for index, entry in enumerate(prints):
        equal = first.get(entry.sha256)
        if equal is not None and equal is not entry:
            pairs.append(Pair(entry, equal, "equal"))
        elif index in best:
            pairs.append(Pair(entry, others[best[index][1]], best[index][2]))
    return pairs


def group(
    pictures: Sequence[LabelledPicture], keys: Sequence[Hashable | None] = ()
) -> list[list[LabelledPicture]]:
    """Return the pictures in groups: copies of one another, however turned or mirrored, are in one group.

    So are pictures with the same key, where there is one for each; None is the same as nothing.
    """
    prints = [take_print(picture) for picture in pictures]
    root = list(range(len(pictures)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    same: dict[str, int] = {}
    for index, entry in enumerate(prints):  # flat pictures have no marks, but may be equal
        root[index] = find(same.setdefault(entry.sha256, index))
    for _, index, other, _ in _alike(prints, prints):
        if index != other:
            root[find(index)] = find(other)
    first: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        if key is not None:
            root[find(index)] = find(first.setdefault(key, index))
    groups: dict[int, list[LabelledPicture]] = {}
    for index, picture in enumerate(pictures):
        groups.setdefault(find(index), []).append(picture)
    return list(groups.values())


def _alike(prints: Sequence[Print], others: Sequence[Print]) -> Iterator[tuple[Likeness, int, int, float]]:
    """Give how each print is like each of the others that is nearly the same, their indices and correlation."""
    if not prints or not others:
        return
    steps, thumbnails = _marks(others, None)
    for turn in TURNS:
        how: Likeness = "alike" if turn is None else "turned"
        for start in range(0, len(prints), _BLOCK):
            own_steps, own_thumbnails = _marks(prints[start : start + _BLOCK], turn)
            agree, alike = own_steps @ steps.T, own_thumbnails @ thumbnails.T
            rows, columns = np.nonzero((agree >= ALIKE_STEPS) & (alike >= ALIKE_CORRELATION))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                yield how, start + row, column, float(alike[row, column])


def _marks(
    prints: Sequence[Print], turn: Image.Transpose | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the marks of pictures, turned: difference hashes [N, 256] and thumbnails [N, 1024], of length 1.

    Hashes hold -1 for darker, 1 for brighter, 0 for even; thumbnails have mean 0, so that a product is a
    correlation, and are all zero for a flat picture.
    """
    squares = [entry.square if turn is None else entry.square.transpose(turn) for entry in prints]
    return np.stack([_steps(square) for square in squares]), np.stack(
        [_thumbnail(square) for square in squares]
    )


def _steps(grey: Image.Image) -> NDArray[np.float32]:
    small = np.asarray(grey.resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX), np.float32)
    changes = np.diff(small, axis=1)
    steps = (np.sign(changes) * (np.abs(changes) > _STEP * small.std())).ravel()
    return np.asarray(steps / max(float(np.linalg.norm(steps)), 1.0), np.float32)


def _thumbnail(grey: Image.Image) -> NDArray[np.float32]:
    small = grey.resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return np.zeros_like(values) if length < FLAT * _THUMBNAIL_SIDE else values / np.float32(length)
