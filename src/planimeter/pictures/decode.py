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
from planimeter.pictures.pixel_size import NOTHING, of_png
from planimeter.pictures.rgb import (
    OPAQUE,
    QUARTER_TURNS,
    grey_to_rgb,
    note_alpha,
    orientation_of,
    scale_to_8_bits,
    to_rgb,
    upright,
)
from planimeter.pictures.stored import StoredImage
from planimeter.pictures.tiff import read_tiff
from planimeter.settings import DEFAULT_LIMITS, Limits

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
    transparent: NDArray[np.bool_] | None = None
    """[H, W]: the pixels that are less than half opaque; None where there are none."""
    lossy: bool = False
    """Whether its file changed values to be small, as JPEG does."""


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
        orientation = orientation_of(stored.image, notes)
        scale = stored.scale.turned() if stored.scale and orientation in QUARTER_TURNS else stored.scale
        alpha: list[NDArray[np.bool_]] = []
        pixels, lossy = to_rgb(stored.image, stored, notes, alpha), stored.lossy
        del stored  # a picture that is turned is in memory twice: not three times
        pixels = upright(pixels, orientation)
        transparent = upright(alpha[0], orientation) if alpha else None
    height, width = pixels.shape[:2]
    info = ImageInfo(
        filename=filename or "picture",
        format=name,
        width=width,
        height=height,
        sha256=hashlib.sha256(data).hexdigest(),
        scale=scale,
    )
    return Picture(pixels, info, tuple(notes), transparent, lossy)


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
    transparent: NDArray[np.bool_] | None = None
    if pixels.dtype == np.uint16:
        rgb = grey_to_rgb(scale_to_8_bits(pixels, notes))
    elif pixels.ndim == 2:
        rgb = grey_to_rgb(pixels)
    else:
        rgb = np.array(pixels[..., :3], order="C")
        if channels == 4:
            alpha = pixels[..., 3]
            note_alpha(int(np.count_nonzero(alpha != 255)), alpha.size, notes)
            transparent = alpha < OPAQUE if (alpha < OPAQUE).any() else None
    info = ImageInfo(
        filename=filename or "array",
        format="ARRAY",
        width=rgb.shape[1],
        height=rgb.shape[0],
        sha256=hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest(),
    )
    return Picture(rgb, info, tuple(notes), transparent)


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
        orientation = orientation_of(image, notes)
        alpha: list[NDArray[np.bool_]] = []
        pixels = upright(to_rgb(image, stored, notes, alpha), orientation)
        transparent = upright(alpha[0], orientation) if alpha else None
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{image.mode} {image.size}".encode() + image.tobytes()).hexdigest()
    info = ImageInfo(filename=filename, format="ARRAY", width=width, height=height, sha256=digest)
    return Picture(pixels, info, tuple(notes), transparent, lossy=name in {"JPEG", "MPO"})


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
    scale, notes = of_png(data) if name == "PNG" else NOTHING
    depth = data[24] if name == "PNG" else 8
    return StoredImage(image, depth, notes=notes, scale=scale, lossy=name == "WEBP" and _webp_loses(data))


def _webp_loses(data: bytes) -> bool:
    """Say whether the pixels of a WebP are in a chunk of the kind with losses: RFC 9649."""
    at = 12
    while at + 8 <= len(data):
        if data[at : at + 4] == b"VP8L":
            return False
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return True
