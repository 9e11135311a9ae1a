"""TIFF: which page is the picture, which layouts of pixels are read, and by whom.

Decoders hand out pixels even of layouts that they read wrongly. So the layout is read from the tags, and only what
`tests/test_picture_tiff.py` has proven pixel by pixel goes on: samples of 8, 16 and 32 bits without compression are put
together here, everything else by Pillow. What is not proven is refused, by its name.
"""

import json
import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from planimeter.errors import TooManyPixels, UndecodablePicture, UnsupportedPicture
from planimeter.pictures import tiff_tags as tags
from planimeter.pictures.limits import check_size
from planimeter.pictures.stored import StoredImage
from planimeter.pictures.tiff_tags import MOST_PAGES, Page, is_big, read_pages, read_sub_pages, starting_with
from planimeter.settings import Limits

LARGEST_TILE = 4096 * 4096
"""Pixels of a tile that may be larger than its picture: a decoder makes room for all of it."""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
"""Samples of a pixel, without the extra ones."""
_PHOTOMETRIC_NAMES = {
    4: "a transparency mask",
    8: "CIELAB colours",
    9: "CIELAB colours (ICC)",
    10: "CIELAB colours (ITU)",
    32803: "the raw values of a camera's sensor (colour filter array)",
    32844: "LogL luminance",
    32845: "LogLuv luminance",
    34892: "the raw values of a camera's sensor (linear raw)",
}
NONE, JPEG = 1, 7
_BILEVEL = frozenset({2, 3, 4})
_LOSSLESS = frozenset({5, 8, 32773, 32946, 50000})
"""LZW, Deflate (two numbers for one), PackBits, Zstandard."""
_PREDICTING = _LOSSLESS - {32773}
_COMPRESSION_NAMES = {
    6: "old-style JPEG",
    9: "JBIG",
    10: "JBIG",
    22610: "JPEG XR",
    32766: "NeXT",
    32809: "ThunderScan",
    33003: "JPEG 2000 (Aperio)",
    33005: "JPEG 2000 (Aperio)",
    34661: "JBIG",
    34676: "SGI Log",
    34677: "SGI Log",
    34712: "JPEG 2000",
    34713: "Nikon NEF",
    34887: "LERC",
    34892: "lossy JPEG of raw values",
    34925: "LZMA",
    34926: "Zstandard of an older number",
    34927: "WebP of an older number",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_ASSOCIATED, _UNASSOCIATED = 1, 2
_SEPARATE = 2
_REMEDY = "save it as 8- or 16-bit RGB or grey, without compression or with LZW"


@dataclass(frozen=True)
class Layout:
    """How the samples of a page lie in the file."""

    photometric: int
    bits: int
    sample_format: int
    samples: int
    extra: tuple[int, ...]
    planar: bool
    """Whether each channel is stored by itself."""
    compression: int
    predictor: int
    big_endian: bool

    @property
    def colours(self) -> int:
        """Samples of a pixel without the extra ones."""
        return _COLOURS[self.photometric]

    @property
    def raw(self) -> bool:
        """Whether the pixels are put together here, not by Pillow."""
        plain = self.photometric != PALETTE and _ASSOCIATED not in self.extra
        return plain and self.compression == NONE and self.bits in {8, 16, 32}


def read_tiff(data: bytes, limits: Limits) -> StoredImage:
    """Return the picture of a TIFF. Page, size, tiles and layout are checked before a pixel is decoded.

    Raises `TooManyPixels`, and `UndecodablePicture` or `UnsupportedPicture` with the name of what is not read.
    """
    pages = read_pages(data)
    page, notes = _choose_page(data, pages)
    check_size(page.size, limits)
    layout = read_layout(page)
    _check_segments(page, layout, limits, len(data))
    if layout.raw:
        image = _image_of(_assemble(data, page, layout), layout)
        image.getexif()[tags.ORIENTATION] = page.one(tags.ORIENTATION, 1)
    else:
        if layout.big_endian and is_big(data):
            raise _not_read("is a big-endian BigTIFF with compression or a palette")
        image = TiffImageFile(BytesIO(starting_with(data, page)))
        check_size(image.size, limits)
        image.load()
        if layout.photometric == RGB and image.mode == "RGBA" and not _has_alpha(layout):
            image = _without_fourth(image)
    notes += _extra_note(layout)
    deep_grey = layout.bits > 8 and layout.colours == 1
    return StoredImage(image, layout.bits, deep_grey and layout.photometric == WHITE_IS_ZERO, tuple(notes))


# ---- Which page


def _choose_page(data: bytes, pages: list[Page]) -> tuple[Page, list[str]]:
    """Return the one page that is a picture of its own, and what must be known about the others."""
    _refuse_raw(data, pages)
    full = [page for page in pages if not page.secondary] or pages
    if len(full) > 1:
        count = f"{len(pages)}" if len(pages) < MOST_PAGES else f"{len(pages)} or more"
        what = _stack_name(full[0])
        raise UndecodablePicture(
            f"the TIFF has {count} pages{what} and one picture is measured at a time; "
            "split it and send them singly"
        )
    page = full[0]
    _refuse_hidden_stack(page)
    notes = []
    if len(pages) > 1:
        number = pages.index(page) + 1
        notes.append(
            f"TIFF of {len(pages)} pages: page {number} was measured; the others are its smaller versions or masks"
        )
    planes = _ome_planes(page)
    if planes > 1:
        notes.append(
            f"OME-TIFF: its description tells of {planes} planes; this file holds one of them, which was measured"
        )
    return page, notes


def _refuse_raw(data: bytes, pages: list[Page]) -> None:
    """Refuse raw files of cameras, whose pages are previews of a picture that hangs below them."""
    if data[8:10] == b"CR":
        raise UnsupportedPicture(_raw_sentence("a Canon raw file (CR2)"))
    for page in pages:
        if tags.DNG_VERSION in page.tags:
            raise UnsupportedPicture(_raw_sentence("a raw file of a camera (DNG)"))
        area = page.size[0] * page.size[1]
        if any(below.size[0] * below.size[1] > area for below in read_sub_pages(data, page)):
            raise UnsupportedPicture(_raw_sentence("a raw file of a camera (NEF, ARW or the like)"))


def _raw_sentence(what: str) -> str:
    return f"this is {what}: only a preview of it could be read; develop it to JPEG, PNG or TIFF first"


def _stack_name(page: Page) -> str:
    if page.description.startswith("ImageJ="):
        return " (an ImageJ stack)"
    return " (an OME-TIFF)" if _is_ome(page) else ""


def _refuse_hidden_stack(page: Page) -> None:
    """Refuse stacks of which only the first picture has a page: ImageJ's large ones, and tifffile's."""
    count = 1
    if page.description.startswith("ImageJ=") and (
        found := re.search(r"^images=(\d{1,9})\s*$", page.description, re.MULTILINE)
    ):
        count = int(found[1])
    elif page.description.startswith("{"):
        count = _shaped_count(page)
    if count > 1:
        raise UndecodablePicture(
            f"the TIFF is a stack of {count} pictures, though it has a page for the first alone, and one picture is "
            "measured at a time; split it and send them singly"
        )


def _shaped_count(page: Page) -> int:
    """Return how many pictures tifffile's own description tells of."""
    try:
        described = json.loads(page.description)
        values = 1
        for length in described["shape"]:
            values *= int(length)
    except (ValueError, TypeError, KeyError, RecursionError):
        return 1
    one = page.size[0] * page.size[1] * page.one(tags.SAMPLES, 1)
    return values // one if one else 1


def _is_ome(page: Page) -> bool:
    return "<OME" in page.description[:2000]


def _ome_planes(page: Page) -> int:
    """Return the planes of the first image that an OME description tells of (1 where there is none)."""
    if not _is_ome(page):
        return 1
    planes = 1
    for axis in "CZT":
        found = re.search(rf'\bSize{axis}="(\d{{1,6}})"', page.description)
        planes *= int(found[1]) if found else 1
    return planes // max(1, page.one(tags.SAMPLES, 1))


# ---- Which layout


def read_layout(page: Page) -> Layout:
    """Return the layout of a page that is read; raises `UndecodablePicture`, which names the one that is not."""
    photometric = page.one(tags.PHOTOMETRIC, -1)
    compression = page.one(tags.COMPRESSION, NONE)
    samples = page.one(tags.SAMPLES, 1)
    bits = _same(page.all(tags.BITS, (1,)), samples, "bits per sample")
    sample_format = _same(page.all(tags.SAMPLE_FORMAT, (_UNSIGNED,)), samples, "sample formats")
    _check_values(bits, sample_format)
    if photometric not in _COLOURS:
        what = _PHOTOMETRIC_NAMES.get(photometric, f"the photometric interpretation {photometric}")
        if photometric == -1:
            what = "no word about what its values mean (PhotometricInterpretation)"
        raise _not_read(f"has {what}", "convert it to RGB first")
    if compression != NONE and compression not in _BILEVEL | _LOSSLESS | {JPEG}:
        name = _COMPRESSION_NAMES.get(compression, "unknown here")
        raise _not_read(f"has the compression {name} ({compression})")
    layout = Layout(
        photometric=photometric,
        bits=bits,
        sample_format=sample_format,
        samples=samples,
        extra=page.all(tags.EXTRA_SAMPLES),
        planar=page.one(tags.PLANAR, 1) == _SEPARATE and samples > 1,
        compression=compression,
        predictor=page.one(tags.PREDICTOR, 1),
        big_endian=page.byte_order == ">",
    )
    _check_channels(layout)
    _check_depth(layout)
    _check_compression(layout)
    _check_rest(page, layout)
    return layout


def _same(values: tuple[int, ...], samples: int, what: str) -> int:
    if len(set(values)) > 1:
        raise _not_read(f"has channels with different {what} {values[:8]}")
    if len(values) not in {1, samples}:
        raise _not_read(f"has {samples} samples per pixel and {len(values)} {what}")
    return values[0]


def _check_values(bits: int, sample_format: int) -> None:
    if sample_format == _FLOAT:
        raise _not_read(
            f"has {bits}-bit floating-point pixels, and no rule says which value is white",
            "convert it to 8- or 16-bit grey first",
        )
    if sample_format in {5, 6}:
        raise _not_read("has complex numbers as pixels", "convert it to 8- or 16-bit grey first")


def _check_channels(layout: Layout) -> None:
    extra = layout.samples - layout.colours
    channels = "channel" if layout.samples == 1 else "channels"
    if extra < 0 or (layout.extra and len(layout.extra) != extra):
        raise _not_read(
            f"says {layout.samples} {channels}, of them {len(layout.extra)} extra, which contradicts itself"
        )
    if extra == 0:
        return
    kind = layout.extra[0] if layout.extra else 0
    if extra > 1 or (kind == 0 and layout.photometric != RGB):
        raise _not_read(
            f"has {layout.samples} channels, {extra} of them without a stated meaning, and nobody could tell which one "
            "is the picture",
            "save the channel that counts as a grey picture, or a merge of them as RGB",
        )
    if layout.photometric not in {BLACK_IS_ZERO, RGB} or (
        layout.photometric == BLACK_IS_ZERO and layout.bits != 8
    ):
        raise _not_read(
            f"has an alpha channel beside {layout.bits}-bit {_name(layout)}", "save it without alpha"
        )
    if kind == _ASSOCIATED and (layout.planar or layout.bits != 8 or layout.photometric != RGB):
        raise _not_read(
            f"has {layout.bits}-bit {_name(layout)} that is multiplied with its alpha (associated alpha)",
            "save it without alpha",
        )
    if layout.planar and not layout.extra and layout.compression != NONE:
        raise _not_read(
            f"has {layout.samples} compressed planes of RGB, and does not say what the last one is"
        )
    if layout.planar and layout.photometric == BLACK_IS_ZERO:
        raise _not_read("has grey and alpha in separate planes", "save it interleaved, or without alpha")


def _check_depth(layout: Layout) -> None:
    allowed = {8, 16}
    if layout.photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO} and layout.samples == 1:
        allowed = {1, 2, 4, 8, 16, 32}
    elif layout.photometric == PALETTE:
        allowed = {1, 2, 4, 8}
    elif layout.photometric == YCBCR:
        allowed = {8}
    if layout.bits not in allowed:
        raise _not_read(f"has {layout.bits}-bit {_name(layout)}")
    signed = layout.sample_format == _SIGNED
    if signed and (layout.bits not in {16, 32} or layout.colours > 1):
        raise _not_read(
            f"has signed {layout.bits}-bit {_name(layout)}", "convert it to 8- or 16-bit grey first"
        )
    if layout.compression != NONE and (
        (signed and layout.bits == 16) or (layout.bits == 32 and layout.big_endian)
    ):
        order = "big-endian" if layout.big_endian else "little-endian"
        signs = "signed" if signed else "unsigned"
        raise _not_read(
            f"has {signs} {layout.bits}-bit grey, {order} and compressed", "save it as 16-bit grey"
        )
    deep = layout.bits > 8
    if (
        layout.photometric == WHITE_IS_ZERO
        and deep
        and (signed or layout.bits == 32 or (layout.big_endian and not layout.raw))
    ):
        raise _not_read(f'has {layout.bits}-bit grey of the kind "white is zero"', "save it as black is zero")


