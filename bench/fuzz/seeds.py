"""Pictures to begin from, made by our own code: each format in the ways that have decoders of their own."""

import importlib.util
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, features

SIDE = 24


def seeds() -> dict[str, bytes]:
    """Return small honest pictures by name; the part of the name before the first space is the format."""
    found = dict(_plain())
    found |= _jpegs() | _pngs() | _tiffs() | _others()
    return {name: data for name, data in found.items() if data}


def _scene(mode: str = "RGB") -> Image.Image:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pixels = np.stack([rows * 10, columns * 10, (rows * columns) % 256], 2).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray((rows * 2000 + columns).astype(np.uint16))
    if mode == "F":
        return Image.fromarray((rows / 7 + columns).astype(np.float32))
    return Image.fromarray(pixels).convert(mode)


def _saved(kind: str, mode: str = "RGB", *, frames: int = 1, **options: Any) -> bytes:
    image, stream = _scene(mode), BytesIO()
    if frames > 1:
        options |= {"save_all": True, "append_images": [image.rotate(90 * turn) for turn in range(1, frames)]}
    image.save(stream, kind, **options)
    return stream.getvalue()


def _plain() -> dict[str, bytes]:
    return {
        f"{kind} {mode}": _saved(kind, mode)
        for kind, modes in {
            "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
            "JPEG": ("L", "RGB", "CMYK"),
            "WEBP": ("RGB", "RGBA"),
            "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"),
            "BMP": ("1", "L", "P", "RGB", "RGBA"),
            "GIF": ("L", "P", "RGB"),
        }.items()
        for mode in modes
    }


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    return exif.tobytes()


def _jpegs() -> dict[str, bytes]:
    return {
        "JPEG progressive": _saved("JPEG", progressive=True),
        "JPEG restarts": _saved("JPEG", restart_marker_blocks=1),
        "JPEG exif": _saved("JPEG", exif=_exif(), dpi=(96, 96), comment=b"words"),
        "JPEG 420": _saved("JPEG", subsampling=2, quality=30),
        "JPEG of several": _saved("MPO", frames=2),
    }


def _pngs() -> dict[str, bytes]:
    return {
        "PNG exif": _saved("PNG", exif=_exif(), dpi=(96, 96)),
        "PNG transparent": _saved("PNG", "P", transparency=3),
        "PNG animated": _saved("PNG", frames=3),
    }


def _tiffs() -> dict[str, bytes]:
    ways = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group3", "group4", "zstd", "lzma")
    found = {}
    for way in ways:
        try:
            found[f"TIFF {way}"] = _saved("TIFF", "1" if way.startswith("group") else "RGB", compression=way)
        except (OSError, ValueError):  # this Pillow cannot write it
            continue
    found["TIFF tiles"] = _saved("TIFF", tiffinfo={322: 16, 323: 16}, compression="tiff_lzw")
    found["TIFF pages"] = _saved("TIFF", frames=3)
    return found


def _others() -> dict[str, bytes]:
    found = {
        "WEBP lossless": _saved("WEBP", "RGBA", lossless=True),
        "WEBP animated": _saved("WEBP", frames=3),
        "WEBP exif": _saved("WEBP", exif=_exif()),
        "GIF animated": _saved("GIF", "P", frames=3),
    }
    if features.check("jpg_2000"):
        found |= {
            "JPEG2000 file": _saved("JPEG2000"),
            "JPEG2000 stream": _saved("JPEG2000", "L", no_jp2=True),
        }
    if features.check("avif"):
        found |= {"AVIF picture": _saved("AVIF"), "AVIF animated": _saved("AVIF", frames=2)}
    if importlib.util.find_spec("pillow_heif"):
        from pillow_heif import from_pillow  # noqa: PLC0415  an extra

        stream = BytesIO()
        from_pillow(_scene()).save(stream)
        found["HEIC picture"] = stream.getvalue()
    return found
