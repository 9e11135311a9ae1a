"""JPEG: whether all of its picture is there, with its end marker or without.

A decoder fills what is missing with grey and says nothing. So the bytes are walked from marker to marker, and where the
picture may have been cut, it is decoded with different bytes behind the last one: what needs them changes with them.
"""

import re
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from planimeter.errors import UndecodablePicture
from planimeter.measurement import Note
from planimeter.pictures.limits import check_size
from planimeter.pictures.stored import StoredImage
from planimeter.settings import Limits

_END = b"\xff\xd9"
_TAILS = (b"\x00" * 32, b"\xff\x00" * 16, b"\x55\xaa" * 16)
"""What may follow a picture: all bits 0, all bits 1 (with the stuffing that JPEG asks for), and both in turn."""
_IN_SCAN_ENDS = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
"""The next marker behind a scan: not a stuffed 0xFF, not a restart."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: TEM, restarts, the start."""
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
MOST_ZEROS = 4
"""Bytes of zeros with which a whole picture may well end; more of them are a hole."""
_STRIP_PIXELS = 1 << 20
_FILL = (127, 128)
"""What a decoder shows of blocks that are missing, in all channels."""


@dataclass
class _Walk:
    """What the markers of the first picture tell."""

    end: int | None = None
    """Where its end marker stands."""
    scans: dict[int, list[int]] = field(default_factory=dict)
    """For each component how many of the lowest bits of its 64 coefficients are missing."""
    parts: int = 0
    """How many scans there are; a progressive picture has more than one even where all but the first are cut off."""

    @property
    def complete(self) -> bool:
        """Whether the scans that begin in the file hold every bit of every coefficient."""
        return bool(self.scans) and not any(any(missing) for missing in self.scans.values())


def read_jpeg(data: bytes, limits: Limits) -> StoredImage:
    """Return the first picture of a JPEG; raises `UndecodablePicture` where a part of it is missing."""
    image = JpegImageFile(BytesIO(data))
    check_size(image.size, limits)
    walk = _walk(data)
    if walk.end is None:
        if not walk.complete:
            raise _cut_short()
        whole = _load_whole(_without_half_an_end(data))
        message = "JPEG without its end marker: all of its pixels are there"
        return StoredImage(whole, notes=(Note(code="end_marker_missing", message=message),), lossy=True)
    image.load()
    # The file may have been cut, and an end been put to it. Where the picture is one scan, a decoder then fills with
    # grey; where it is many, each of them makes the whole finer, and what is missing is no more than blurred.
    if walk.parts > 1:
        if not walk.complete:
            raise _cut_short()
        _refuse_other(image, data[: walk.end])
    elif np.isin(np.asarray(image.crop(_last_pixel(image))), _FILL).all():
        _load_whole(data[: walk.end])
    return StoredImage(image, lossy=True)


def _last_pixel(image: Image.Image) -> tuple[int, int, int, int]:
    return image.width - 1, image.height - 1, image.width, image.height


def _walk(data: bytes) -> _Walk:
    walk = _Walk()
    sequential = True
    at = 0
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            walk.end = at
            break
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + size]
        at += 2 + size
        if marker in _FRAMES and len(content) >= 6:
            sequential = marker in _SEQUENTIAL
            walk.parts = 0 if sequential else 1
            walk.scans = {component: [99] * 64 for component in content[6 : 6 + 3 * content[5] : 3]}
        elif marker == 0xDA and content:
            walk.parts += 1
            _note_scan(walk, content, sequential=sequential)
            found = _IN_SCAN_ENDS.search(data, at)
            if found is None:
                break
            at = found.end() - 2
    return walk


def _note_scan(walk: _Walk, content: bytes, *, sequential: bool) -> None:
    count = content[0]
    if len(content) < 4 + 2 * count:
        return
    first, last, low = (
        (0, 63, 0) if sequential else (*content[1 + 2 * count : 3 + 2 * count], content[-1] & 15)
    )
    for component in content[1 : 1 + 2 * count : 2]:
        missing = walk.scans.get(component)
        if missing is not None and first <= last <= 63:
            missing[first : last + 1] = [low] * (last + 1 - first)


def _without_half_an_end(data: bytes) -> bytes:
    """Return the bytes without what else a broken end leaves: half a marker, or zeros of a file made in advance."""
    stripped = data.rstrip(b"\0")
    if len(data) - len(stripped) <= MOST_ZEROS:
        return data[:-1] if data.endswith(b"\xff") else data
    return stripped + b"\0" if stripped.endswith(b"\xff") else stripped


def _load_whole(body: bytes) -> ImageFile.ImageFile:
    """Return the picture whose scans end with `body`; raises `UndecodablePicture` where it needs more bytes."""
    image = _load(body + _TAILS[0])
    _refuse_other(image, body)
    return image


def _refuse_other(image: ImageFile.ImageFile, body: bytes) -> None:
    """Raise `UndecodablePicture` where other bytes behind `body` than zeros, or an end, make another picture."""
    for tail in _TAILS[1:]:
        if not _same_pixels(image, _load(body + tail)):
            raise _cut_short()


def _load(body: bytes) -> ImageFile.ImageFile:
    image = JpegImageFile(BytesIO(body + _END))
    image.load()
    return image


def _same_pixels(one: Image.Image, other: Image.Image) -> bool:
    """Compare some rows at a time: whole copies would cost as much memory again."""
    rows = max(1, _STRIP_PIXELS // one.width)
    strips = ((0, top, one.width, min(top + rows, one.height)) for top in range(0, one.height, rows))
    return all(one.crop(strip).tobytes() == other.crop(strip).tobytes() for strip in strips)


def _cut_short() -> UndecodablePicture:
    return UndecodablePicture(
        "the bytes start like JPEG but cannot be decoded (they end within the picture); the file is cut short: "
        "fetch or save it again"
    )
