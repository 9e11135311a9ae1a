"""Masks painted in Label Studio: brushed ones in thi.ng's run lengths, and bitmasks as PNG."""

import base64
import binascii
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.labels.entries import refuse_other_size
from planimeter.labels.files import field
from planimeter.labels.shapes import Shape, bitmap
from planimeter.masks.window import WindowMask
from planimeter.settings import Limits


def brushed(value: Any, height: int, width: int) -> Shape:
    """Return what was painted with BrushLabels; raises `ValueError`."""
    _refuse_too_large(height, width)
    packed = field(value, "rle")
    try:
        data = np.array(packed, np.uint8)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("its rle is no list of bytes") from error
    opacity = _unpack(data, 4 * height * width).reshape(height, width, 4)[..., 3]
    return _of_picture(opacity > 0)


def bitmask(value: Any, height: int, width: int) -> Shape:
    """Return what was painted with BitmaskLabels, a PNG that is transparent elsewhere; raises `ValueError`."""
    _refuse_too_large(height, width)
    head, _, packed = str(field(value, "imageDataURL")).partition(",")
    try:
        with Image.open(BytesIO(base64.b64decode(packed, validate=True)), formats=("PNG",)) as image:
            if image.size != (width, height):
                raise ValueError(
                    f"its mask is {image.width} x {image.height}, its picture {width} x {height}"
                )
            if not image.has_transparency_data:
                raise ValueError(
                    "its mask has no transparent background, so nobody could tell what was painted"
                )
            opacity = np.asarray(image.convert("RGBA"))[..., 3]
    except (OSError, SyntaxError, binascii.Error, Image.DecompressionBombError) as error:
        raise ValueError(f"its imageDataURL ({head[:40]}) is no PNG, or damaged") from error
    return _of_picture(opacity > 0)


def _refuse_too_large(height: int, width: int) -> None:
    if not 0 < height * width <= Limits().max_pixels:
        raise ValueError(
            f"its size is {width} x {height}, and a picture has {Limits().max_pixels} pixels at most"
        )


def _of_picture(pixels: NDArray[np.bool_]) -> Shape:
    """Return a mask [H, W] that fits a picture of its own size only."""
    shape = bitmap(0, 0, pixels)
    size = (int(pixels.shape[0]), int(pixels.shape[1]))

    def draw(height: int, width: int) -> WindowMask:
        refuse_other_size("its mask", size, (height, width))
        return shape.draw(height, width)

    return Shape(shape.bounds, draw)


def _unpack(data: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return the `count` values of a brushed RGBA picture, packed as thi.ng's rle-pack does it.

    Behind the count (32 bits), the length of a value and four lengths of counts stand runs: a bit that says whether
    one value is repeated, two that choose the length of the run's count, the count, and the value or values.
    """
    bits = _Bits(data)
    if bits.take(32) != count:
        raise ValueError("its rle is not as long as its picture")
    word = bits.take(5) + 1
    lengths = [bits.take(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeated = bits.take(1)
        end = at + 1 + bits.take(lengths[bits.take(2)])
        if end > count:
            raise ValueError("its rle is longer than its picture")
        if repeated:
            values[at:end] = bits.take(word) & 0xFF
        else:
            values[at:end] = [bits.take(word) & 0xFF for _ in range(at, end)]
        at = end
    return values


class _Bits:
    """Reads numbers of any length in bits."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._bits = (np.unpackbits(data) + ord("0")).tobytes().decode("ascii")
        self._at = 0

    def take(self, length: int) -> int:
        """Return the next number; raises `ValueError` where nothing is left."""
        bits = self._bits[self._at : self._at + length]
        if len(bits) < length:
            raise ValueError("its rle is cut short")
        self._at += length
        return int(bits, 2)