def _check_compression(layout: Layout) -> None:
    if layout.compression in _BILEVEL and (layout.bits != 1 or layout.samples != 1):
        raise _not_read(f"has fax compression ({layout.compression}) of {layout.bits}-bit {_name(layout)}")
    if layout.photometric == YCBCR and (layout.compression != JPEG or layout.planar):
        raise _not_read("has YCbCr colours without JPEG compression")
    if layout.compression == JPEG and (
        layout.bits != 8 or layout.samples != layout.colours or layout.photometric == PALETTE
    ):
        raise _not_read(
            f"has JPEG compression of {layout.samples} channels of {layout.bits}-bit {_name(layout)}"
        )
    if layout.predictor == 1:
        return
    if layout.predictor != 2 or layout.bits not in {8, 16, 32} or layout.compression not in _PREDICTING:
        raise _not_read(f"has the predictor {layout.predictor} with compression {layout.compression}")


def _check_rest(page: Page, layout: Layout) -> None:
    plain = layout.bits == 1 and (layout.compression == NONE or layout.compression in _BILEVEL)
    if page.one(tags.FILL_ORDER, 1) != 1 and not plain:
        raise _not_read(
            f"has {layout.bits}-bit {_name(layout)} whose bits are stored in reverse (FillOrder 2)"
        )
    if layout.photometric == CMYK and page.one(tags.INK_SET, 1) != 1:
        raise _not_read("has inks other than cyan, magenta, yellow and black")
    if layout.photometric == PALETTE:
        colours = page.all(tags.COLOR_MAP)
        if len(colours) != 3 << layout.bits:
            raise _not_read(f"has a palette of {len(colours)} values where {3 << layout.bits} belong")
        if 0 < max(colours) < 256:
            raise _not_read(
                "has a palette of 8-bit values where 16 bits belong, and readers differ in what they show"
            )


