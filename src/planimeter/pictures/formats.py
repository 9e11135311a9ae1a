"""The formats in which pictures come: those that are read, and those that are only called what they are."""

import importlib.util
from dataclasses import dataclass

from PIL import features

from planimeter.pictures.tiff_tags import SIGNATURES as TIFF_SIGNATURES


@dataclass(frozen=True)
class PictureFormat:
    """One format: what decoders, browsers and file names call it, and how its files begin."""

    name: str
    """As `ImageInfo.format` says it."""
    title: str
    """For people."""
    media_type: str
    suffixes: tuple[str, ...]
    """The usual one first."""
    signatures: tuple[bytes, ...] = ()
    """One of them stands at the start."""
    brands: frozenset[bytes] = frozenset()
    """Of files in boxes ("ftyp"): the brands that say it is this format."""
    readable: bool = True
    """Whether what reads it is installed."""


@dataclass(frozen=True)
class OtherFile:
    """Something that often comes in a picture's place, and what to do then."""

    title: str
    remedy: str
    signatures: tuple[bytes, ...]
    offset: int = 0


FORMATS = (
    PictureFormat("JPEG", "JPEG", "image/jpeg", (".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
    PictureFormat("PNG", "PNG", "image/png", (".png",), (b"\x89PNG\r\n\x1a\n",)),
    PictureFormat("WEBP", "WebP", "image/webp", (".webp",)),
    PictureFormat("TIFF", "TIFF", "image/tiff", (".tif", ".tiff"), TIFF_SIGNATURES),
    PictureFormat("BMP", "BMP", "image/bmp", (".bmp",), (b"BM",)),
    PictureFormat("GIF", "GIF", "image/gif", (".gif",), (b"GIF87a", b"GIF89a")),
    PictureFormat(
        "JPEG2000",
        "JPEG 2000",
        "image/jp2",
        (".jp2", ".j2k", ".jpf", ".jpx"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        readable=features.check("jpg_2000") is True,
    ),
    PictureFormat(
        "AVIF",
        "AVIF",
        "image/avif",
        (".avif",),
        brands=frozenset({b"avif", b"avis"}),
        readable=features.check("avif") is True,
    ),
    PictureFormat(
        "HEIC",
        "HEIC",
        "image/heic",
        (".heic", ".heif"),
        brands=frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}),
        readable=importlib.util.find_spec("pillow_heif") is not None,
    ),
)
PICTURE_FORMATS = tuple(entry for entry in FORMATS if entry.readable)
"""What is read as it is installed here."""
BY_NAME = {entry.name: entry for entry in FORMATS}
SUFFIXES = tuple(suffix for entry in PICTURE_FORMATS for suffix in entry.suffixes)
TITLES = ", ".join(entry.title for entry in PICTURE_FORMATS[:-1]) + f" and {PICTURE_FORMATS[-1].title}"

OTHER_PICTURES = frozenset(
    {
        *(
            ".heic",
            ".heif",
            ".avif",
            ".gif",
            ".jp2",
            ".j2k",
            ".jxl",
            ".svg",
            ".psd",
            ".pdf",
            ".dng",
            ".cr2",
            ".cr3",
        ),
        *(".nef", ".arw", ".raw", ".dcm", ".czi", ".lif", ".nd2", ".svs", ".ndpi", ".oib", ".vsi", ".lsm"),
    }
)
"""Endings of pictures that are not read; a folder that holds some says so."""
LITTER = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"})
"""What systems and tools leave in folders, beside what is hidden."""

_DEVELOP = "develop it to JPEG, PNG or TIFF first"
_EXPORT = "export it as PNG or TIFF first"
_FRAME = "take a frame out of it and send that as PNG or JPEG"
_UNPACK = "unpack it and send the pictures singly"
OTHER_FILES = (
    OtherFile(
        "a Git LFS pointer, not the picture itself",
        "fetch the picture with git lfs pull",
        (b"version https://git-lfs.github.com/spec",),
    ),
    OtherFile(
        "a helper file that macOS writes beside a picture (._name), not the picture",
        "send the file without ._ before its name",
        (b"\0\x05\x16\x07", b"\0\x05\x16\0"),
    ),
    OtherFile("a PDF", "save the page or the picture in it as PNG", (b"%PDF-",)),
    OtherFile("DICOM", _EXPORT, (b"DICM",), offset=128),
    OtherFile("a raw file of a camera (RAF)", _DEVELOP, (b"FUJIFILMCCD-RAW",)),
    OtherFile("a raw file of a camera (ORF)", _DEVELOP, (b"IIRO", b"IIRS", b"MMOR")),
    OtherFile("a raw file of a camera (RW2)", _DEVELOP, (b"IIU\0",)),
    OtherFile("a raw file of a camera (MRW)", _DEVELOP, (b"\0MRM",)),
    OtherFile("a raw file of a camera (X3F)", _DEVELOP, (b"FOVb",)),
    OtherFile("JPEG XL", "convert it to PNG or JPEG", (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    OtherFile("a JPEG XR picture", "convert it to PNG or JPEG", (b"II\xbc",)),
    OtherFile("a Photoshop file (PSD)", _EXPORT, (b"8BPS",)),
    OtherFile("a GIMP file (XCF)", _EXPORT, (b"gimp xcf",)),
    OtherFile("OpenEXR, which holds floating-point values", _EXPORT, (b"\x76\x2f\x31\x01",)),
    OtherFile("FITS", _EXPORT, (b"SIMPLE  =",)),
    OtherFile("a Zeiss file (CZI)", _EXPORT, (b"ZISRAWFILE",)),
    OtherFile("a Nikon file (ND2)", _EXPORT, (b"\xda\xce\xbe\x0a",)),
    OtherFile("HDF5", _EXPORT, (b"\x89HDF\r\n\x1a\n",)),
    OtherFile("an array of NumPy's (npy)", "load it in Python and measure the array", (b"\x93NUMPY",)),
    OtherFile("a ZIP archive or an Office document", _UNPACK, (b"PK\x03\x04",)),
    OtherFile("a gzip archive", _UNPACK, (b"\x1f\x8b",)),
    OtherFile("an archive", _UNPACK, (b"7z\xbc\xaf\x27\x1c", b"Rar!")),
    OtherFile("a video (AVI)", _FRAME, (b"AVI ",), offset=8),
    OtherFile("a video (Matroska or WebM)", _FRAME, (b"\x1a\x45\xdf\xa3",)),
    OtherFile("a video (MPEG)", _FRAME, (b"\0\0\x01\xba", b"\0\0\x01\xb3")),
    OtherFile("an icon (ICO)", "convert it to PNG", (b"\0\0\x01\0",)),
    OtherFile(
        "a PNM picture",
        "convert it to PNG",
        tuple(b"P%d" % kind + end for kind in range(1, 8) for end in (b"\n", b" ")),
    ),
)
_RAW_BRAND = b"crx "


def tell_format(data: bytes) -> PictureFormat | None:
    """Return which of `FORMATS` the first bytes announce."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return BY_NAME["WEBP"]
    brands = _brands(data)
    return next(
        (entry for entry in FORMATS if data.startswith(entry.signatures) or (entry.brands & brands)), None
    )


def name_other(data: bytes) -> tuple[str, str]:
    """Return what a file that is none of `FORMATS` is, and what to do then; "" where nobody could tell."""
    brands = _brands(data)
    if _RAW_BRAND in brands:
        return "a raw file of a camera (CR3)", _DEVELOP
    if brands:
        return "a video (MP4, MOV or the like)", _FRAME
    for entry in OTHER_FILES:
        if data.startswith(entry.signatures, entry.offset):
            return entry.title, entry.remedy
    return _name_text(data)


def _brands(data: bytes) -> frozenset[bytes]:
    """Return the brands of a file in boxes, its main one among them; of old videos without any, their box."""
    if data[4:8] in {b"moov", b"mdat", b"wide"}:
        return frozenset({b"qt  "})
    if data[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(data[:4], "big"), 4096, len(data))
    return frozenset({data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))})


def _name_text(data: bytes) -> tuple[str, str]:
    start = data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = start.lower()
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in lower:
        return (
            "an HTML page saved under a picture's name",
            "the page, perhaps a login or an error, came instead of the picture: fetch the picture again",
        )
    if b"<svg" in lower:
        return "an SVG drawing, which has no pixels", "save it as PNG first"
    # A character may be cut at the end of the part that is looked at.
    text = start.decode("utf-8", "ignore")
    if (
        len(text) < 4
        or len(text.encode()) < len(start) - 3
        or not all(c.isprintable() or c.isspace() for c in text)
    ):
        return "", ""
    first = text.splitlines()[0][:40]
    return f"text that begins with {first!r}", "send the file of the picture itself"
