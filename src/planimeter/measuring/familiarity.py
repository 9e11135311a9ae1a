"""Whether a picture looks like those that a model learnt from, by what the network's first layers see in it.

Their channels answer edges, colours and grain at the scale of the network, which is what changes with another material,
another magnification or another camera. Means and spreads of a picture's channels are compared with those of the
training by their Mahalanobis distance, as Lee et al. 2018 (arXiv:1807.03888) do with deeper layers; those were no
better here, and the first ones are the same in every training that keeps them (docs/accuracy.md).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.measurement import UNLIKE_TRAINING, Note
from planimeter.packs.trust import Familiarity
from planimeter.pictures.preprocessing import Placement

MARGIN = 1
"""Blocks along each edge that do not count, for models that learn from now on: with them any picture of another size
than those of the training looked unlike them, its half and the same surface continued, too."""
Texture = NDArray[np.float64]
"""[2 C]: the mean of each channel over a picture, then the logarithm of its standard deviation."""
_LEAST_SPREAD = 0.05
"""Added to standard deviations: what is smaller is noise."""


def texture_of(blocks: NDArray[np.float32], placement: Placement, margin: int = MARGIN) -> Texture:
    """Return the texture of one input of the network from its blocks [2 C, h, w], mean and mean square of each.

    Only blocks that lie in the picture count, not those of the filling beside it, and of these not the `margin` along
    each edge, where enough are left.
    """
    rows, columns = blocks.shape[1:]
    down = _inside(placement.top, placement.scaled_height, placement.input_height, rows, margin)
    across = _inside(placement.left, placement.scaled_width, placement.input_width, columns, margin)
    means = blocks[:, down, across].mean((1, 2), dtype=np.float64)
    mean, square = np.split(means, 2)
    spread = np.sqrt(np.clip(square - mean**2, 0, None))
    return np.concatenate([mean, np.log(spread + _LEAST_SPREAD)])


def typical_texture(tiles: Sequence[Texture]) -> Texture | None:
    """Return the texture of a picture from those of its tiles; None where the network says none."""
    return np.median(tiles, axis=0) if len(tiles) else None


def distance(familiarity: Familiarity, texture: Texture) -> float:
    """Return how far a picture is from those of the training, in their own spread along each direction."""
    away = np.asarray(familiarity.directions) @ (texture - np.asarray(familiarity.mean))
    return float(np.sqrt(np.mean(away**2)))


def note_unlike(familiarity: Familiarity | None, texture: Texture | None) -> list[Note]:
    """Return the note on a picture that is unlike those of the training."""
    if familiarity is None or texture is None or len(texture) != len(familiarity.mean):
        return []
    away = distance(familiarity, texture)
    if away <= familiarity.limit:
        return []
    message = (
        f"this picture looks unlike those that the model learnt from (by {away / familiarity.limit:.1f} times what "
        "nearly all of them differ), so nothing is promised of its percentage: is it the right model, and the "
        "magnification that it was trained on?"
    )
    return [Note(code=UNLIKE_TRAINING, message=message)]


def _inside(first: int, length: int, total: int, blocks: int, margin: int) -> slice:
    """Return the blocks that lie wholly in what the picture fills, but for the margin; at least one."""
    size = total / blocks
    start = int(np.ceil(first / size))
    end = int((first + length) // size)
    if end <= start:
        return slice(min(int(first // size), blocks - 1), None)
    left_out = min(margin, (end - start - 1) // 2)
    return slice(start + left_out, end - left_out)
