"""What Python hands over as a picture that is sent: a path, bytes, an open file, an array, an image of Pillow's."""

import os
from io import BytesIO, TextIOBase
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import InvalidOption, MissingPicture
from planimeter.reading import read_file

Picture: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[Any] | Image.Image
)
TAKEN = (
    "a path, the bytes of a picture file, a binary file that is open (or BytesIO), an array (uint8 [H, W], [H, W, 3] "
    "RGB or [H, W, 4] RGBA, or uint16 [H, W]), or a PIL.Image.Image"
)


def picture_bytes(picture: Any, filename: str | None) -> tuple[str, bytes]:
    """Return the name and the bytes of a picture; arrays and images of Pillow's become PNG, which loses nothing.

    Raises `InvalidOption` for what is none of the kinds in `TAKEN`, and `MissingPicture`.
    """
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return filename or "picture", bytes(picture)
    if isinstance(picture, np.ndarray):
        return filename or "array.png", _png(_image_of(picture))
    if isinstance(picture, Image.Image):
        return filename or "picture.png", _png(picture)
    if isinstance(picture, (str, os.PathLike)):
        path = Path(picture)
        try:
            return filename or path.name, read_file(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MissingPicture(f"{str(path)!r} cannot be read: {reason}") from error
    if callable(getattr(picture, "read", None)) and not isinstance(picture, TextIOBase):
        data = picture.read()
        if isinstance(data, bytes):
            name = getattr(picture, "name", None)
            return filename or (Path(name).name if isinstance(name, str) and name else "picture"), data
    kind = type(picture)
    raise InvalidOption(
        f"an object of the type {kind.__module__}.{kind.__qualname__} is no picture here; taken are {TAKEN}"
    )


def _image_of(pixels: NDArray[Any]) -> Image.Image:
    grey, colour = pixels.ndim == 2, pixels.ndim == 3 and pixels.shape[2] in {3, 4}
    if not pixels.size or not (
        (pixels.dtype == np.uint8 and (grey or colour)) or (pixels.dtype == np.uint16 and grey)
    ):
        raise InvalidOption(f"the array is {pixels.dtype} {list(pixels.shape)}; taken are {TAKEN}")
    return Image.fromarray(pixels)


def _png(image: Image.Image) -> bytes:
    stream = BytesIO()
    try:
        image.save(stream, "PNG", compress_level=1)
    except (OSError, ValueError) as error:
        raise InvalidOption(
            f"an image of the mode {image.mode} cannot be sent as PNG ({error}); convert it"
        ) from error
    return stream.getvalue()
