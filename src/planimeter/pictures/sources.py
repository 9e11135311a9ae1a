"""What Python hands over as a picture: a path, bytes, an open file, an array, an image of Pillow's."""

import os
from io import TextIOBase
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import InvalidOption, MissingPicture, TooManyBytes
from planimeter.pictures.decode import Picture, decode, from_array, from_image
from planimeter.reading import read_file
from planimeter.settings import Limits

Source: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[Any] | Image.Image | Picture
)
TAKEN = (
    "a path, the bytes of a picture file, a binary file that is open (or BytesIO), an array "
    "(uint8 [H, W], [H, W, 3] RGB or [H, W, 4] RGBA, or uint16 [H, W]), a PIL.Image.Image, or a Picture"
)


def read_source(source: Any, *, filename: str | None, limits: Limits) -> Picture:
    """Return the picture that `source` is or leads to.

    Raises `InvalidOption` for what is none of the kinds in `TAKEN`, and otherwise what `decode` raises.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode(bytes(source), filename=filename or "picture", limits=limits)
    if isinstance(source, np.ndarray):
        return from_array(source, filename=filename or "array")
    if isinstance(source, Image.Image):
        return from_image(source, filename=filename or _name_of(source), limits=limits)
    if isinstance(source, (str, os.PathLike)):
        return _read_path(source, filename, limits)
    if callable(getattr(source, "read", None)):
        data = _read_open(source, limits)
        return decode(data, filename=filename or _name_of(source), limits=limits)
    if isinstance(source, (list, tuple, set)):
        raise InvalidOption(
            f"a {type(source).__name__} of {len(source)} came, and one picture is measured at a time: "
            f"call measure for each. Taken are {TAKEN}"
        )
    raise InvalidOption(f"{_kind_of(source)} is no picture here; taken are {TAKEN}")


def _read_path(source: str | os.PathLike[str], filename: str | None, limits: Limits) -> Picture:
    text = os.fspath(source)
    if isinstance(source, str) and text.startswith(("http://", "https://", "data:")):
        shown = text if len(text) <= 80 else text[:80] + "…"
        raise InvalidOption(
            f"{shown!r} is an address, not a path; fetch it and hand over its bytes. Taken are {TAKEN}"
        )
    path = Path(text)
    return decode(read_picture_file(path, limits), filename=filename or path.name, limits=limits)


def read_picture_file(path: Path, limits: Limits) -> bytes:
    """Return the content of a picture's file; raises `MissingPicture` and `TooManyBytes`."""
    try:
        data = read_file(path, most_bytes=limits.max_bytes)
        if len(data) > limits.max_bytes:
            raise TooManyBytes(
                f"{path} has {path.stat().st_size:,} bytes and the limit is {limits.max_bytes:,}; send a smaller file"
            )
    except OSError as error:
        shown = str(path) if "\0" not in str(path) else repr(str(path))
        raise MissingPicture(f"{shown} cannot be read: {error.strerror}") from error
    return data


def _read_open(file: Any, limits: Limits) -> bytes:
    """Return what an open file holds from where it stands, but no more than one byte above the limit."""
    if isinstance(file, TextIOBase):
        raise InvalidOption('the file is open as text; open it with "rb"')
    try:
        data = file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:  # closed, write-only, or gone
        raise MissingPicture(f"the open file {_name_of(file)!r} cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise InvalidOption(f"the open file gave {type(data).__name__} instead of bytes; taken are {TAKEN}")
    if len(data) > limits.max_bytes:
        raise TooManyBytes(
            f"the open file has more than the limit of {limits.max_bytes:,} bytes; send a smaller file"
        )
    if not data:
        raise MissingPicture("the open file is empty, or stands at its end; seek(0) goes back to its start")
    return data


def _name_of(source: object) -> str:
    """Return the file name that an open file or an image of Pillow's carries."""
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return Path(os.fsdecode(name)).name if isinstance(name, (str, bytes, os.PathLike)) and name else "picture"


def _kind_of(source: object) -> str:
    kind = type(source)
    return "None" if source is None else f"an object of the type {kind.__module__}.{kind.__qualname__}"