def _name(layout: Layout) -> str:
    return {RGB: "RGB", PALETTE: "palette colour", CMYK: "CMYK", YCBCR: "YCbCr"}.get(
        layout.photometric, "grey"
    )


def _not_read(what: str, remedy: str = _REMEDY) -> UndecodablePicture:
    return UndecodablePicture(f"the TIFF {what}; that layout is not read: {remedy}")


# ---- Where the samples are


def _check_segments(page: Page, layout: Layout, limits: Limits, length: int) -> None:
    """Refuse tiles of monstrous size, and strips or tiles that are not in the file."""
    across, down, columns, rows = _segments(page)
    width, height = page.size
    if across < 1 or down < 1:
        raise UndecodablePicture(f"the TIFF has tiles of {across} x {down} pixels: the file is damaged")
    most = min(limits.max_pixels, max(LARGEST_TILE, width * height))
    if across * down > most or max(across, down) > limits.max_side:
        raise TooManyPixels(
            f"the TIFF is {width:,} x {height:,} but has tiles of {across:,} x {down:,} pixels, and a tile may have "
            f"{most:,} with sides of {limits.max_side:,}; save it with smaller tiles"
        )
    offsets, sizes = _where(page)
    needed = columns * rows * (layout.samples if layout.planar else 1)
    kind = "tiles" if page.tiled else "strips"
    if len(offsets) != needed or len(sizes) != needed:
        raise UndecodablePicture(
            f"the TIFF lists {len(offsets):,} {kind} of {len(sizes):,} sizes and needs {needed:,}; it is damaged: "
            "open it in a viewer and save it again"
        )
    if (sizes == 0).any():
        raise _not_read(f"has {kind} without bytes (a sparse file)")
    if (offsets < 0).any() or (sizes < 0).any() or (offsets + sizes > length).any():
        missing = int(((offsets + sizes) > length).sum())
        raise UndecodablePicture(
            f"the bytes start like TIFF but cannot be decoded ({missing:,} of {needed:,} {kind} lie behind the file's "
            f"end at byte {length:,}); the file is cut short: fetch or save it again"
        )


