"""The colours of instances, told apart from their neighbours."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.window import Bools, WindowMask, row_blocks

Pixels = NDArray[np.uint8]
SPLASH_BRIGHTNESS = 0.45
UNCOUNTED_BRIGHTNESS = 0.35
_LUMA = np.array([77, 150, 29], np.uint16)  # ITU-R BT.601 in 1/256
# How far an instance's colour may leave its class's, in OKLCH: (turn of the hue in degrees, change of the
# lightness). Instances that touch get different ones. Several classes are told apart by hue: there it stays.
_SHADES_ALONE = ((0, 0.0), (-22, 0.0), (20, 0.09), (-11, 0.08), (10, -0.03), (-34, 0.06), (32, 0.15))
_SHADES_AMONG = ((0, 0.0), (0, 0.09), (0, -0.08), (0, 0.16))
# OKLab: B. Ottosson, "A perceptual color space for image processing", 2020,
# https://bottosson.github.io/posts/oklab/
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def shades(colors: Sequence[str]) -> list[list[str]]:
    """Return the colours of each class's instances as "#rrggbb", so that those that touch can differ."""
    turns = _SHADES_ALONE if len(colors) == 1 else _SHADES_AMONG
    return [["#" + _shade(color, *turn).tobytes().hex() for turn in turns] for color in colors]


def paint_instances(
    masks: Sequence[WindowMask], labels: Sequence[int], colors: Sequence[str], shape: tuple[int, ...]
) -> list[Pixels]:
    """Return a colour [3] for each instance: its class's, shaded so that neighbours differ."""
    shades = _SHADES_ALONE if len(colors) == 1 else _SHADES_AMONG
    palette = [[_shade(color, *shade) for shade in shades] for color in colors]
    taken = np.zeros(shape[:2], np.uint8)  # 1 + shade of the instance that lies there
    given = [0] * len(shades)
    paints = []
    for mask, label in zip(masks, labels, strict=True):
        reach = 3
        rows, columns = mask.window
        around = taken[
            max(rows.start - reach, 0) : rows.stop + reach,
            max(columns.start - reach, 0) : columns.stop + reach,
        ]
        counts = np.zeros(1 + len(shades), np.intp)
        for block in row_blocks(*around.shape):
            counts += np.bincount(around[block].ravel(), minlength=len(counts))
        near = counts[1:].tolist()
        shade = min(range(len(shades)), key=lambda shade: (near[shade], given[shade]))
        given[shade] += 1
        taken[mask.window][mask.pixels] = shade + 1
        paints.append(palette[label - 1][shade])
    return paints


@cache
def _shade(color: str, turn: float, lift: float) -> Pixels:
    """Return "#rrggbb" as RGB [3], its hue turned and its lightness changed as the eye counts them."""
    srgb = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lightness, a, b = _LMS_TO_LAB @ np.cbrt(_RGB_TO_LMS @ linear)
    chroma, hue = math.hypot(a, b), math.atan2(b, a) + math.radians(turn)
    lightness = min(lightness + lift, 0.93)
    lab = np.array([lightness, chroma * math.cos(hue), chroma * math.sin(hue)])
    linear = np.linalg.solve(_RGB_TO_LMS, np.linalg.solve(_LMS_TO_LAB, lab) ** 3).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    shaded: Pixels = np.rint(255 * srgb).astype(np.uint8)
    shaded.flags.writeable = False  # shared by all pictures
    return shaded


def dim_rest(canvas: Pixels, counted: Bools) -> None:
    """Darken all of the canvas [H, W, 3] that is not counted [H, W], in its colours."""
    for rows in row_blocks(*counted.shape):
        rest, part = ~counted[rows], canvas[rows]
        part[rest] = (part[rest].astype(np.uint16) * round(256 * UNCOUNTED_BRIGHTNESS)) >> 8


def grey_rest(canvas: Pixels, kept: Bools) -> None:
    """Turn all of the canvas [H, W, 3] but what is kept [H, W] dark grey: so a grey picture too shows what is kept."""
    for rows in row_blocks(*kept.shape):
        rest, part = ~kept[rows], canvas[rows]
        grey = (part[rest].astype(np.uint16) @ _LUMA) >> 8
        part[rest] = (grey * round(256 * SPLASH_BRIGHTNESS) >> 8).astype(np.uint8)[:, np.newaxis]
