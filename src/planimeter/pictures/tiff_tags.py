"""What a TIFF says about itself: its pages and their tags, read without decoding a pixel.

TIFF 6.0 and BigTIFF. Only the tags that decide about pixels are read; everything is checked against the file's length.
"""

import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import UndecodablePicture

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PAGES = 1000
"""Pages that are looked at; a file may announce millions."""

MOST_TAGS = 50_000
"""Of all pages together that are looked at."""
MOST_VALUES = 8_000_000
"""Of the tags that are read, of all pages together, a letter of a description being one; each is kept as 8 bytes.
100 megapixels in the smallest tiles, each channel by itself, have 3.1 million. Pages may name the same values again, so
the length of the file is no limit."""

NEW_SUBFILE_TYPE: Final = 254
SUBFILE_TYPE: Final = 255
WIDTH: Final = 256
HEIGHT: Final = 257
BITS: Final = 258
COMPRESSION: Final = 259
PHOTOMETRIC: Final = 262
FILL_ORDER: Final = 266
DESCRIPTION: Final = 270
STRIP_OFFSETS: Final = 273
ORIENTATION: Final = 274
SAMPLES: Final = 277
ROWS_PER_STRIP: Final = 278
STRIP_BYTES: Final = 279
X_RESOLUTION: Final = 282
Y_RESOLUTION: Final = 283
PLANAR: Final = 284
RESOLUTION_UNIT: Final = 296
PREDICTOR: Final = 317
COLOR_MAP: Final = 320
TILE_WIDTH: Final = 322
TILE_HEIGHT: Final = 323
TILE_OFFSETS: Final = 324
TILE_BYTES: Final = 325
SUB_PAGES: Final = 330
INK_SET: Final = 332
EXTRA_SAMPLES: Final = 338
SAMPLE_FORMAT: Final = 339
DNG_VERSION: Final = 50706

_NUMBERS = frozenset(
    {
        *(
            NEW_SUBFILE_TYPE,
            SUBFILE_TYPE,
            WIDTH,
            HEIGHT,
            BITS,
            COMPRESSION,
            PHOTOMETRIC,
            FILL_ORDER,
            STRIP_OFFSETS,
        ),
        *(
            ORIENTATION,
            SAMPLES,
            ROWS_PER_STRIP,
            STRIP_BYTES,
            PLANAR,
            PREDICTOR,
            COLOR_MAP,
            TILE_WIDTH,
            TILE_HEIGHT,
        ),
        *(TILE_OFFSETS, TILE_BYTES, SUB_PAGES, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, DNG_VERSION),
    }
)
_RESOLUTION = frozenset({X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT})
"""They decide nothing about pixels: what is wrong with them is as good as nothing said."""
_RATIO = 5
"""The field type of two whole numbers, numerator and denominator."""
_TYPES = {
    1: "u1",
    2: "u1",
    3: "u2",
    4: "u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    13: "u4",
    16: "u8",
    17: "i8",
    18: "u8",
}
"""Of the field types, text (2) and those that hold whole numbers, as NumPy calls them."""
_SIZES = np.array([0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8, 0], float)
"""Bytes of a value of each field type; 0 for those that do not exist."""
_WANTED = np.array(sorted({*_NUMBERS, *_RESOLUTION, DESCRIPTION}))
_LONGEST_DESCRIPTION = 1 << 20