def _segments(page: Page) -> tuple[int, int, int, int]:
    """Return the width and height of a strip or tile, and how many there are across and down."""
    width, height = page.size
    if page.tiled:
        across, down = page.one(tags.TILE_WIDTH, 0), page.one(tags.TILE_HEIGHT, 0)
    else:
        across, down = width, min(height, page.one(tags.ROWS_PER_STRIP, height))
    return across, down, -(-width // max(1, across)), -(-height // max(1, down))


def _where(page: Page) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the offset and the number of bytes of each strip or tile."""
    nothing = np.zeros(0, np.int64)
    if page.tiled:
        return page.tags[tags.TILE_OFFSETS], page.tags.get(tags.TILE_BYTES, nothing)
    return page.tags.get(tags.STRIP_OFFSETS, nothing), page.tags.get(tags.STRIP_BYTES, nothing)


def _assemble(data: bytes, page: Page, layout: Layout) -> NDArray[Any]:
    """Return the samples of a page without compression, [H, W, samples] in the numbers of the file."""
    width, height = page.size
    across, down, columns, rows = _segments(page)
    letter = "i" if layout.sample_format == _SIGNED else "u"
    dtype = np.dtype(f"{page.byte_order}{letter}{layout.bits // 8}")
    depth = 1 if layout.planar else layout.samples
    pixels = np.empty((height, width, layout.samples), dtype.newbyteorder("="))
    offsets, sizes = _where(page)
    for number, (offset, size) in enumerate(zip(offsets.tolist(), sizes.tolist(), strict=True)):
        plane, place = divmod(number, columns * rows)
        top, left = place // columns * down, place % columns * across
        # Tiles are always whole; the last strip has only the rows that are left.
        lines = down if page.tiled else min(down, height - top)
        if size < lines * across * depth * dtype.itemsize:
            raise UndecodablePicture(
                f"the TIFF has {size:,} bytes where {lines * across * depth * dtype.itemsize:,} belong; it is damaged: "
                "open it in a viewer and save it again"
            )
        block = np.frombuffer(data, dtype, lines * across * depth, offset).reshape(lines, across, depth)
        target = pixels[top : top + down, left : left + across, plane : plane + depth]
        target[:] = block[: target.shape[0], : target.shape[1]]
    return pixels


def _image_of(pixels: NDArray[Any], layout: Layout) -> Image.Image:
    """Return assembled samples as an image: deep grey as it is, of deep colour the upper 8 bits."""
    if layout.colours == 1 and layout.bits > 8:
        return Image.fromarray(_deep_grey(pixels[..., 0], layout.bits))
    upper = pixels if layout.bits == 8 else pixels >> 8
    if layout.photometric == WHITE_IS_ZERO:
        upper = ~upper
    if layout.photometric == RGB and not _has_alpha(layout):
        upper = upper[..., :3]
    mode = "CMYK" if layout.photometric == CMYK else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[upper.shape[2]]
    height, width = upper.shape[:2]
    return Image.frombytes(mode, (width, height), upper.astype(np.uint8).tobytes())


def _deep_grey(grey: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    lowest, highest = int(grey.min()), int(grey.max())
    if lowest < 0 or highest > 65535:
        raise UndecodablePicture(
            f"the picture has {bits}-bit grey values from {lowest} to {highest}, and no rule says which is "
            "white; convert it to 8- or 16-bit grey first"
        )
    return grey.astype(np.uint16)


def _has_alpha(layout: Layout) -> bool:
    return bool(layout.extra) and layout.extra[0] in {_ASSOCIATED, _UNASSOCIATED}


def _without_fourth(image: Image.Image) -> Image.Image:
    """Return the RGB of an image whose fourth channel is not alpha; Pillow takes it for alpha where nothing is said."""
    return image.convert("RGB")


def _extra_note(layout: Layout) -> list[str]:
    if layout.samples > layout.colours and not _has_alpha(layout):
        return ["TIFF with a fourth channel without a stated meaning: only red, green and blue were measured"]
    return []
