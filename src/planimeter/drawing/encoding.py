"""Pictures as the bytes of PNG and JPEG files."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.drawing.colours import Pixels
from planimeter.drawing.png import write_png
from planimeter.errors import InvalidOption


def encode_png(pixels: Pixels) -> bytes:
    """Return [H, W, 3] pixels as PNG."""
    return write_png(pixels)


def encode_jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Return [H, W, 3] pixels as JPEG, with colours at full resolution so that outlines stay crisp."""
    return _save(Image.fromarray(pixels), "JPEG", quality=quality, subsampling=0)


def encode_mask_png(mask: NDArray[Any]) -> bytes:
    """Return a mask [H, W] as grey PNG: bool as 0 and 255, uint8 and uint16 with their own values."""
    if mask.dtype == np.bool_:
        mask = mask.view(np.uint8) * np.uint8(255)
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.uint16):
        raise InvalidOption(f"a mask is bool, uint8 or uint16 [H, W], not {mask.dtype} {mask.shape}")
    return write_png(mask)


def thumbnail(pixels: Pixels, side: int = 320, quality: int = 85) -> bytes:
    """Return the picture as JPEG with a longer side of at most `side`; smaller pictures keep their size."""
    image = Image.fromarray(pixels)
    # A cheap whole-number reduction first: the fine filter then sees a picture of a few times the size.
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _save(image, "JPEG", quality=quality, subsampling=0)


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
