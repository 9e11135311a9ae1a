"""Instances of other pictures pasted onto crops that show none: rare classes are learnt on more backgrounds.

After Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation", 2021,
https://arxiv.org/abs/2012.07177; here onto crops without an instance alone, and lit as their surroundings are.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from planimeter.labels import LabelledPicture
from planimeter.masks.union import union_mask
from planimeter.masks.window import WindowMask
from planimeter.packs.manifest import Preprocessing
from planimeter.pictures.preprocessing import network_size

_RING = 4
"""Pixels around an instance, in its own picture, that tell how its surroundings are lit."""
_SOFT = 0.8
"""Radius of the blur of the pasted edge, in pixels of the crop: neither a cut nor a glow."""
_LEAST_PIXELS = 6


class Pasting:
    """All instances that can be pasted, each class as often as any other."""

    def __init__(self, pictures: Sequence[LabelledPicture], preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing
        self._of_class: dict[int, list[tuple[LabelledPicture, WindowMask]]] = {}
        for picture in pictures:
            for label, mask in zip(picture.labels, picture.masks, strict=True):
                self._of_class.setdefault(label, []).append((picture, mask))

    def paste(
        self, pixels: NDArray[np.uint8], zoom: float, random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], list[int], NDArray[np.uint8]]:
        """Return a crop [H, W, 3] that shows nothing with an instance on it, its label and its mask, uint8 [1, H, W].

        `zoom` is how much larger objects are shown than the network sees them. An instance that does not fit is left
        out: the crop stays as it is, with no mask.
        """
        height, width = pixels.shape[:2]
        none = np.zeros((0, height, width), np.uint8)
        if not self._of_class:
            return pixels, [], none
        label = int(random.choice(sorted(self._of_class)))
        choices = self._of_class[label]
        picture, chosen = choices[random.integers(len(choices))]
        tall, wide = picture.pixels.shape[:2]
        scale = zoom * network_size(tall, wide, self._preprocessing)[0] / tall
        patch, inside, around = _cut(picture, chosen, scale)
        turns = int(random.integers(4))
        patch, inside, around = np.rot90(patch, turns), np.rot90(inside, turns), np.rot90(around, turns)
        rows, columns = inside.shape
        if rows > height or columns > width or (inside >= 128).sum() < _LEAST_PIXELS:
            return pixels, [], none
        top, left = int(random.integers(height - rows + 1)), int(random.integers(width - columns + 1))
        window = slice(top, top + rows), slice(left, left + columns)
        below = pixels[window].astype(np.float32)
        ring = around >= 128
        if ring.any():
            patch = patch + (below[ring].mean(0) - patch[ring].mean(0))
        share = (inside.astype(np.float32) / 255)[..., np.newaxis]
        pasted = pixels.copy()
        pasted[window] = np.clip(below + (patch - below) * share, 0, 255).round().astype(np.uint8)
        mask = np.zeros((1, height, width), np.uint8)
        mask[0][window] = inside >= 128
        return pasted, [label], mask


def _cut(
    picture: LabelledPicture, mask: WindowMask, scale: float
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an instance at a scale: its pixels [h, w, 3], how far each is its own, and what lies around, 0 to 255."""
    height, width = picture.pixels.shape[:2]
    rows, columns = mask.window
    top, bottom = max(0, rows.start - _RING), min(height, rows.stop + _RING)
    left, right = max(0, columns.start - _RING), min(width, columns.stop + _RING)
    inside = np.zeros((bottom - top, right - left), np.uint8)
    own = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    inside[own] = mask.pixels * np.uint8(255)
    taken = union_mask(picture.masks, height, width)[top:bottom, left:right]
    around = np.where(taken, np.uint8(0), np.uint8(255))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    patch = Image.fromarray(picture.pixels[top:bottom, left:right]).resize(size, Image.Resampling.BILINEAR)
    soft = Image.fromarray(inside).resize(size, Image.Resampling.BILINEAR)
    soft = soft.filter(ImageFilter.GaussianBlur(_SOFT))
    ring = Image.fromarray(around).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(patch, np.float32), np.asarray(soft), np.asarray(ring)
