"""From bytes to pixels: limits first, then the decoder, then orientation, depth, alpha and colour.

What each of these does to the numbers is told in `docs/pictures.md`; keep the two together.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from planimeter.errors import (
    InvalidOption,
    MissingPicture,
    PlanimeterError,
    TooManyBytes,
    UndecodablePicture,
    UnsupportedPicture,
)
from planimeter.measurement import ImageInfo, Note
from planimeter.pictures import tiff_tags
from planimeter.pictures.boxes import read_avif, read_heic, read_jpeg2000
from planimeter.pictures.formats import TITLES, name_other, tell_format
from planimeter.pictures.header import Header, read_header
from planimeter.pictures.jpeg import read_jpeg
from planimeter.pictures.limits import check_single, check_size
from planimeter.pictures.stored import StoredImage
from planimeter.pictures.tiff import read_tiff
from planimeter.settings import DEFAULT_LIMITS, Limits

EFFECTIVE_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras deliver inside 16-bit files."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
"""By the EXIF orientation of the stored pixels."""

# Pillow's own limit would warn above 89 megapixels and refuse above 179, whatever ours is: `Limits` takes its
# place, and is checked as early.
Image.MAX_IMAGE_PIXELS = None

# The decoders are named, not found through Image.open: nothing outside this table ever sees the bytes, and a
# JPEG that carries more pictures (MPO) is simply read as its first.
_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
}
_READERS: dict[str, Callable[[bytes, Limits], StoredImage]] = {
    "JPEG": read_jpeg,
    "TIFF": read_tiff,
    "JPEG2000": read_jpeg2000,
    "AVIF": read_avif,
    "HEIC": read_heic,
}
"""Formats that need more than a decoder's word."""
_CHECKED_LATER = {"TIFF", "JPEG2000", "AVIF", "HEIC"}
"""Formats whose readers have more to say of a size, or cut it, and make no room before they did."""
_STRIP_PIXELS = 1 << 20
_NOT_INSTALLED = {
    "HEIC": "this is HEIC, a phone's format, and what reads it is not installed: pip install 'planimeter[heic]'; or "
    "convert it to JPEG (phones save JPEG where the camera's format is set to most compatible)",
    "AVIF": "this is AVIF, a browser's format, which the installed Pillow cannot read; convert it to PNG or JPEG",
}


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    pixels: NDArray[np.uint8]
    """[H, W, 3] RGB, upright, C-contiguous."""
    info: ImageInfo
    notes: tuple[Note, ...] = ()
    """What was done to the pixels that a careful reader must know."""


