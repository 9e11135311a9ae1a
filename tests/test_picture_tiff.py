"""TIFF: every layout that is read, pixel by pixel against how it was written and against tifffile; the rest by name."""

import itertools
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import PlanimeterError, TooManyPixels, UndecodablePicture, UnsupportedPicture
from planimeter.pictures.decode import decode
from planimeter.settings import Limits

HEIGHT, WIDTH = 21, 37
ROWS = 8
TILE = 16
NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
BLACK, WHITE, RGB, CMYK = 1, 0, 2, 5
SHORT, LONG, LONG8 = (3, "H"), (4, "I"), (16, "Q")


Order = Literal["<", ">"]
Tags = dict[int, Any]
"""Numbers as a tuple, text as bytes."""

# ---- A writer of our own, so that a file holds exactly what a test says


def lzw(data: bytes) -> bytes:
    """Return LZW of the dullest kind: each byte by itself, the table cleared before its codes need ten bits."""
    codes: list[int] = []
    for start in range(0, len(data), 200):
        codes += [256, *data[start : start + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data: bytes) -> bytes:
    return b"".join(
        bytes([len(part) - 1]) + part for part in (data[at : at + 128] for at in range(0, len(data), 128))
    )


ENCODERS: dict[int, Callable[[bytes], bytes]] = {
    NONE: bytes,
    LZW: lzw,
    DEFLATE: zlib.compress,
    PACKBITS: packbits,
}


def segments(pixels: NDArray[Any], *, planar: bool, tiled: bool) -> list[NDArray[Any]]:
    """Return the strips of 8 rows, or the padded tiles of 16 x 16 pixels, of [H, W, samples], each [h, w, samples]."""
    planes = [pixels[..., at : at + 1] for at in range(pixels.shape[2])] if planar else [pixels]
    height, width = pixels.shape[:2]
    if not tiled:
        return [plane[top : top + ROWS] for plane in planes for top in range(0, height, ROWS)]
    padded = [
        np.pad(plane, ((0, -height % TILE), (0, -width % TILE), (0, 0)), mode="edge") for plane in planes
    ]
    return [
        plane[top : top + TILE, left : left + TILE]
        for plane in padded
        for top in range(0, height, TILE)
        for left in range(0, width, TILE)
    ]


def directory(pixels: NDArray[Any], order: Order, **wanted: Any) -> tuple[Tags, list[bytes]]:
    """Return the tags of a page without offsets, and its strips or tiles."""
    planar, tiled = wanted.get("planar", False), wanted.get("tiled", False)
    compression, predictor = wanted.get("compression", NONE), wanted.get("predictor", 1)
    height, width, samples = pixels.shape
    content = []
    for part in segments(pixels, planar=planar, tiled=tiled):
        steps = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], axis=1) if predictor == 2 else part
        content.append(ENCODERS[compression](steps.astype(pixels.dtype.newbyteorder(order)).tobytes()))
    bits = 8 * pixels.dtype.itemsize
    tags: Tags = {
        256: (width,),
        257: (height,),
        258: (bits,) * samples,
        259: (compression,),
        262: (wanted.get("photometric", BLACK),),
        277: (samples,),
        284: (2 if planar else 1,),
        339: ({"u": 1, "i": 2, "f": 3}[pixels.dtype.kind],) * samples,
    }
    tags |= {322: (TILE,), 323: (TILE,)} if tiled else {278: (ROWS,)}
    tags |= {317: (predictor,)} if predictor != 1 else {}
    tags |= {338: wanted["extra"]} if "extra" in wanted else {}
    return tags | wanted.get("tags", {}), content


def kind_of(values: Any) -> tuple[int, str]:
    if isinstance(values, bytes):
        return 2, "B"
    return SHORT if max(values) < 65536 else LONG


