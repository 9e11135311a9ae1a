"""How the samples of a TIFF lie in its file, and which of these layouts are read.

Only what `tests/test_picture_tiff.py` has proven pixel by pixel is; everything else is refused by its name.
"""

from dataclasses import dataclass

from planimeter.errors import UndecodablePicture
from planimeter.pictures import tiff_tags as tags
from planimeter.pictures.tiff_tags import Page

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
    def has_alpha(self) -> bool:
        """Whether the extra sample says that it is alpha."""
        return bool(self.extra) and self.extra[0] in {_ASSOCIATED, _UNASSOCIATED}

    @property
    def signed(self) -> bool:
        """Whether samples may be negative."""
        return self.sample_format == _SIGNED

    @property
    def raw(self) -> bool:
        """Whether the pixels are put together here, not by Pillow."""
        plain = self.photometric != PALETTE and _ASSOCIATED not in self.extra
        return plain and self.compression == NONE and self.bits in {8, 16, 32}


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
        raise not_read(f"has {what}", "convert it to RGB first")
    if compression != NONE and compression not in _BILEVEL | _LOSSLESS | {JPEG}:
        name = _COMPRESSION_NAMES.get(compression, "unknown here")
        raise not_read(f"has the compression {name} ({compression})")
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
        raise not_read(f"has channels with different {what} {values[:8]}")
    if len(values) not in {1, samples}:
        raise not_read(f"has {samples} samples per pixel and {len(values)} {what}")
    return values[0]


def _check_values(bits: int, sample_format: int) -> None:
    if sample_format == _FLOAT:
        raise not_read(
            f"has {bits}-bit floating-point pixels, and no rule says which value is white",
            "convert it to 8- or 16-bit grey first",
        )
    if sample_format in {5, 6}:
        raise not_read("has complex numbers as pixels", "convert it to 8- or 16-bit grey first")


def _check_channels(layout: Layout) -> None:
    extra = layout.samples - layout.colours
    channels = "channel" if layout.samples == 1 else "channels"
    if extra < 0 or (layout.extra and len(layout.extra) != extra):
        raise not_read(
            f"says {layout.samples} {channels}, of them {len(layout.extra)} extra, which contradicts itself"
        )
    if extra == 0:
        return
    kind = layout.extra[0] if layout.extra else 0
    if extra > 1 or (kind == 0 and layout.photometric != RGB):
        raise not_read(
            f"has {layout.samples} channels, {extra} of them without a stated meaning, and nobody could tell which one "
            "is the picture",
            "save the channel that counts as a grey picture, or a merge of them as RGB",
        )
    if layout.photometric not in {BLACK_IS_ZERO, RGB} or (
        layout.photometric == BLACK_IS_ZERO and layout.bits != 8
    ):
        raise not_read(
            f"has an alpha channel beside {layout.bits}-bit {_name(layout)}", "save it without alpha"
        )
    if kind == _ASSOCIATED and (layout.planar or layout.bits != 8 or layout.photometric != RGB):
        raise not_read(
            f"has {layout.bits}-bit {_name(layout)} that is multiplied with its alpha (associated alpha)",
            "save it without alpha",
        )
    if layout.planar and not layout.extra and layout.compression != NONE:
        raise not_read(
            f"has {layout.samples} compressed planes of RGB, and does not say what the last one is"
        )
    if layout.planar and layout.photometric == BLACK_IS_ZERO:
        raise not_read("has grey and alpha in separate planes", "save it interleaved, or without alpha")


def _check_depth(layout: Layout) -> None:
    allowed = {8, 16}
    if layout.photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO} and layout.samples == 1:
        allowed = {1, 2, 4, 8, 16, 32}
    elif layout.photometric == PALETTE:
        allowed = {1, 2, 4, 8}
    elif layout.photometric == YCBCR:
        allowed = {8}
    if layout.bits not in allowed:
        raise not_read(f"has {layout.bits}-bit {_name(layout)}")
    signed = layout.signed
    if signed and (layout.bits not in {16, 32} or layout.colours > 1):
        raise not_read(
            f"has signed {layout.bits}-bit {_name(layout)}", "convert it to 8- or 16-bit grey first"
        )
    if layout.compression != NONE and (
        (signed and layout.bits == 16) or (layout.bits == 32 and layout.big_endian)
    ):
        order = "big-endian" if layout.big_endian else "little-endian"
        signs = "signed" if signed else "unsigned"
        raise not_read(
            f"has {signs} {layout.bits}-bit grey, {order} and compressed", "save it as 16-bit grey"
        )
    deep = layout.bits > 8
    if (
        layout.photometric == WHITE_IS_ZERO
        and deep
        and (signed or layout.bits == 32 or (layout.big_endian and not layout.raw))
    ):
        raise not_read(f'has {layout.bits}-bit grey of the kind "white is zero"', "save it as black is zero")


def _check_compression(layout: Layout) -> None:
    if layout.compression in _BILEVEL and (layout.bits != 1 or layout.samples != 1):
        raise not_read(f"has fax compression ({layout.compression}) of {layout.bits}-bit {_name(layout)}")
    if layout.photometric == YCBCR and (layout.compression != JPEG or layout.planar):
        raise not_read("has YCbCr colours without JPEG compression")
    if layout.compression == JPEG and (
        layout.bits != 8 or layout.samples != layout.colours or layout.photometric == PALETTE
    ):
        raise not_read(
            f"has JPEG compression of {layout.samples} channels of {layout.bits}-bit {_name(layout)}"
        )
    if layout.predictor == 1:
        return
    if layout.predictor != 2 or layout.bits not in {8, 16, 32} or layout.compression not in _PREDICTING:
        raise not_read(f"has the predictor {layout.predictor} with compression {layout.compression}")


def _check_rest(page: Page, layout: Layout) -> None:
    plain = layout.bits == 1 and (layout.compression == NONE or layout.compression in _BILEVEL)
    if page.one(tags.FILL_ORDER, 1) != 1 and not plain:
        raise not_read(
            f"has {layout.bits}-bit {_name(layout)} whose bits are stored in reverse (FillOrder 2)"
        )
    if layout.photometric == CMYK and page.one(tags.INK_SET, 1) != 1:
        raise not_read("has inks other than cyan, magenta, yellow and black")
    if layout.photometric == PALETTE:
        colours = page.all(tags.COLOR_MAP)
        if len(colours) != 3 << layout.bits:
            raise not_read(f"has a palette of {len(colours)} values where {3 << layout.bits} belong")
        if 0 < max(colours) < 256:
            raise not_read(
                "has a palette of 8-bit values where 16 bits belong, and readers differ in what they show"
            )


def _name(layout: Layout) -> str:
    return {RGB: "RGB", PALETTE: "palette colour", CMYK: "CMYK", YCBCR: "YCbCr"}.get(
        layout.photometric, "grey"
    )


def not_read(what: str, remedy: str = _REMEDY) -> UndecodablePicture:
    """Return the refusal of a layout, which names it and says what to do."""
    return UndecodablePicture(f"the TIFF {what}; that layout is not read: {remedy}")