def decode(data: bytes, *, filename: str = "picture", limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Return the picture in `data`, told by its content: `filename` is carried along, never trusted.

    Raises `MissingPicture` (no bytes), `TooManyBytes`, `UnsupportedPicture` (not one of the formats),
    `TooManyPixels` and `UndecodablePicture` (damaged, or of a kind without a fair 8-bit RGB rendering), and
    nothing else, whatever the bytes.
    """
    header = read_size(data, limits)
    name = header.format
    with _hostile(name):
        stored = _READERS[name](data, limits) if name in _READERS else _read(name, data, limits)
        notes = [*stored.notes]
        orientation = _orientation(stored.image, notes)
        pixels = _rgb(stored.image, stored, notes)
        del stored  # a picture that is turned is in memory twice: not three times
        pixels = _upright(pixels, orientation)
    height, width = pixels.shape[:2]
    info = ImageInfo(
        filename=filename or "picture",
        format=name,
        width=width,
        height=height,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return Picture(pixels, info, tuple(notes))


def read_size(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Return what the file says of its picture, without decoding it; raises what `decode` raises."""
    if not data:
        raise MissingPicture("the picture is empty (0 bytes); send the bytes of a picture file")
    if len(data) > limits.max_bytes:
        raise TooManyBytes(
            f"the picture has {len(data):,} bytes and the limit is {limits.max_bytes:,}; send a smaller file"
        )
    name = _format(data)
    with _hostile(name):
        header = read_header(data, name)
        if name not in _CHECKED_LATER:
            check_size((header.width, header.height), limits)
    return header


def from_array(pixels: NDArray[Any], *, filename: str = "array") -> Picture:
    """Return pixels given from Python as a picture.

    Taken are uint8 grey [H, W], RGB [H, W, 3] or RGBA [H, W, 4], and uint16 grey [H, W]; anything else raises
    `InvalidOption`. The pixels are copied.
    """
    taken = {("uint8", 2): (0,), ("uint8", 3): (3, 4), ("uint16", 2): (0,)}
    channels = pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in taken.get((pixels.dtype.name, pixels.ndim), ()) or pixels.size == 0:
        raise InvalidOption(
            f"an array of {pixels.dtype} with shape {pixels.shape} is no picture here; give uint8 [H, W], "
            "[H, W, 3] RGB or [H, W, 4] RGBA with values from 0 to 255, or uint16 grey [H, W]"
        )
    notes: list[Note] = []
    if pixels.dtype == np.uint16:
        rgb = _grey_to_rgb(_scale_to_8_bits(pixels, notes))
    elif pixels.ndim == 2:
        rgb = _grey_to_rgb(pixels)
    else:
        rgb = np.array(pixels[..., :3], order="C")
        if channels == 4:
            alpha = pixels[..., 3]
            _note_alpha(int(np.count_nonzero(alpha != 255)), alpha.size, notes)
    info = ImageInfo(
        filename=filename or "array",
        format="ARRAY",
        width=rgb.shape[1],
        height=rgb.shape[0],
        sha256=hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest(),
    )
    return Picture(rgb, info, tuple(notes))


def from_image(image: Image.Image, *, filename: str = "picture", limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Return an image of Pillow's as a picture, with its orientation, depth and alpha handled as those of a file.

    Of an image with several frames the one at which it stands is taken. Raises `TooManyPixels`, `UndecodablePicture`
    where it cannot be loaded or has no fair 8-bit RGB rendering, and `InvalidOption` for a TIFF of which Pillow has
    the wrong pixels.
    """
    name = image.format or "image"
    check_size(image.size, limits)
    with _hostile(name):
        stored = _pillows_tiff(image) if isinstance(image, TiffImageFile) else StoredImage(image)
        image.load()
        notes: list[Note] = []
        orientation = _orientation(image, notes)
        pixels = _upright(_rgb(image, stored, notes), orientation)
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{image.mode} {image.size}".encode() + image.tobytes()).hexdigest()
    info = ImageInfo(filename=filename, format="ARRAY", width=width, height=height, sha256=digest)
    return Picture(pixels, info, tuple(notes))


def _pillows_tiff(image: TiffImageFile) -> StoredImage:
    """Return a TIFF that Pillow opened; one that Pillow reads wrongly is refused, as its file is read rightly here."""
    tags = image.tag_v2
    depth = max(tags.get(tiff_tags.BITS, (1,)), default=1)
    planar, samples = tags.get(tiff_tags.PLANAR, 1) == 2, tags.get(tiff_tags.SAMPLES, 1)
    declared = tuple(tags.get(tiff_tags.EXTRA_SAMPLES, ()))
    colours = 4 if image.mode == "CMYK" else 3 if image.mode in {"RGB", "RGBA"} else 1
    proven = colours == 3 and samples == 4 and bool(declared)
    if (planar and depth > 8 and samples > 1) or (samples > colours and not proven and image.mode != "LA"):
        raise InvalidOption(
            f"Pillow does not read this TIFF of {samples} channels rightly; "
            "give measure the path or the bytes of its file"
        )
    return StoredImage(image, depth, white_is_zero=depth > 8 and tags.get(tiff_tags.PHOTOMETRIC) == 0)


def _format(data: bytes) -> str:
    """Return which of the formats the first bytes announce."""
    found = tell_format(data)
    if found is not None and found.readable:
        return found.name
    if found is not None:
        raise UnsupportedPicture(
            _NOT_INSTALLED.get(found.name, f"this is {found.title}, which this Pillow cannot read")
        )
    title, remedy = name_other(data)
    what = f"this is {title}: it" if title else "this"
    raise UnsupportedPicture(
        f"{what} is not a picture in a format that Planimeter reads: {TITLES}, told by content, not by name; "
        f"{remedy or 'convert it to one of them'}"
    )


@contextmanager
def _hostile(name: str) -> Iterator[None]:
    """Turn whatever a decoder stumbles over into `UndecodablePicture`."""
    try:
        yield
    except PlanimeterError:
        raise
    except Exception as error:
        # Deliberately wide: fed with damaged bytes, the decoders raise OSError, SyntaxError, ValueError,
        # struct.error, KeyError, MemoryError and more, another with any release. All mean the same here.
        reason = str(error).strip() or type(error).__name__
        raise UndecodablePicture(
            f"the bytes start like {name} but cannot be decoded ({reason}); "
            "the file may be cut short or damaged: open it in a viewer and save it again"
        ) from error


def _read(name: str, data: bytes, limits: Limits) -> StoredImage:
    """Return the image in a file whose decoder can be relied on."""
    image = _DECODERS[name](BytesIO(data))
    check_size(image.size, limits)
    check_single(image, name)
    image.load()
    # Pillow hands out colour with 8 bits, whatever it was.
    return StoredImage(image, depth=data[24] if name == "PNG" else 8)


def _orientation(image: Image.Image, notes: list[Note]) -> object:
    """Return the EXIF orientation (Pillow has applied a TIFF's by itself when it loaded the pixels)."""
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - as in _hostile; the pixels are sound, so viewers show the picture too
        message = "EXIF damaged: measured in the orientation in which the pixels are stored"
        notes.append(Note(code="orientation_unknown", message=message))
        return 1


def _upright(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _rgb(image: Image.Image, stored: StoredImage, notes: list[Note]) -> NDArray[np.uint8]:
    """Return [H, W, 3] uint8 from an image of any of Pillow's modes."""
    mode = image.mode
    if mode == "F":
        raise UndecodablePicture(
            "the picture has floating-point pixels, and no rule says which value is white; "
            "convert it to 8- or 16-bit grey first"
        )
    if mode == "LAB":  # which Pillow converts, and how, depends on its release
        raise UndecodablePicture("the picture has CIELAB colours; convert it to RGB first")
    if mode.startswith("I"):
        return _grey_to_rgb(_deep_grey(image, notes, white_is_zero=stored.white_is_zero))
    if stored.depth > 8:
        message = f"{stored.depth} bits per channel: the upper 8 were used"
        notes.append(Note(code="depth_reduced", message=message))
    if mode == "CMYK":
        notes.append(Note(code="colours_converted", message="CMYK converted to RGB without a colour profile"))
    if mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        return _without_alpha(image, notes)
    return _in_strips(image, "RGB", lambda strip: strip)


def _without_alpha(image: Image.Image, notes: list[Note]) -> NDArray[np.uint8]:
    see_through = 0

    def colours(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
        nonlocal see_through
        see_through += int(np.count_nonzero(strip[..., 3] != 255))
        return strip[..., :3]

    pixels = _in_strips(image, "RGBA", colours)
    _note_alpha(see_through, image.width * image.height, notes)
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
    grey = _scale_to_8_bits(values.astype(np.uint16), notes)
    # Pillow turns 8-bit files of this kind round by itself, but not deep ones.
    return ~grey if white_is_zero else grey


def _scale_to_8_bits(values: NDArray[np.uint16], notes: list[Note]) -> NDArray[np.uint8]:
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


def _grey_to_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _note_alpha(see_through: int, pixels: int, notes: list[Note]) -> None:
    if see_through:
        share = 100.0 * see_through / pixels
        message = (
            f"alpha dropped: {share:.3g} percent of the pixels are not opaque; their stored colours were "
            "used, and they count as picture"
        )
        notes.append(Note(code="alpha_dropped", message=message))
