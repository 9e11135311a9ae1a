"""TIFF: which page is the picture, which layouts of pixels are read, and by whom.

Decoders hand out pixels even of layouts that they read wrongly. So the layout is read from the tags, and only what
`tests/test_picture_tiff.py` has proven pixel by pixel goes on: samples of 8, 16 and 32 bits without compression are put
together here, everything else by Pillow. What is not proven is refused, by its name.
"""

import json
import re
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from planimeter.errors import TooManyPixels, UndecodablePicture, UnsupportedPicture
from planimeter.measurement import Note
from planimeter.pictures import tiff_tags as tags
from planimeter.pictures.limits import check_size
from planimeter.pictures.pixel_size import of_tiff
from planimeter.pictures.rgb import QUARTER_TURNS
from planimeter.pictures.stored import StoredImage
from planimeter.pictures.tiff_layout import CMYK, JPEG, RGB, WHITE_IS_ZERO, Layout, not_read, read_layout
from planimeter.pictures.tiff_tags import MOST_PAGES, Page, is_big, read_pages, read_sub_pages, starting_with
from planimeter.settings import Limits

LARGEST_TILE = 4096 * 4096
"""Pixels of a tile that may be larger than its picture: a decoder makes room for all of it."""


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
            raise not_read("is a big-endian BigTIFF with compression or a palette")
        image = TiffImageFile(BytesIO(starting_with(data, page)))
        check_size(image.size, limits)
        image.load()
        if layout.photometric == RGB and image.mode == "RGBA" and not layout.has_alpha:
            # Pillow takes a fourth channel for alpha where nothing is said of it.
            image = image.convert("RGB")
    notes += _extra_note(layout)
    deep_grey = layout.bits > 8 and layout.colours == 1
    scale, of_scale = of_tiff(page)
    if scale is not None and not layout.raw and page.one(tags.ORIENTATION, 1) in QUARTER_TURNS:
        scale = scale.turned()  # as Pillow has turned the pixels
    white_is_zero = deep_grey and layout.photometric == WHITE_IS_ZERO
    return StoredImage(
        image, layout.bits, white_is_zero, (*notes, *of_scale), scale, lossy=layout.compression == JPEG
    )


# ---- Which page


def _choose_page(data: bytes, pages: list[Page]) -> tuple[Page, list[Note]]:
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
    notes: list[Note] = []
    if len(pages) > 1:
        number = pages.index(page) + 1
        message = (
            f"TIFF of {len(pages)} pages: page {number} was measured; the others are its smaller versions or "
            "masks"
        )
        notes.append(Note(code="page_chosen", message=message))
    planes = _ome_planes(page)
    if planes > 1:
        message = f"OME-TIFF: its description tells of {planes} planes; this file holds one of them, which was measured"
        notes.append(Note(code="plane_chosen", message=message))
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
        raise not_read(f"has {kind} without bytes (a sparse file)")
    if (offsets < 0).any() or (sizes < 0).any() or (offsets + sizes > length).any():
        missing = int(((offsets + sizes) > length).sum())
        raise UndecodablePicture(
            f"the bytes start like TIFF but cannot be decoded ({missing:,} of {needed:,} {kind} lie behind the file's "
            f"end at byte {length:,}); the file is cut short: fetch or save it again"
        )
    if layout.raw and int(sizes.sum()) > length:
        raise UndecodablePicture(
            f"the TIFF has {kind} of {int(sizes.sum()):,} bytes in a file of {length:,}: they lie over each other, "
            "and it is damaged; open it in a viewer and save it again"
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
    letter = "i" if layout.signed else "u"
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
    if layout.photometric == RGB and not layout.has_alpha:
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


def _extra_note(layout: Layout) -> list[Note]:
    if layout.samples > layout.colours and not layout.has_alpha:
        message = (
            "TIFF with a fourth channel without a stated meaning: only red, green and blue were measured"
        )
        return [Note(code="channel_dropped", message=message)]
    return []