@dataclass(frozen=True, eq=False)
class Page:
    """One page (image file directory): its tags by number."""

    offset: int
    byte_order: str
    """"<" or ">", as NumPy and struct write it."""
    tags: dict[int, NDArray[np.int64]]
    description: str = ""

    def all(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the values of a tag."""
        values = self.tags.get(tag)
        return default if values is None or not values.size else tuple(values.tolist())

    def one(self, tag: int, default: int) -> int:
        """Return the first value of a tag."""
        return self.all(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""
        return self.one(WIDTH, 0), self.one(HEIGHT, 0)

    @property
    def tiled(self) -> bool:
        """Whether the pixels come in tiles rather than in strips."""
        return TILE_OFFSETS in self.tags

    @property
    def secondary(self) -> bool:
        """Whether the page says that it is a smaller version of another (bit 0) or a mask of it (bit 2)."""
        return bool(self.one(NEW_SUBFILE_TYPE, 0) & 5) or self.one(SUBFILE_TYPE, 1) == 2


def read_pages(data: bytes) -> list[Page]:
    """Return the pages of a TIFF in their order, `MOST_PAGES` at most.

    Raises `UndecodablePicture` where the file is cut short or contradicts itself.
    """
    reader = _Reader(data)
    pages: list[Page] = []
    seen: set[int] = set()
    offset = reader.first
    while offset and offset not in seen and len(pages) < MOST_PAGES:
        seen.add(offset)
        page, offset = reader.page(offset)
        pages.append(page)
    if not pages:
        raise UndecodablePicture("the TIFF has no page: the file is cut short or damaged")
    return pages


def read_sub_pages(data: bytes, page: Page) -> list[Page]:
    """Return the pages that hang below `page`: the levels of a pyramid, or the real picture of a raw file."""
    reader = _Reader(data)
    return [reader.page(offset)[0] for offset in page.all(SUB_PAGES)[:MOST_PAGES]]


def starting_with(data: bytes, page: Page) -> bytes:
    """Return the file with `page` as its first page, for decoders that know no other."""
    at, form = (8, "Q") if is_big(data) else (4, "I")
    first = struct.pack(page.byte_order + form, page.offset)
    if data.startswith(first, at):
        return data
    return data[:at] + first + data[at + len(first) :]


def is_big(data: bytes) -> bool:
    """Return whether the file is a BigTIFF."""
    return b"+" in data[2:4]


class _Reader:
    """Reads directories, never beyond the end of the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        self._big = is_big(data)
        self._seen = 0
        self._values = 0
        self.first = self._number(8, "Q") if self._big else self._number(4, "I")

    def page(self, offset: int) -> tuple[Page, int]:
        """Return the page at `offset`, and where the next one is (0: there is none)."""
        count_form, word, entry_size = ("Q", "Q", 20) if self._big else ("H", "I", 12)
        count = self._number(offset, count_form)
        self._seen += count
        if self._seen > MOST_TAGS:
            raise UndecodablePicture(
                f"the TIFF has {self._seen:,} tags or more, and no program writes more than {MOST_TAGS:,}; open it in "
                "a viewer and save it again"
            )
        start = offset + struct.calcsize("<" + count_form)
        tags: dict[int, NDArray[np.int64]] = {}
        description = ""
        end = start + count * entry_size
        entries = self._entries(start, count, word)
        for index in np.flatnonzero(np.isin(entries["tag"], _WANTED)).tolist():
            tag, kind = int(entries["tag"][index]), int(entries["kind"][index])
            if tag in _RESOLUTION:
                with suppress(UndecodablePicture):
                    tags.setdefault(tag, self._resolution(start + index * entry_size + 4, kind, word))
                continue
            if tag in tags:
                raise UndecodablePicture(
                    f"the TIFF gives its tag {tag} twice, and readers differ in which of the two they take; "
                    "open it in a viewer and save it again"
                )
            most = _LONGEST_DESCRIPTION if tag == DESCRIPTION else None
            content = self._content(start + index * entry_size + 4, kind, word, most)
            if tag == DESCRIPTION:
                description = content.tobytes().decode("utf-8", "replace").rstrip("\0")
            else:
                tags[tag] = content.astype(np.int64)
        return Page(offset, self._order, tags, description), self._next(end, word)

    def _entries(self, start: int, count: int, word: str) -> NDArray[np.void]:
        """Return the table of a page's tags; refuses tags that together claim more bytes than the file has."""
        number = np.dtype(f"{self._order}{'u8' if word == 'Q' else 'u4'}")
        short = np.dtype(f"{self._order}u2")
        form = np.dtype([("tag", short), ("kind", short), ("count", number), ("value", number)])
        entries = np.frombuffer(self._slice(start, count * form.itemsize), form)
        sizes = _SIZES[np.minimum(entries["kind"], len(_SIZES) - 1)] * entries["count"].astype(float)
        claimed = float(sizes[sizes > number.itemsize].sum())
        if claimed > 2 * len(self._data):
            raise UndecodablePicture(
                f"the TIFF has tags of {claimed:,.0f} bytes in a file of {len(self._data):,}: it is damaged; open it "
                "in a viewer and save it again"
            )
        return entries

    def _next(self, at: int, word: str) -> int:
        # Some writers end the file here, without the zero that says so.
        return 0 if at >= len(self._data) else self._number(at, word)

    def _content(self, at: int, kind: int, word: str, most: int | None = None) -> NDArray[np.generic]:
        """Return the values, `most` of them, of the entry whose count stands at `at`; none for other types."""
        if kind not in _TYPES:
            return np.zeros(0, np.uint8)
        dtype = np.dtype(self._order + _TYPES[kind])
        count = self._number(at, word)
        size = count * dtype.itemsize
        room = struct.calcsize("<" + word)
        where = at + room
        if size > room:
            where = self._number(where, word)
        taken = count if most is None else min(count, most)
        self._values += taken
        if self._values > MOST_VALUES:
            raise UndecodablePicture(
                f"the TIFF has more than {MOST_VALUES:,} values in its tags, which no program writes; open it in a "
                "viewer and save it again"
            )
        if where + size > len(self._data):
            self._slice(where, size)  # which says so
        return np.frombuffer(self._slice(where, taken * dtype.itemsize), dtype)

    def _resolution(self, at: int, kind: int, word: str) -> NDArray[np.int64]:
        """Return a whole number, or a ratio as its two numbers."""
        if kind != _RATIO:
            return self._content(at, kind, word, 1).astype(np.int64)
        where = at + struct.calcsize("<" + word)
        if word == "I":  # eight bytes do not fit into the entry itself
            where = self._number(where, word)
        return np.frombuffer(self._slice(where, 8), f"{self._order}u4").astype(np.int64)

    def _number(self, at: int, form: str) -> int:
        size = struct.calcsize("<" + form)
        return int(struct.unpack(self._order + form, self._slice(at, size))[0])

    def _slice(self, at: int, size: int) -> bytes:
        if at < 0 or at + size > len(self._data):
            raise UndecodablePicture(
                f"the bytes start like TIFF but cannot be decoded (they point to byte {at + size:,} and end at "
                f"{len(self._data):,}); the file is cut short or damaged: open it in a viewer and save it again"
            )
        return self._data[at : at + size]
