"""The pictures of the bench, all computed by `planimeter.samples`."""

from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.samples.fluorescence import Scene, draw_scene
from planimeter.samples.surfaces import SteelScene, draw_steel


@cache
def steel_picture(seed: int = 3, side: int = 200) -> bytes:
    """Return a small PNG of a steel strip, with some flaws."""
    scene = SteelScene(seed=seed, height=side, width=side, scratches=3, inclusions=2)
    return encode(draw_steel(scene).pixels, "PNG")


@cache
def nuclei_picture(width: int, height: int) -> bytes:
    """Return a PNG of about 60 nuclei."""
    return encode(_nuclei(1, width, height, 60, 15 * min(width, height) / 480), "PNG")


@cache
def large_picture(width: int, height: int) -> bytes:
    """Return a JPEG of some large nuclei, one to each megapixel: a square, mirrored as often as it takes.

    To compute it whole would take minutes; a mirror leaves no seam.
    """
    square = _nuclei(2, 2048, 2048, 4, 84)
    block = np.block([[square, square[:, ::-1]], [square[::-1], square[::-1, ::-1]]])
    times = -(-height // block.shape[0]), -(-width // block.shape[1])
    return encode(np.tile(block, times)[:height, :width], "JPEG")


def _nuclei(seed: int, width: int, height: int, number: int, radius: float) -> NDArray[np.uint8]:
    scene = Scene(
        seed=seed,
        width=width,
        height=height,
        nuclei=number,
        radius=(0.8 * radius, 1.2 * radius),
        elongation=(1.1, 1.6),
        bend=0.1,
        touching=0.3,
        light=(420.0, 1000.0),
        blur=max(0.6, radius / 15),
    )
    return draw_scene(scene).pixels


def encode(pixels: NDArray[np.uint8], form: str) -> bytes:
    """Return pixels as the bytes of a file, in colour where it is a JPEG, as cameras write them."""
    image = Image.fromarray(pixels)
    encoded = BytesIO()
    if form == "JPEG":
        image.convert("RGB").save(encoded, form, quality=92)
    else:
        image.save(encoded, form)
    return encoded.getvalue()