def tiff(*pages: tuple[Tags, list[bytes]], order: Order = "<", big: bool = False) -> bytes:
    """Return a file of pages as `directory` gives them."""
    word = LONG8 if big else LONG
    mark = b"II" if order == "<" else b"MM"
    data = mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))
    link = 8 if big else 4
    for tags, content in pages:
        offsets, sizes = [], []
        for part in content:
            offsets.append(len(data))
            sizes.append(len(part))
            data += part
        place, length = (324, 325) if 322 in tags else (273, 279)
        entries: list[tuple[int, tuple[int, str], Any]] = [
            *((tag, kind_of(values), values) for tag, values in tags.items()),
            (place, word, tuple(offsets)),
            (length, word, tuple(sizes)),
        ]
        table = b""
        for tag, (kind, letter), values in sorted(entries):
            packed = struct.pack(f"{order}{len(values)}{letter}", *values)
            if len(packed) > struct.calcsize("<" + word[1]):
                where, data = len(data), data + packed
                packed = struct.pack(order + word[1], where)
            table += struct.pack(f"{order}HH{word[1]}", tag, kind, len(values))
            table += packed.ljust(struct.calcsize("<" + word[1]), b"\0")
        start = struct.pack(order + word[1], len(data))
        data = data[:link] + start + data[link + len(start) :]
        data += struct.pack(order + ("Q" if big else "H"), len(entries)) + table
        link = len(data)
        data += bytes(struct.calcsize("<" + word[1]))
    return data


def write(pixels: NDArray[Any], *, order: Order = "<", big: bool = False, **wanted: Any) -> bytes:
    return tiff(directory(pixels, order, **wanted), order=order, big=big)


def noise(samples: int, dtype: str, highest: int | None = None) -> NDArray[Any]:
    highest = highest or {"uint8": 255, "uint16": 65_535}.get(dtype, 30_000)
    random = np.random.default_rng(samples)
    pixels = random.integers(0, highest, (HEIGHT, WIDTH, samples), endpoint=True)
    pixels[0, 0] = highest
    return pixels.astype(dtype)


# ---- What is read


