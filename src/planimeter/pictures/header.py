"""What the first bytes of a picture file say of its size, read by hand before any decoder sees the file.

Some decoders make room for a whole picture as soon as they are opened, and some walk through millions of empty parts
first. So the size is read here, and the parts are counted: what no honest file has is refused.
"""

import re
from dataclasses import dataclass

from planimeter.errors import UndecodablePicture
from planimeter.pictures.tiff_tags import read_pages

MOST_CHUNKS = 100_000
"""Of a PNG; encoders write the pixels of 64 MiB in some 8,000."""
MOST_SEGMENTS = 2_000
"""Of a JPEG before its first scan; a colour profile may need 255."""
MOST_EXIF = 64
MOST_FILLING = 10_000
"""Bytes of filling (0xFF) between the segments of a JPEG."""
MOST_SCANS = 1_000
"""Of a JPEG: each costs a walk over the whole picture. Encoders write up to some 20."""
MOST_BOXES = 100
"""Of a HEIC or AVIF, before the one that tells its size."""
MOST_SIZES = 10_000
"""Of the parts of a HEIC or AVIF; a picture of 100 megapixels in tiles of 512 has some 400."""
_RUN = re.compile(rb"\xff+")
_SCAN = re.compile(rb"\xff\xda")
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_PROGRESSIVE_FRAMES = (b"\xff\xc2", b"\xff\xc6", b"\xff\xca", b"\xff\xce")
_SIZE = b"ispe"
_SIZ = b"\xff\x4f\xff\x51"


_DECODING = {
    "JPEG": 8,
    "PNG": 8,
    "BMP": 8,
    "GIF": 8,
    "TIFF": 9,
    "WEBP": 17,
    "AVIF": 18,
    "HEIC": 18,
    "JPEG2000": 26,
}
"""Bytes a pixel that decoding was seen to take at its most, by format."""
_PROGRESSIVE = 12


@dataclass(frozen=True)
class Header:
    """What a file says of its picture."""

    format: str
    width: int
    height: int
    progressive: bool = False
    """Whether a JPEG's decoder keeps the whole picture a second time."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def decoding_bytes(self) -> int:
        """The most memory that decoding takes, the decoded pixels among it."""
        return self.pixels * (_PROGRESSIVE if self.progressive else _DECODING[self.format])


def read_header(data: bytes, name: str) -> Header:
    """Return what a file of the format `name` says of its size, as stored: before it is turned upright.

    Of a TIFF it is the largest of its pages. Raises `UndecodablePicture` where the file says nothing, and where it
    is made of more parts than any honest file.
    """
    try:
        width, height = _READERS[name](data)
    except (IndexError, ValueError) as error:
        raise _damaged(name, "its header is cut short") from error
    if min(width, height) < 0:  # a negative size would be room that is given instead of taken
        raise _damaged(name, f"it says that it has {width:,} x {height:,} pixels")
    progressive = name == "JPEG" and any(data.find(marker, 0, 1 << 20) >= 0 for marker in _PROGRESSIVE_FRAMES)
    return Header(name, width, height, progressive)


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise _damaged("PNG", "it does not begin with its header")
    at, chunks = 8, 0
    while at + 8 <= len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        chunks += 1
        if chunks > MOST_CHUNKS:
            raise _too_many("PNG", MOST_CHUNKS, "chunks")
    return _big(data, 16, 4), _big(data, 20, 4)


def _jpeg(data: bytes) -> tuple[int, int]:
    at, exif, filling = 2, 0, 0
    for _ in range(MOST_SEGMENTS):
        run = _RUN.match(data, at)
        if run is None:
            raise _damaged("JPEG", f"there is no marker at byte {at:,}")
        filling += run.end() - run.start() - 1
        if filling > MOST_FILLING:
            raise _too_many("JPEG", MOST_FILLING, "bytes of filling")
        at = run.end()
        marker = data[at]
        if marker in _ALONE or marker == 0:
            at += 1
            continue
        if marker in _FRAMES:
            if sum(1 for _ in _SCAN.finditer(data, at)) > MOST_SCANS:
                raise _too_many("JPEG", MOST_SCANS, "scans")
            return _big(data, at + 6, 2), _big(data, at + 4, 2)
        exif += data.startswith(b"Exif\0\0", at + 3)
        if exif > MOST_EXIF:
            raise _too_many("JPEG", MOST_EXIF, "segments of EXIF")
        if marker in {0xD9, 0xDA}:
            raise _damaged("JPEG", "it says nothing of its size")
        at += 1 + max(2, _big(data, at + 1, 2))
    raise _too_many("JPEG", MOST_SEGMENTS, "segments")


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _little(data, 24, 3), 1 + _little(data, 27, 3)
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
    raise _damaged("WebP", "it has no picture")


def _bmp(data: bytes) -> tuple[int, int]:
    if _little(data, 14, 4) == 12:
        return _little(data, 18, 2), _little(data, 20, 2)
    # Rows from the top down are written as a negative height.
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
    _little(data, 22, 4)
    return abs(width), abs(height)


def _gif(data: bytes) -> tuple[int, int]:
    return _little(data, 6, 2), _little(data, 8, 2)


def _tiff(data: bytes) -> tuple[int, int]:
    width, height = max((page.size for page in read_pages(data)), key=lambda size: size[0] * size[1])
    return width, height


def _jpeg2000(data: bytes) -> tuple[int, int]:
    at = data.find(_SIZ)
    if at < 0:
        raise _damaged("JPEG 2000", "there is no codestream in it")
    right, bottom, left, top = (_big(data, at + place, 4) for place in (8, 12, 16, 20))
    return right - left, bottom - top


def _boxes(data: bytes) -> tuple[int, int]:
    """Return the largest size that a HEIC or AVIF gives to any of its parts ("ispe")."""
    about = _about(data)
    if about.count(_SIZE) > MOST_SIZES:
        raise _too_many("AVIF or HEIC", MOST_SIZES, "sizes")
    sizes = [
        (_big(about, found.end() + 4, 4), _big(about, found.end() + 8, 4))
        for found in re.finditer(_SIZE, about)
    ]
    if not sizes:
        raise ValueError
    return max(sizes, key=lambda size: size[0] * size[1])


def _about(data: bytes) -> bytes:
    """Return the box that tells about the pictures ("meta"), which stands beside that with their pixels."""
    at = 0
    for _ in range(MOST_BOXES):
        size = _big(data, at, 4)
        if data[at + 4 : at + 8] == b"meta":
            return data[at : at + size]
        if size < 8:  # the last one, or a longer one than any picture needs
            break
        at += size
    raise ValueError


_READERS = {
    "PNG": _png,
    "JPEG": _jpeg,
    "WEBP": _webp,
    "BMP": _bmp,
    "GIF": _gif,
    "TIFF": _tiff,
    "JPEG2000": _jpeg2000,
    "AVIF": _boxes,
    "HEIC": _boxes,
}


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_part(data, at, size), "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_part(data, at, size), "little")


def _part(data: bytes, at: int, size: int) -> bytes:
    part = data[at : at + size]
    if len(part) < size:
        raise ValueError
    return part


def _damaged(name: str, why: str) -> UndecodablePicture:
    return UndecodablePicture(
        f"the bytes start like {name} but cannot be decoded ({why}); the file may be cut short or damaged: open it in "
        "a viewer and save it again"
    )


def _too_many(name: str, most: int, what: str) -> UndecodablePicture:
    return UndecodablePicture(
        f"the {name} has more than {most:,} {what}, which no camera or program writes; open it in a viewer and save "
        "it again"
    )
