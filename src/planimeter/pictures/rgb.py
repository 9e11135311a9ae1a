"""From what a decoder hands out to upright RGB of 8 bits.

What each step does to the numbers stands in `docs/pictures.md`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import UndecodablePicture
from planimeter.measurement import Note
from planimeter.pictures.stored import StoredImage

Kind = TypeVar("Kind", bound=np.generic)
Bools = NDArray[np.bool_]
OPAQUE = 128
"""The lowest alpha of a pixel that is not transparent."""
EFFECTIVE_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras deliver inside 16-bit files."""

ALPHA_DROPPED = "alpha_dropped"
"""The code of the note on a picture with pixels that are not opaque."""
_ORIENTATION_TAG = 0x0112
_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
"""By the EXIF orientation of the stored pixels."""
QUARTER_TURNS = frozenset({5, 6, 7, 8})
"""The orientations in which width and height change places."""
_STRIP_PIXELS = 1 << 20


def orientation_of(image: Image.Image, notes: list[Note]) -> object:
    """Return the EXIF orientation (Pillow has applied a TIFF's by itself when it loaded the pixels)."""
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - as in _hostile; the pixels are sound, so viewers show the picture too
        message = "EXIF damaged: measured in the orientation in which the pixels are stored"
        notes.append(Note(code="orientation_unknown", message=message))
        return 1


def upright(pixels: NDArray[Kind], orientation: object) -> NDArray[Kind]:
    """Return pixels turned as the EXIF orientation says."""
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def to_rgb(
    image: Image.Image, stored: StoredImage, notes: list[Note], transparent: list[Bools] | None = None
) -> NDArray[np.uint8]:
    """Return [H, W, 3] uint8 from an image of any of Pillow's modes.

    Where pixels are transparent, [H, W] of those is appended to `transparent`.
    """
    mode = image.mode
    if mode == "F":
        raise UndecodablePicture(
            "the picture has floating-point pixels, and no rule says which value is white; "
            "convert it to 8- or 16-bit grey first"
        )
    if mode == "LAB":  # which Pillow converts, and how, depends on its release
        raise UndecodablePicture("the picture has CIELAB colours; convert it to RGB first")
    if mode.startswith("I"):
        return grey_to_rgb(_deep_grey(image, notes, white_is_zero=stored.white_is_zero))
    if stored.depth > 8:
        message = f"{stored.depth} bits per channel: the upper 8 were used"
        notes.append(Note(code="depth_reduced", message=message))
    if mode == "CMYK":
        notes.append(Note(code="colours_converted", message="CMYK converted to RGB without a colour profile"))
    if mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        return _without_alpha(image, notes, [] if transparent is None else transparent)
    return _in_strips(image, "RGB", lambda strip: strip)


def _without_alpha(image: Image.Image, notes: list[Note], transparent: list[Bools]) -> NDArray[np.uint8]:
    see_through = 0
    parts: list[Bools] = []

    def colours(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
        nonlocal see_through
        see_through += int(np.count_nonzero(strip[..., 3] != 255))
        parts.append(strip[..., 3] < OPAQUE)
        return strip[..., :3]

    pixels = _in_strips(image, "RGBA", colours)
    if any(part.any() for part in parts):
        transparent.append(np.concatenate(parts))
    note_alpha(see_through, image.width * image.height, notes)
    return pixels


def _in_strips(
    image: Image.Image, mode: str, made_of: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Return [H, W, 3] of what `made_of` makes of a few rows in `mode` at a time: a whole copy costs as much again."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image.crop((0, top, image.width, bottom))
        strip = strip if strip.mode == mode else strip.convert(mode)
        pixels[top:bottom] = made_of(np.asarray(strip))
    return pixels


def _deep_grey(image: Image.Image, notes: list[Note], *, white_is_zero: bool) -> NDArray[np.uint8]:
    """Return [H, W] uint8 from 16-bit grey, or from 32-bit grey whose values fit into 16."""
    values = np.asarray(image)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65535:
        raise UndecodablePicture(
            f"the picture has deep grey values from {lowest} to {highest}, and no rule says which is "
            "white; convert it to 8- or 16-bit grey first"
        )
    grey = scale_to_8_bits(values.astype(np.uint16), notes)
    # Pillow turns 8-bit files of this kind round by itself, but not deep ones.
    return ~grey if white_is_zero else grey


def scale_to_8_bits(values: NDArray[np.uint16], notes: list[Note]) -> NDArray[np.uint8]:
    """Scale by the effective depth: of the 10, 12 or 14 bits of a camera, `>> 8` would leave black."""
    highest = int(values.max())
    depth = next(bits for bits in EFFECTIVE_DEPTHS if highest < 1 << bits)
    white = (1 << depth) - 1
    steps = np.minimum(np.arange(65536), white)
    table = ((steps * 255 + white // 2) // white).astype(np.uint8)
    message = f"16-bit grey scaled by its effective depth of {depth} bits (largest value {highest})"
    notes.append(Note(code="depth_reduced", message=message))
    scaled: NDArray[np.uint8] = table[values]
    return scaled


def grey_to_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return [H, W, 3] of [H, W]."""
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def note_alpha(see_through: int, pixels: int, notes: list[Note]) -> None:
    """Note how many of the pixels are not opaque, where some are."""
    if see_through:
        share = 100.0 * see_through / pixels
        message = (
            f"alpha dropped: {share:.3g} percent of the pixels are not opaque; their stored colours were "
            "used, and they count as picture"
        )
        notes.append(Note(code=ALPHA_DROPPED, message=message))
