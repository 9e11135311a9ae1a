import hashlib
import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import (
    InvalidOption,
    MissingPicture,
    PlanimeterError,
    TooManyBytes,
    TooManyPixels,
    UndecodablePicture,
    UnsupportedPicture,
)
from planimeter.pictures.decode import decode, from_array
from planimeter.settings import Limits

HEIGHT, WIDTH = 6, 10
CORNER = (250, 20, 30)


def scene() -> NDArray[np.uint8]:
    """Return 6 x 10 pixels of which no turn or mirror image is the same: red marks the upper left corner."""
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    pixels[:, 5:] = (40, 60, 200)
    pixels[0, 0] = CORNER
    return pixels


def encode(image: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    # Copies: saving as one format leaves settings on an image that break saving it as another.
    image = image.copy() if isinstance(image, Image.Image) else Image.fromarray(image)
    if frames := options.get("append_images"):
        options["append_images"] = [frame.copy() for frame in frames]
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_header_only(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that announces a picture of any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


LOSSLESS = {
    "PNG": encode(scene(), "PNG"),
    "WEBP": encode(scene(), "WEBP", lossless=True),
    "TIFF": encode(scene(), "TIFF"),
    "BMP": encode(scene(), "BMP"),
}


class TestFormats:
    @pytest.mark.parametrize("kind", LOSSLESS)
    def test_a_lossless_format_gives_back_every_pixel(self, kind: str) -> None:
        picture = decode(LOSSLESS[kind], filename="strip.dat")
        assert (picture.pixels == scene()).all()
        assert picture.pixels.flags.c_contiguous
        assert picture.notes == ()
        assert picture.info.model_dump() == {
            "filename": "strip.dat",
            "format": kind,
            "width": WIDTH,
            "height": HEIGHT,
            "sha256": hashlib.sha256(LOSSLESS[kind]).hexdigest(),
            "scale": None,
        }

    def test_a_jpeg_gives_its_pixels_nearly(self) -> None:
        data = encode(np.full((40, 50, 3), (180, 90, 30), np.uint8), "JPEG", quality=95)
        picture = decode(data)
        assert picture.info.format == "JPEG"
        assert abs(picture.pixels.astype(int) - (180, 90, 30)).max() <= 3

    def test_the_format_is_told_by_content_never_by_name(self) -> None:
        assert decode(LOSSLESS["PNG"], filename="photo.jpg").info.format == "PNG"
        with pytest.raises(UnsupportedPicture, match="JPEG, PNG, WebP, TIFF, BMP, GIF"):
            decode(b"this is a letter, not a picture", filename="letter.png")

    @pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA"])
    def test_formats_that_are_not_read_are_refused_though_pillow_could(self, kind: str) -> None:
        with pytest.raises(UnsupportedPicture):
            decode(encode(scene(), kind))

    def test_of_a_jpeg_with_more_pictures_the_first_is_read(self) -> None:
        first, second = (Image.new("L", (16, 16), value) for value in (200, 20))
        picture = decode(encode(first, "MPO", save_all=True, append_images=[second]))
        assert picture.info.format == "JPEG"
        assert picture.pixels.min() > 190

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
    def test_compressed_tiffs_are_read(self, compression: str) -> None:
        assert (decode(encode(scene(), "TIFF", compression=compression)).pixels == scene()).all()


class TestRefusals:
    def test_no_bytes_are_a_missing_picture(self) -> None:
        with pytest.raises(MissingPicture, match="0 bytes"):
            decode(b"")

    @pytest.mark.parametrize("kind", [*LOSSLESS, "JPEG"])
    def test_a_truncated_file_is_undecodable(self, kind: str) -> None:
        noise = np.random.default_rng(1).integers(0, 255, (80, 80, 3), np.uint8)
        data = encode(noise, kind)
        with pytest.raises(UndecodablePicture, match=f"start like {kind}"):
            decode(data[: len(data) // 2])

    def test_too_many_bytes_are_refused_before_the_content_is_looked_at(self) -> None:
        with pytest.raises(TooManyBytes, match=r"1,001 bytes and the limit is 1,000"):
            decode(bytes(1001), limits=Limits(max_bytes=1000))

    def test_900_megapixels_in_a_file_of_a_hundred_bytes_are_refused_by_the_header(self) -> None:
        data = png_header_only(30_000, 30_000)
        assert len(data) < 200
        with pytest.raises(TooManyPixels, match=r"30,000 x 30,000 = 900,000,000 pixels.* 100,000,000"):
            decode(data)

    def test_a_side_beyond_the_limit_is_refused_though_the_pixels_are_few(self) -> None:
        with pytest.raises(TooManyPixels, match=r"longer side may have 30,000"):
            decode(png_header_only(30_001, 2))

    @pytest.mark.parametrize("kind", [*LOSSLESS, "JPEG"])
    def test_limits_hold_for_every_format_and_are_inclusive(self, kind: str) -> None:
        data = encode(scene(), kind)
        assert decode(data, limits=Limits(len(data), HEIGHT * WIDTH, WIDTH)).info.width == WIDTH
        with pytest.raises(TooManyPixels):
            decode(data, limits=Limits(max_pixels=HEIGHT * WIDTH - 1))
        with pytest.raises(TooManyPixels):
            decode(data, limits=Limits(max_side=WIDTH - 1))
        with pytest.raises(TooManyBytes):
            decode(data, limits=Limits(max_bytes=len(data) - 1))

    @pytest.mark.parametrize(("kind", "noun"), [("TIFF", "pages"), ("WEBP", "frames"), ("PNG", "frames")])
    def test_several_pages_or_frames_are_refused_with_their_number(self, kind: str, noun: str) -> None:
        frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (10, 120, 240)]
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        with pytest.raises(UndecodablePicture, match=f"3 {noun} .* split it"):
            decode(data)

    def test_floating_point_pixels_are_refused_with_a_remedy(self) -> None:
        with pytest.raises(UndecodablePicture, match=r"floating-point.* convert it to 8- or 16-bit grey"):
            decode(encode(np.zeros((4, 4), np.float32), "TIFF"))

    def test_cielab_is_refused_with_a_remedy(self) -> None:
        with pytest.raises(UndecodablePicture, match=r"CIELAB.* convert it to RGB"):
            decode(encode(Image.new("LAB", (4, 4)), "TIFF"))

    def test_32_bit_values_that_do_not_fit_into_16_are_refused(self) -> None:
        with pytest.raises(UndecodablePicture, match="from 0 to 65536"):
            decode(encode(np.array([[0, 65_536]], np.int32), "TIFF"))


class TestOrientation:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF-LZW"])
    @pytest.mark.parametrize(
        ("orientation", "corner"),
        [
            (1, (0, 0)),
            (2, (0, -1)),
            (3, (-1, -1)),
            (4, (-1, 0)),
            (5, (0, 0)),
            (6, (0, -1)),
            (7, (-1, -1)),
            (8, (-1, 0)),
        ],
    )
    def test_the_corner_lands_where_the_exif_standard_says(
        self, kind: str, orientation: int, corner: tuple[int, int]
    ) -> None:
        pixels = np.full((16, 32, 3), 90, np.uint8)
        pixels[:8, :8] = CORNER
        kind, _, compression = kind.partition("-")
        options: dict[str, Any] = {"compression": "tiff_lzw"} if compression else {}
        if kind == "TIFF":
            options["tiffinfo"] = {0x0112: orientation}
        else:
            exif = Image.Exif()
            exif[0x0112] = orientation
            options["exif"] = exif
        picture = decode(encode(pixels, kind, **options))
        upright = (16, 32) if orientation < 5 else (32, 16)
        assert (picture.info.height, picture.info.width) == picture.pixels.shape[:2] == upright
        row, column = corner
        assert picture.pixels[row, column, 0] > 200
        assert picture.pixels[-1 - row, -1 - column, 0] < 150
        assert picture.pixels.flags.c_contiguous

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF")
    def test_damaged_exif_leaves_the_picture_as_it_is_stored(self) -> None:
        picture = decode(encode(scene(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
        assert (picture.pixels == scene()).all()


class TestDepth:
    @pytest.mark.parametrize(
        ("white", "depth"), [(255, 8), (1023, 10), (4095, 12), (16_383, 14), (65_535, 16)]
    )
    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_16_bit_grey_is_scaled_by_its_effective_depth(self, kind: str, white: int, depth: int) -> None:
        picture = decode(encode(np.array([[0, white // 2, white]], np.uint16), kind))
        assert picture.pixels[0, :, 0].tolist() == [0, 127, 255]
        note = picture.notes[0].message
        assert f"effective depth of {depth} bits (largest value {white})" in note

    def test_one_value_more_than_12_bits_makes_14(self) -> None:
        picture = decode(encode(np.array([[0, 4096]], np.uint16), "PNG"))
        assert picture.pixels[0, 1].tolist() == [64, 64, 64]

    def test_16_bit_grey_with_white_as_zero_is_turned_round(self) -> None:
        data = encode(np.array([[0, 65_535]], np.uint16), "TIFF", tiffinfo={262: 0})
        assert decode(data).pixels[0, :, 0].tolist() == [255, 0]

    def test_big_endian_16_bit_tiffs_read_the_same(self) -> None:
        image = Image.frombytes("I;16B", (3, 1), np.array([0, 2047, 4095], ">u2").tobytes())
        assert decode(encode(image, "TIFF")).pixels[0, :, 0].tolist() == [0, 127, 255]

    def test_16_bits_a_colour_channel_use_the_upper_8_and_say_so(self) -> None:
        values = np.array([[[0x1234, 0xABCD, 0xFFFF]]], ">u2").tobytes()
        header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + values)), (b"IEND", b"")]
        body = b"".join(
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks
        )
        picture = decode(b"\x89PNG\r\n\x1a\n" + body)
        assert picture.pixels.tolist() == [[[0x12, 0xAB, 0xFF]]]
        assert [note.message for note in picture.notes] == ["16 bits per channel: the upper 8 were used"]

    def test_one_bit_is_black_and_white(self) -> None:
        data = encode(Image.fromarray(np.array([[True, False]])), "PNG")
        assert decode(data).pixels.tolist() == [[[255, 255, 255], [0, 0, 0]]]


class TestColour:
    def test_alpha_is_dropped_and_the_stored_colours_are_used(self) -> None:
        rgba = np.full((10, 10, 4), (10, 200, 30, 255), np.uint8)
        assert decode(encode(rgba, "PNG")).notes == ()
        rgba[0, :5, 3] = 0
        picture = decode(encode(rgba, "PNG"))
        assert (picture.pixels == (10, 200, 30)).all()
        note = picture.notes[0].message
        assert note.startswith("alpha dropped: 5 percent of the pixels are not opaque")

    def test_grey_with_alpha_gives_grey(self) -> None:
        picture = decode(encode(Image.new("LA", (4, 4), (77, 128)), "PNG"))
        assert (picture.pixels == 77).all()
        assert "100 percent" in picture.notes[0].message

    def test_a_palette_gives_its_colours(self) -> None:
        image = Image.new("P", (4, 2), 1)
        image.putpalette([0, 0, 0, 12, 34, 56])
        picture = decode(encode(image, "PNG"))
        assert (picture.pixels == (12, 34, 56)).all()
        assert picture.notes == ()

    def test_a_transparent_palette_entry_keeps_its_colour(self) -> None:
        image = Image.new("P", (4, 2), 1)
        image.putpalette([0, 0, 0, 12, 34, 56])
        picture = decode(encode(image, "PNG", transparency=1))
        assert (picture.pixels == (12, 34, 56)).all()
        assert "alpha dropped: 100 percent" in picture.notes[0].message

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk_becomes_rgb_and_says_so(self, kind: str) -> None:
        picture = decode(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), kind))
        assert abs(picture.pixels.astype(int) - (255, 0, 0)).max() <= 6
        assert [note.message for note in picture.notes] == ["CMYK converted to RGB without a colour profile"]

    def test_grey_gives_three_equal_channels(self) -> None:
        grey = np.arange(60, dtype=np.uint8).reshape(6, 10)
        assert (decode(encode(grey, "PNG")).pixels == grey[..., np.newaxis]).all()


class TestArrays:
    def test_grey_rgb_and_rgba_arrays_are_pictures(self) -> None:
        assert (from_array(scene()).pixels == scene()).all()
        assert from_array(scene()).info.format == "ARRAY"
        assert (from_array(scene()[..., 0]).pixels == scene()[..., :1]).all()
        picture = from_array(np.dstack([scene(), np.zeros((HEIGHT, WIDTH), np.uint8)]))
        assert (picture.pixels == scene()).all()
        assert "100 percent" in picture.notes[0].message

    def test_16_bit_grey_arrays_are_scaled_as_files_are(self) -> None:
        picture = from_array(np.array([[0, 4095]], np.uint16))
        assert picture.pixels[0, :, 1].tolist() == [0, 255]
        assert "12 bits" in picture.notes[0].message

    def test_the_pixels_are_a_copy(self) -> None:
        pixels = scene()
        picture = from_array(pixels[:, ::-1])
        pixels[:] = 0
        assert picture.pixels[0, -1].tolist() == list(CORNER)
        assert picture.pixels.flags.c_contiguous

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((4, 4, 3), np.float32),
            np.zeros((4, 4), bool),
            np.zeros((4, 4, 2), np.uint8),
            np.zeros((4, 4, 3), np.uint16),
            np.zeros((1, 4, 4, 3), np.uint8),
            np.zeros((0, 4), np.uint8),
            np.zeros(4, np.uint8),
        ],
    )
    def test_other_arrays_are_refused_with_what_is_taken(self, array: NDArray[Any]) -> None:
        with pytest.raises(InvalidOption, match=r"uint8 \[H, W\]"):
            from_array(array)


def _seeds() -> list[bytes]:
    """Return small files of every format and of most kinds of pixels within them."""
    grey, deep = scene()[..., 0], scene()[..., 0].astype(np.uint16) * 16
    rgba = np.dstack([scene(), grey])
    palette = Image.fromarray(scene()).quantize(4)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (10, 120)]
    return [
        *LOSSLESS.values(),
        encode(scene(), "JPEG", exif=exif),
        encode(scene(), "JPEG", progressive=True),
        encode(Image.new("CMYK", (9, 9), (9, 99, 0, 3)), "JPEG"),
        encode(frames[0], "MPO", save_all=True, append_images=frames[1:]),
        encode(rgba, "PNG", exif=exif),
        encode(deep, "PNG"),
        encode(palette, "PNG", transparency=1),
        encode(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        encode(rgba, "WEBP", exif=exif),
        encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        encode(deep, "TIFF"),
        encode(rgba, "TIFF", compression="tiff_lzw"),
        encode(scene(), "TIFF", compression="jpeg"),
        encode(grey > 50, "TIFF", compression="group4"),
        encode(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
        encode(palette, "BMP"),
    ]


SEEDS = _seeds()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A file with bytes changed, cut out, repeated or cut off; header bytes more often than later ones."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        reach = draw(st.sampled_from([40, 200, len(data)]))
        at = draw(st.integers(0, max(0, min(reach, len(data)) - 1)))
        kind = draw(st.sampled_from(["set", "set", "set", "cut", "repeat", "truncate"]))
        length = draw(st.integers(1, 8))
        if kind == "set":
            data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "cut":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = data[at : at + length]
        else:
            del data[max(at, 1) :]
    return bytes(data)


def _decode_hostile(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which a served picture may well have
        try:
            picture = decode(data, limits=Limits(max_pixels=200_000, max_side=2000))
        except PlanimeterError:
            return
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape == (picture.info.height, picture.info.width, 3)
    assert picture.pixels.size <= 600_000


class TestHostileBytes:
    @given(mutated())
    @settings(deadline=None, max_examples=300)
    def test_a_damaged_file_gives_a_picture_or_a_planimeter_error_and_nothing_else(self, data: bytes) -> None:
        _decode_hostile(data)

    @given(mutated())
    @settings(deadline=None, max_examples=20_000)
    @pytest.mark.slow
    def test_so_do_many_damaged_files(self, data: bytes) -> None:
        _decode_hostile(data)

    @given(
        st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM"]),
        st.binary(max_size=200),
    )
    @settings(deadline=None)
    def test_so_does_anything_behind_the_first_bytes_of_a_format(self, magic: bytes, rest: bytes) -> None:
        _decode_hostile(magic + rest)
