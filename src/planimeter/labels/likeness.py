"""Which pictures are the same, or nearly: what was learnt from must not be validated on.

Two pictures are nearly the same when the steps of their difference hashes (dHash, N. Krawetz 2013: is each
place brighter than the one left of it?) agree and their thumbnails correlate.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
_BLOCK = 512
TURNS: tuple[Image.Transpose | None, ...] = (None, *Image.Transpose)
"""The eight ways to turn and mirror a picture; copies made to have more of them are often turned."""


@dataclass(frozen=True)
class Print:
    """What a picture is recognised by."""

    name: str
    sha256: str
    steps: NDArray[np.float32]
    """Difference hash: darker -1, brighter 1, even 0 for each of 256 places; scaled to length 1."""
    thumbnail: NDArray[np.float32]
    """Grey, with mean 0 and length 1, so that a product is a correlation; zeros for a flat picture."""


@dataclass(frozen=True)
class Pair:
    """A picture and the one most like it."""

    entry: Print
    partner: Print
    exact: bool
    """Whether all pixels are equal."""


def take_print(picture: LabelledPicture) -> Print:
    """Return what a picture is recognised by."""
    grey = Image.fromarray(picture.pixels).convert("L")
    digest = hashlib.sha256(repr(picture.pixels.shape).encode() + picture.pixels.tobytes()).hexdigest()
    return Print(picture.name, digest, _steps(grey), _thumbnail(grey))


def list_pairs(prints: Sequence[Print], others: Sequence[Print], *, earlier_only: bool = False) -> list[Pair]:
    """Return each picture that has a like one among the others, with the most like.

    With `earlier_only` both lists are the same one, and a picture is compared with those before it.
    """
    first: dict[str, Print] = {}
    for entry in others:
        first.setdefault(entry.sha256, entry)
    best: dict[int, tuple[float, int]] = {}
    for index, other, likeness in _alike(prints, others):
        if (not earlier_only or other < index) and likeness > best.get(index, (0.0, 0))[0]:
            best[index] = (likeness, other)
    pairs = []
    for index, entry in enumerate(prints):
        equal = first.get(entry.sha256)
        if equal is not None and equal is not entry:
            pairs.append(Pair(entry, equal, exact=True))
        elif index in best:
            pairs.append(Pair(entry, others[best[index][1]], exact=False))
    return pairs


def group(pictures: Sequence[LabelledPicture]) -> list[list[LabelledPicture]]:
    """Return the pictures in groups: copies of one another, however turned or mirrored, are in one group."""
    squares = [_square(picture) for picture in pictures]
    upright = [_turned(square, None) for square in squares]
    root = list(range(len(pictures)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    same: dict[bytes, int] = {}
    for index, picture in enumerate(pictures):  # flat pictures have no marks, but may be equal
        digest = hashlib.sha256(repr(picture.pixels.shape).encode() + picture.pixels.tobytes()).digest()
        root[index] = find(same.setdefault(digest, index))
    for turn in TURNS:
        for index, other, _ in _alike([_turned(square, turn) for square in squares], upright):
            if index != other:
                root[find(index)] = find(other)
    groups: dict[int, list[LabelledPicture]] = {}
    for index, picture in enumerate(pictures):
        groups.setdefault(find(index), []).append(picture)
    return list(groups.values())


def _square(picture: LabelledPicture) -> Image.Image:
    # A small square is enough for both marks, and quick to turn.
    return Image.fromarray(picture.pixels).convert("L").resize((64, 64), Image.Resampling.BOX)


def _turned(square: Image.Image, turn: Image.Transpose | None) -> Print:
    grey = square if turn is None else square.transpose(turn)
    return Print("", "", _steps(grey), _thumbnail(grey))


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


def _alike(prints: Sequence[Print], others: Sequence[Print]) -> Iterator[tuple[int, int, float]]:
    """Give the index of each print, of each of the others that is nearly the same, and their correlation."""
    if not prints or not others:
        return
    steps = np.stack([entry.steps for entry in others])
    thumbnails = np.stack([entry.thumbnail for entry in others])
    for start in range(0, len(prints), _BLOCK):
        block = prints[start : start + _BLOCK]
        agree = np.stack([entry.steps for entry in block]) @ steps.T
        alike = np.stack([entry.thumbnail for entry in block]) @ thumbnails.T
        rows, columns = np.nonzero((agree >= ALIKE_STEPS) & (alike >= ALIKE_CORRELATION))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            yield start + row, column, float(alike[row, column])
