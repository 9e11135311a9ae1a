"""Pictures made to harm, each a few bytes of description away from a crash of something."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, depth: int, *extra: bytes) -> bytes:
    rows = bytes((1 + (width * depth + 7) // 8) * height)
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + _chunk(b"IEND")


def _tiff(*entries: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    where = 8 + 2 + 12 * len(entries) + 4
    fields = b"".join(
        struct.pack("<HHII", tag, kind, count, value or where) for tag, kind, count, value in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + fields + bytes(4) + data


def _tile(side: int) -> bytes:
    packed = zlib.compress(bytes(10**6), 9)
    head = ((256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1))
    return _tiff(
        *head, (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 0), (325, 4, 1, len(packed)), data=packed
    )


def _jpeg() -> bytes:
    stream = BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "JPEG")
    return stream.getvalue()


def _segments(count: int, marker: int, content: bytes) -> bytes:
    return (bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content) * count


def _webp() -> bytes:
    stream = BytesIO()
    Image.new("RGB", (10_000, 9_999)).save(stream, "WEBP", lossless=True, method=0)
    return stream.getvalue()


def _progressive() -> bytes:
    """Return a JPEG of many pixels and 900 scans, each a walk over all of it."""
    stream = BytesIO()
    Image.new("RGB", (6_000, 6_000), (90, 20, 20)).save(stream, "JPEG", quality=50, progressive=True)
    data = stream.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 900 + data[-2:]


def _gif() -> bytes:
    stream = BytesIO()
    Image.new("L", (9_000, 9_000)).save(stream, "GIF")
    data = bytearray(stream.getvalue())
    data[6:10] = struct.pack("<HH", 1, 1)
    return bytes(data)


def _noise() -> bytes:
    stream = BytesIO()
    random = np.random.default_rng(1).integers(0, 256, (3_000, 4_000), np.uint8)
    Image.fromarray(random).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def hostile_pictures() -> dict[str, bytes]:
    """Return each by its name."""
    jpeg = _jpeg()
    return {
        "PNG of 100 MP, 1 bit": _png(10_000, 10_000, 1),
        "PNG of 2 million chunks": _png(64, 64, 8, _chunk(b"teSt") * 2_000_000),
        "PNG of 12 MP of noise": _noise(),
        "TIFF of one tile of 32,768 squared": _tile(32_768),
        "TIFF of 60,000 tags": _tiff(*((1000 + at, 2, 4, 1) for at in range(60_000))),
        "JPEG of 60 MB of filling": jpeg[:2] + b"\xff" * 60_000_000 + jpeg[2:],
        "JPEG of 900 segments of EXIF": jpeg[:2]
        + _segments(900, 0xE1, b"Exif\0\0" + bytes(65_400))
        + jpeg[2:],
        "JPEG of 900 scans": _progressive(),
        "WebP of 100 MP in 34 bytes": _webp(),
        "GIF larger than its screen": _gif(),
        "PNG cut short": _png(3_000, 3_000, 8)[:2_000],
        "nothing known": bytes(range(256)) * 4,
    }
