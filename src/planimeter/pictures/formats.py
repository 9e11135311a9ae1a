"""The formats in which pictures come."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureFormat:
    """One format: what decoders, browsers and file names call it."""

    name: str
    """As `ImageInfo.format` says it."""
    title: str
    """For people."""
    media_type: str
    suffixes: tuple[str, ...]
    """The usual one first."""


PICTURE_FORMATS = (
    PictureFormat("JPEG", "JPEG", "image/jpeg", (".jpg", ".jpeg")),
    PictureFormat("PNG", "PNG", "image/png", (".png",)),
    PictureFormat("WEBP", "WebP", "image/webp", (".webp",)),
    PictureFormat("TIFF", "TIFF", "image/tiff", (".tif", ".tiff")),
    PictureFormat("BMP", "BMP", "image/bmp", (".bmp",)),
)
BY_NAME = {entry.name: entry for entry in PICTURE_FORMATS}
SUFFIXES = tuple(suffix for entry in PICTURE_FORMATS for suffix in entry.suffixes)
TITLES = ", ".join(entry.title for entry in PICTURE_FORMATS[:-1]) + f" and {PICTURE_FORMATS[-1].title}"