def expected(pixels: NDArray[Any], photometric: int) -> NDArray[Any]:
    """Return the RGB that `docs/pictures.md` promises for samples as they were written."""
    values = pixels.astype(np.int64)
    if photometric in {BLACK, WHITE}:
        grey = values[..., :1]
        if pixels.dtype != np.uint8:
            white = next((1 << bits) - 1 for bits in (8, 10, 12, 14, 16) if grey.max() < 1 << bits)
            grey = (grey * 255 + white // 2) // white
        return np.repeat(255 - grey if photometric == WHITE else grey, 3, axis=2)
    if pixels.dtype == np.uint16:
        values = values >> 8
    if photometric == CMYK:
        return np.rint((255 - values[..., :3]) * (255 - values[..., 3:]) / 255).astype(np.int64)
    return values[..., :3]


KINDS = [
    (BLACK, 1, "uint8", {}),
    (BLACK, 1, "uint16", {}),
    (BLACK, 2, "uint8", {"extra": (2,)}),
    (WHITE, 1, "uint8", {}),
    (WHITE, 1, "uint16", {}),
    (RGB, 3, "uint8", {}),
    (RGB, 3, "uint16", {}),
    (RGB, 4, "uint8", {"extra": (2,)}),
    (RGB, 4, "uint16", {"extra": (2,)}),
    (RGB, 4, "uint8", {"extra": (0,)}),
    (RGB, 4, "uint16", {"extra": (0,)}),
    (RGB, 4, "uint8", {}),
    (CMYK, 4, "uint8", {}),
    (CMYK, 4, "uint16", {}),
]
WAYS = [
    (compression, predictor, tiled)
    for compression, predictor in [(NONE, 1), (LZW, 1), (LZW, 2), (DEFLATE, 1), (DEFLATE, 2), (PACKBITS, 1)]
    for tiled in (False, True)
]


def is_refused(pixels: NDArray[Any], order: Order, layout: dict[str, Any]) -> bool:
    """Return whether Pillow reads this wrongly or not at all, so that it is refused."""
    samples, packed = pixels.shape[2], layout["compression"] != NONE
    if layout["photometric"] == BLACK and samples == 2:
        return bool(layout["planar"])
    if layout["photometric"] == WHITE and pixels.dtype == np.uint16:
        return order == ">" and packed
    unsaid = samples == 4 and layout["photometric"] == RGB and "extra" not in layout
    return unsaid and packed and bool(layout["planar"])


class TestLayouts:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("planar", [False, True], ids=["interleaved", "planar"])
    @pytest.mark.parametrize("kind", KINDS, ids=str)
    def test_a_layout_gives_the_pixels_that_were_written_or_is_refused_by_name(
        self, kind: tuple[int, int, str, dict[str, Any]], planar: bool, order: Order
    ) -> None:
        photometric, samples, dtype, more = kind
        pixels, planar = noise(samples, dtype), planar and samples > 1
        for compression, predictor, tiled in WAYS:
            layout = {"photometric": photometric, "planar": planar, "tiled": tiled, **more}
            layout |= {"compression": compression, "predictor": predictor}
            data = write(pixels, order=order, **layout)
            if compression != LZW and photometric != WHITE:
                # The second reader; of LZW it knows only with a library of 80 MB.
                other = tifffile.imread(BytesIO(data))
                assert ((np.moveaxis(other, 0, 2) if planar else other.reshape(pixels.shape)) == pixels).all()
            if is_refused(pixels, order, layout):
                with pytest.raises(UndecodablePicture, match="that layout is not read"):
                    decode(data)
                continue
            difference = abs(decode(data).pixels - expected(pixels, photometric))
            assert difference.max() <= (photometric == CMYK), layout

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("dtype", ["int16", "int32", "uint32"])
    def test_deep_grey_of_other_types_is_read_as_16_bits(self, dtype: str, order: Order) -> None:
        pixels = noise(1, dtype)
        data = write(pixels, order=order)
        assert (tifffile.imread(BytesIO(data)) == pixels[..., 0]).all()
        assert (decode(data).pixels == expected(pixels, BLACK)).all()

    @pytest.mark.parametrize("dtype", ["uint32", "int32"])
    @pytest.mark.parametrize("predictor", [1, 2])
    def test_compressed_32_bit_grey_is_right_or_refused(self, dtype: str, predictor: int) -> None:
        pixels = noise(1, dtype)
        picture = decode(write(pixels, compression=LZW, predictor=predictor))
        assert (picture.pixels == expected(pixels, BLACK)).all()
        with pytest.raises(
            UndecodablePicture, match=r"signed 32-bit grey, big-endian and compressed.* 16-bit grey"
        ):
            decode(write(pixels, compression=LZW, predictor=predictor, order=">"))

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("planar", [False, True])
    def test_bigtiff_is_read_alike(self, order: Order, planar: bool) -> None:
        pixels = noise(3, "uint16")
        data = write(pixels, order=order, big=True, photometric=RGB, planar=planar)
        assert (decode(data).pixels == pixels >> 8).all()

    def test_a_compressed_little_endian_bigtiff_is_read(self) -> None:
        pixels = noise(3, "uint16")
        data = write(pixels, big=True, photometric=RGB, compression=LZW, predictor=2, tiled=True)
        assert (decode(data).pixels == pixels >> 8).all()

    @pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"])
    @pytest.mark.parametrize("photometric", [BLACK, WHITE])
    def test_one_bit_is_black_and_white_in_every_compression(
        self, compression: str, photometric: int
    ) -> None:
        white = np.random.default_rng(6).integers(0, 2, (HEIGHT, WIDTH)).astype(bool)
        stream = BytesIO()
        Image.fromarray(white).save(stream, "TIFF", compression=compression, tiffinfo={262: photometric})
        stored = tifffile.TiffFile(BytesIO(stream.getvalue())).pages.first.photometric
        assert stored == photometric
        assert (decode(stream.getvalue()).pixels == white[..., np.newaxis] * 255).all()

    @pytest.mark.parametrize("photometric", [BLACK, WHITE])
    def test_bits_in_reverse_order_are_read(self, photometric: int) -> None:
        packed = np.random.default_rng(7).integers(0, 256, (HEIGHT, 5, 1)).astype(np.uint8)
        tags, content = directory(packed, "<", photometric=photometric)
        tags |= {256: (40,), 258: (1,), 266: (2,)}
        white = np.unpackbits(packed[..., 0], axis=1, bitorder="little") != (photometric == WHITE)
        assert (decode(tiff((tags, content))).pixels == white[..., np.newaxis] * 255).all()

    def test_a_compressed_big_endian_bigtiff_is_refused_by_name(self) -> None:
        with pytest.raises(UndecodablePicture, match="big-endian BigTIFF"):
            decode(write(noise(3, "uint8"), order=">", big=True, photometric=RGB, compression=LZW))

    @pytest.mark.parametrize("bits", [1, 2, 4])
    @pytest.mark.parametrize("photometric", [BLACK, WHITE])
    @pytest.mark.parametrize("compression", [NONE, LZW])
    def test_grey_of_few_bits_fills_the_range(self, bits: int, photometric: int, compression: int) -> None:
        values = np.random.default_rng(bits).integers(0, 1 << bits, (HEIGHT, 40))
        packed = np.zeros((HEIGHT, 40 * bits // 8), np.uint8)
        for column in range(40):
            shift = 8 - bits - column * bits % 8
            packed[:, column * bits // 8] |= (values[:, column] << shift).astype(np.uint8)
        tags, content = directory(
            packed[..., np.newaxis], "<", photometric=photometric, compression=compression
        )
        grey = values * 255 // ((1 << bits) - 1)
        grey = 255 - grey if photometric == WHITE else grey
        assert (
            decode(tiff((tags | {256: (40,), 258: (bits,)}, content))).pixels == grey[..., np.newaxis]
        ).all()

    @pytest.mark.parametrize("bits", [4, 8])
    def test_a_palette_of_16_bits_gives_its_colours_and_one_of_8_is_refused(self, bits: int) -> None:
        colours = 257 * np.random.default_rng(3).integers(0, 256, (3, 1 << bits))
        pixels = np.random.default_rng(4).integers(0, 256, (HEIGHT, 20, 1)).astype(np.uint8)
        tags, content = directory(pixels, "<", photometric=3)
        tags |= {258: (bits,), 256: (20 * 8 // bits,), 320: tuple(colours.ravel().tolist())}
        indices = pixels[..., 0] if bits == 8 else np.dstack([pixels >> 4, pixels & 15]).reshape(HEIGHT, -1)
        assert (decode(tiff((tags, content))).pixels == colours.T[indices] >> 8).all()
        tags[320] = tuple((colours // 257).ravel().tolist())
        with pytest.raises(UndecodablePicture, match="palette of 8-bit values"):
            decode(tiff((tags, content)))

    def test_colours_multiplied_with_alpha_are_divided_again(self) -> None:
        alpha = np.full((HEIGHT, WIDTH, 1), 128, np.uint8)
        pixels = np.concatenate([np.full((HEIGHT, WIDTH, 3), (100, 50, 10), np.uint8), alpha], axis=2)
        picture = decode(write(pixels, photometric=RGB, extra=(1,)))
        assert abs(picture.pixels.astype(int) - (199, 99, 19)).max() <= 1
        with pytest.raises(UndecodablePicture, match="associated alpha"):
            decode(write(pixels.astype(np.uint16), photometric=RGB, extra=(1,)))

    @pytest.mark.parametrize("photometric", ["RGB", "YCbCr", "L"])
    def test_jpeg_compression_is_read(self, photometric: str) -> None:
        image = Image.new("RGB", (WIDTH, HEIGHT), (180, 90, 30)).convert(photometric)
        stream = BytesIO()
        image.save(stream, "TIFF", compression="jpeg", quality=95)
        assert abs(decode(stream.getvalue()).pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= 3

    @pytest.mark.parametrize(
        ("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))]
    )
    @pytest.mark.parametrize("compression", [NONE, LZW])
    def test_the_orientation_is_applied_once(
        self, orientation: int, corner: tuple[int, int], compression: int
    ) -> None:
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint16)
        pixels[0, 0] = 65_535
        data = write(
            pixels, photometric=RGB, planar=True, compression=compression, tags={274: (orientation,)}
        )
        picture = decode(data)
        assert picture.pixels[corner].tolist() == [255, 255, 255]
        assert int((picture.pixels[..., 0] > 0).sum()) == 1

    def test_a_fourth_channel_without_a_meaning_is_left_out_with_a_note(self) -> None:
        pixels = noise(4, "uint8")
        for more in dict[str, Any](), {"extra": (0,)}:
            for compression in (NONE, LZW):
                picture = decode(write(pixels, photometric=RGB, compression=compression, **more))
                note = picture.notes[0].message
                assert "fourth channel" in note


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two channels": ({"samples": 2, "extra": (0,)}, "2 channels, 1 of them without a stated meaning"),
    "two planes": ({"samples": 2, "extra": (0,), "planar": True}, "2 channels"),
    "two channels, nothing said": ({"samples": 2}, "2 channels"),
    "five channels": ({"samples": 5, "extra": (0, 0, 0, 0)}, "5 channels, 4 of them"),
    "32-bit float": ({"dtype": "float32"}, "32-bit floating-point"),
    "64-bit float": ({"dtype": "float64"}, "64-bit floating-point"),
    "16-bit float": ({"dtype": "float16"}, "16-bit floating-point"),
    "float RGB": ({"dtype": "float32", "samples": 3, "photometric": RGB}, "32-bit floating-point"),
    "64-bit grey": ({"dtype": "uint64"}, "64-bit grey"),
    "signed 8-bit": ({"dtype": "int8"}, "signed 8-bit grey"),
    "signed colour": ({"dtype": "int16", "samples": 3, "photometric": RGB}, "signed 16-bit RGB"),
    "32-bit colour": ({"dtype": "uint32", "samples": 3, "photometric": RGB}, "32-bit RGB"),
    "unequal depths": (
        {"samples": 3, "photometric": RGB, "tags": {258: (8, 8, 4)}},
        r"different bits per sample \(8, 8, 4\)",
    ),
    "too few depths": (
        {"samples": 3, "photometric": RGB, "tags": {258: (8, 8)}},
        "3 samples per pixel and 2 bits",
    ),
    "RGB of one": ({"samples": 1, "photometric": RGB}, "contradicts itself"),
    "CIELAB": ({"samples": 3, "photometric": 8}, "CIELAB colours"),
    "a sensor": ({"photometric": 32803}, "raw values of a camera's sensor"),
    "no photometric": ({"photometric": 999}, "photometric interpretation 999"),
    "JPEG 2000": ({"tags": {259: (34712,)}}, r"compression JPEG 2000 \(34712\)"),
    "WebP": ({"tags": {259: (50001,)}}, r"compression WebP \(50001\)"),
    "old JPEG": ({"tags": {259: (6,)}}, r"old-style JPEG \(6\)"),
    "a compression of the future": ({"tags": {259: (60000,)}}, "unknown here"),
    "float predictor": ({"compression": LZW, "tags": {317: (3,)}}, "predictor 3"),
    "predictor of nothing": ({"tags": {317: (2,)}}, "predictor 2 with compression 1"),
    "grey-alpha of 16 bits": (
        {"dtype": "uint16", "samples": 2, "extra": (2,)},
        "alpha channel beside 16-bit grey",
    ),
    "reversed bits": ({"tags": {266: (2,)}}, "FillOrder 2"),
    "other inks": ({"samples": 4, "photometric": CMYK, "tags": {332: (2,)}}, "inks other than"),
    "12 bits": ({"tags": {258: (12,)}}, "12-bit grey"),
}


class TestRefusedByName:
    @pytest.mark.parametrize("case", REFUSED)
    def test_a_layout_that_was_not_proven_is_named_with_a_remedy(self, case: str) -> None:
        wanted, words = REFUSED[case]
        pixels = noise(wanted.get("samples", 1), wanted.get("dtype", "uint8"), 100)
        with pytest.raises(UndecodablePicture, match=words) as caught:
            decode(
                write(
                    pixels, **{key: value for key, value in wanted.items() if key not in {"samples", "dtype"}}
                )
            )
        assert "damaged" not in str(caught.value)
        assert any(word in str(caught.value) for word in ("save", "convert"))

    def test_a_tag_that_stands_twice_is_refused_because_readers_differ(self) -> None:
        data = write(noise(1, "uint8"))
        twice = data.replace(struct.pack("<HHI", 284, 3, 1), struct.pack("<HHI", 256, 3, 1))
        with pytest.raises(UndecodablePicture, match="tag 256 twice"):
            decode(twice)

    def test_a_file_that_is_cut_says_how_much_is_missing(self) -> None:
        stream = BytesIO()
        Image.fromarray(noise(3, "uint8")).save(stream, "TIFF")
        with pytest.raises(UndecodablePicture, match=r"1 of 1 strips lie behind the file's end .* cut short"):
            decode(stream.getvalue()[:1500])


class TestLimits:
    def test_tiles_of_monstrous_size_are_refused_by_the_header(self) -> None:
        tags, content = directory(np.zeros((64, 64, 1), np.uint8), "<", compression=DEFLATE, tiled=True)
        data = tiff((tags | {322: (29_984,), 323: (29_984,)}, content[:1]))
        assert len(data) < 1100
        with pytest.raises(TooManyPixels, match=r"64 x 64 but has tiles of 29,984 x 29,984"):
            decode(data)

    def test_a_tile_may_be_larger_than_a_small_picture(self) -> None:
        pixels = np.arange(25, dtype=np.uint8).reshape(5, 5, 1)
        assert (decode(write(pixels, tiled=True)).pixels == pixels).all()

    def test_the_size_in_the_tags_is_held_against_the_limits(self) -> None:
        with pytest.raises(TooManyPixels, match="30,001"):
            decode(write(noise(1, "uint8"), tags={256: (30_001,)}))
        with pytest.raises(TooManyPixels, match="limit is 700"):
            decode(write(noise(1, "uint8")), limits=Limits(max_pixels=700))


# ---- Pages


def page(pixels: NDArray[Any], **tags: tuple[int, ...]) -> tuple[Tags, list[bytes]]:
    numbered = {int(name[1:]): values for name, values in tags.items()}
    return directory(pixels, "<", photometric=RGB if pixels.shape[2] == 3 else BLACK, tags=numbered)


class TestPages:
    @pytest.mark.parametrize("first", [False, True])
    def test_a_thumbnail_before_or_after_the_picture_is_passed_over_with_a_note(self, first: bool) -> None:
        picture, thumbnail = noise(3, "uint8"), noise(3, "uint8")[::4, ::4].copy()
        pages = [page(picture), page(thumbnail, t254=(1,))]
        decoded = decode(tiff(*(reversed(pages) if first else pages)))
        assert (decoded.pixels == picture).all()
        assert decoded.notes[0].message.startswith(f"TIFF of 2 pages: page {2 if first else 1} was measured")

    def test_a_mask_page_is_passed_over(self) -> None:
        mask = page(noise(1, "uint8"), t254=(4,), t262=(4,))
        assert "TIFF of 2 pages: page 1" in decode(tiff(page(noise(3, "uint8")), mask)).notes[0].message

    def test_a_pyramid_is_measured_at_its_full_size(self) -> None:
        picture = noise(3, "uint8")
        stream = BytesIO()
        with tifffile.TiffWriter(stream) as writer:
            writer.write(picture, subifds=1, photometric="rgb")
            writer.write(picture[::2, ::2], subfiletype=1, photometric="rgb")
        assert (decode(stream.getvalue()).pixels == picture).all()

    def test_several_pictures_are_refused_with_their_number_and_the_name_of_the_stack(self) -> None:
        stack = np.stack([noise(1, "uint16")[..., 0]] * 5)
        for program, name in (("imagej", "an ImageJ stack"), ("ome", "an OME-TIFF")):
            stream = BytesIO()
            is_imagej = program == "imagej"
            tifffile.imwrite(stream, stack, photometric="minisblack", imagej=is_imagej, ome=not is_imagej)
            with pytest.raises(UndecodablePicture, match=rf"5 pages \({name}\).* split it"):
                decode(stream.getvalue())

    @pytest.mark.parametrize(
        "description", ["ImageJ=1.54f\nimages=5\nslices=5\n", '{"shape": [5, 21, 37], "truncated": true}']
    )
    def test_a_stack_with_a_page_for_its_first_picture_alone_is_refused_too(self, description: str) -> None:
        data = write(noise(1, "uint8"), tags={270: description.encode()})
        with pytest.raises(UndecodablePicture, match=r"stack of 5 pictures.* page for the first alone"):
            decode(data)

    def test_an_ome_file_that_tells_of_planes_in_other_files_says_so(self) -> None:
        description = '<?xml version="1.0"?><OME><Image><Pixels SizeC="3" SizeT="1" SizeZ="4"/></Image></OME>'
        picture = decode(write(noise(1, "uint8"), tags={270: description.encode()}))
        assert (picture.pixels == noise(1, "uint8")).all()
        assert "tells of 12 planes" in picture.notes[0].message

    def test_a_page_of_the_colour_channels_of_an_ome_file_is_measured(self) -> None:
        stream = BytesIO()
        tifffile.imwrite(stream, noise(3, "uint8"), photometric="rgb", ome=True)
        picture = decode(stream.getvalue())
        assert (picture.pixels == noise(3, "uint8")).all()
        assert picture.notes == ()

    def test_raw_files_of_cameras_are_called_what_they_are(self) -> None:
        preview = page(noise(3, "uint8"), t50706=(1, 4, 0, 0))
        with pytest.raises(UnsupportedPicture, match=r"raw file of a camera \(DNG\).* develop it"):
            decode(tiff(preview))

    def test_pages_that_lead_back_to_themselves_end(self) -> None:
        data = write(noise(1, "uint8"))
        first = data[4:8]
        assert (decode(data[:-4] + first).pixels == noise(1, "uint8")).all()


def test_any_single_byte_of_the_directory_may_lie() -> None:
    data = write(noise(3, "uint16"), photometric=RGB, planar=True)
    start = struct.unpack("<I", data[4:8])[0]
    limits = Limits(max_pixels=200_000, max_side=2000)
    for at, value in itertools.product(range(start, len(data)), (0, 1, 7, 255)):
        with suppress(PlanimeterError):
            decode(data[:at] + bytes([value]) + data[at + 1 :], limits=limits)
