"""Learning what the pictures of a training look like, to tell others from them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.comparison import Compared
from planimeter.labels import LabelledPictures
from planimeter.measuring.familiarity import MARGIN, Texture, distance, note_unlike, typical_texture
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.trust import Familiarity

LEAST_PICTURES = 20
PICTURES_LOOKED_AT = 1000
FAR = 0.97
"""Share of the training's pictures that lie nearer than the limit, each judged by the others: a few are odd themselves,
and a limit beyond them lets other scales pass. Of `tiles` twice as large it tells 8 of 10, where 0.985 tells 3."""
_PARTS = 5
_MOST_DIRECTIONS = 48
_SMOOTHING = 0.001
"""Of the mean variance: directions in which the training hardly varies must not outweigh all others."""


def learn_familiarity(textures: Sequence[Texture]) -> Familiarity | None:
    """Return what the pictures with these textures have in common; None where they are too few to say."""
    if len(textures) < LEAST_PICTURES:
        return None
    values = np.stack(textures)
    fifth = np.arange(len(values)) % _PARTS
    distances: list[float] = []
    for part in range(_PARTS):
        others = _describe(values[fifth != part], 1.0)
        distances += [distance(others, texture) for texture in values[fifth == part]]
    return _describe(values, float(np.quantile(distances, FAR)))


def look_at(segmenter: Segmenter, data: LabelledPictures) -> list[Texture]:
    """Return what the network's first layers see in up to `PICTURES_LOOKED_AT` pictures, spread over all of them.

    Nothing for a network that does not answer it.
    """
    pictures = data.pictures
    chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), PICTURES_LOOKED_AT)).round().astype(int)
    textures = []
    for index in chosen.tolist():
        picture = pictures[index]
        found = [tile.texture for tile in segmenter.detect(picture.pixels, scale=picture.scale)]
        texture = typical_texture([entry for entry in found if entry is not None])
        if texture is not None:
            textures.append(texture)
    return textures


def count_unlike(compared: Sequence[Compared], familiarity: Familiarity | None) -> int | None:
    """Return how many pictures are unlike those of the training; None where the model does not know."""
    if familiarity is None:
        return None
    return sum(bool(note_unlike(familiarity, entry.candidates.texture)) for entry in compared)


def _describe(values: NDArray[np.float64], limit: float) -> Familiarity:
    mean = values.mean(axis=0)
    scale = values.std(axis=0) + 1e-3
    spreads, axes = np.linalg.eigh(np.cov(((values - mean) / scale).T))
    spreads = np.clip(spreads, 0, None)
    kept = slice(-_MOST_DIRECTIONS, None)
    directions = (axes / np.sqrt(spreads + _SMOOTHING * spreads.mean())).T[kept] / scale
    return Familiarity(
        mean=_short(mean),
        directions=tuple(_short(row) for row in directions),
        limit=round(limit, 4),
        pictures=len(values),
        margin=MARGIN,
    )


def _short(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
