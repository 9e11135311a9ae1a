"""The formats of phones and browsers, and what comes in a picture's place."""

import gzip
import struct
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import PlanimeterError, TooManyPixels, UndecodablePicture, UnsupportedPicture
from planimeter.pictures.decode import decode
from planimeter.pictures.formats import FORMATS, SUFFIXES
from planimeter.settings import Limits

HEIGHT, WIDTH = 40, 64


def scene() -> NDArray[np.uint8]:
    """Return broad patches, which lossy formats keep: red marks the upper left corner."""
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    pixels[:, 32:] = (40, 60, 200)
    pixels[:16, :16] = (250, 20, 30)
    return pixels


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    if kind == "HEIC":
        pytest.importorskip("pillow_heif").register_heif_opener()
        kind, options = "HEIF", {"quality": 90, **options}
    image.save(stream, kind, **options)
    return stream.getvalue()


KINDS = {"GIF": 0, "JPEG2000": 0, "AVIF": 12, "HEIC": 12}
"""How far a value may be off, by format."""


class TestPhonesAndBrowsers:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_measured_with_its_own_pixels(self, kind: str) -> None:
        picture = decode(encode(Image.fromarray(scene()), kind), filename="phone.jpg")
        inside = np.ones((HEIGHT, WIDTH), bool)
        if KINDS[kind]:
            inside[:, 28:36] = inside[12:20] = inside[:, 12:20] = False
        assert abs(picture.pixels.astype(int) - scene())[inside].max() <= KINDS[kind]
        assert (picture.info.format, picture.info.width, picture.info.height) == (kind, WIDTH, HEIGHT)
        assert picture.notes == ()

    @pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
    @pytest.mark.parametrize(("orientation", "corner"), [(3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
    def test_it_is_turned_upright_once(self, kind: str, orientation: int, corner: tuple[int, int]) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture = decode(encode(Image.fromarray(scene()), kind, exif=exif.tobytes()))
        assert (picture.info.width, picture.info.height) == (
            (WIDTH, HEIGHT) if orientation == 3 else (HEIGHT, WIDTH)
        )
        assert picture.pixels[corner][0] > 200
        assert [picture.pixels[y, x, 0] > 200 for y in (0, -1) for x in (0, -1)].count(True) == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_limits_hold_before_anything_is_decoded(self, kind: str) -> None:
        data = encode(Image.fromarray(scene()), kind)
        assert decode(data, limits=Limits(max_pixels=HEIGHT * WIDTH)).info.format == kind
        with pytest.raises(TooManyPixels):
            decode(data, limits=Limits(max_pixels=HEIGHT * WIDTH - 1))

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_that_is_cut_short_is_refused(self, kind: str) -> None:
        noise = np.random.default_rng(1).integers(0, 255, (80, 80, 3)).astype(np.uint8)
        data = encode(Image.fromarray(noise), kind)
        with pytest.raises(UndecodablePicture):
            decode(data[: len(data) // 2])

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.filterwarnings("ignore")
    def test_damage_gives_a_picture_or_a_planimeter_error(self, kind: str) -> None:
        data = encode(Image.fromarray(scene()), kind)
        random = np.random.default_rng(2)
        for _ in range(60):
            damaged = bytearray(data)
            for at in random.integers(0, len(data), 3):
                damaged[at] = random.integers(0, 256)
            try:
                picture = decode(bytes(damaged), limits=Limits(max_pixels=200_000, max_side=2000))
            except PlanimeterError:
                continue
            assert picture.pixels.size <= 600_000

    @pytest.mark.parametrize("kind", ["GIF", "AVIF"])
    def test_an_animation_is_refused_with_the_number_of_its_frames(self, kind: str) -> None:
        frames = [Image.new("RGB", (16, 16), (value, 0, 0)) for value in (10, 120, 240)]
        with pytest.raises(UndecodablePicture, match=rf"the {kind} has 3 frames .* split it"):
            decode(encode(frames[0], kind, save_all=True, append_images=frames[1:]))

    def test_transparent_pixels_of_a_gif_count_as_picture(self) -> None:
        image = Image.new("P", (4, 2), 1)
        image.putpalette([0, 0, 0, 12, 34, 56])
        picture = decode(encode(image, "GIF", transparency=1))
        assert (picture.pixels == (12, 34, 56)).all()
        assert "alpha dropped: 100 percent" in picture.notes[0].message

    def test_grey_of_16_bits_is_scaled_in_jpeg_2000_too(self) -> None:
        grey = np.tile(np.array([0, 32_767, 65_535], np.uint16), (16, 6))
        picture = decode(encode(Image.fromarray(grey), "JPEG2000"))
        assert picture.pixels[0, :3, 0].tolist() == [0, 127, 255]
        assert "effective depth of 16 bits" in picture.notes[0].message

    @pytest.mark.parametrize(
        ("at", "byte", "words"),
        [
            (40, 0x8F, "signed components of 16 bits"),
            (40, 0x03, "components of 4 bits"),
            (6, 1, "it is damaged"),
        ],
    )
    def test_what_jpeg_2000_says_of_its_components_is_held_against_what_is_read(
        self, at: int, byte: int, words: str
    ) -> None:
        data = bytearray(encode(Image.fromarray(scene()[..., 0]), "JPEG2000"))
        start = data.index(b"\xff\x4f\xff\x51") + 2
        data[start + at] = byte
        with pytest.raises(UndecodablePicture, match=words):
            decode(bytes(data))

    def test_heic_without_its_extra_is_named_with_what_to_install(self, tmp_path: Path) -> None:
        path = tmp_path / "phone.heic"
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
        code = (
            "import sys; sys.modules['pillow_heif'] = None\n"
            "import importlib.util as u; find = u.find_spec\n"
            "u.find_spec = lambda name, *rest: None if name == 'pillow_heif' else find(name, *rest)\n"
            "from planimeter.pictures.decode import decode\n"
            "from planimeter.errors import UnsupportedPicture\n"
            "from planimeter.pictures.formats import SUFFIXES\n"
            "assert '.heic' not in SUFFIXES\n"
            "try: decode(open(sys.argv[1], 'rb').read())\n"
            "except UnsupportedPicture as error: print(error)"
        )
        ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert ran.stdout.startswith(
            "this is HEIC, a phone's format, and what reads it is not installed: pip install"
        )


def zipped() -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.png", b"x")
    return stream.getvalue()


def npy() -> bytes:
    stream = BytesIO()
    np.save(stream, scene())
    return stream.getvalue()


def saved(kind: str) -> bytes:
    return encode(Image.fromarray(scene()), kind)


OTHERS = {
    "an HTML page": (
        b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Sign in</body></html>",
        "fetch the picture again",
    ),
    "HTML page": (b"<?xml version='1.0'?><html xmlns='x'></html>", "a login or an error"),
    "a Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        "git lfs pull",
    ),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3", "PNG"),
    "(CR2)": (
        b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0" + struct.pack("<HHHII", 1, 256, 3, 1, 1) + bytes(4),
        "develop it",
    ),
    "(CR3)": (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(50), "develop it"),
    "(RAF)": (b"FUJIFILMCCD-RAW 0201" + bytes(50), "develop it"),
    "(ORF)": (b"IIRO\x08\0\0\0" + bytes(50), "develop it"),
    "(RW2)": (b"IIU\0\x08\0\0\0" + bytes(50), "develop it"),
    "DICOM": (bytes(128) + b"DICM" + bytes(20), "export it"),
    "a video (MP4": (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(50), "take a frame"),
    "video (MP4, MOV": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(50), "take a frame"),
    "a video (AVI)": (b"RIFF\0\0\0\0AVI LIST" + bytes(50), "take a frame"),
    "a video (Matroska": (b"\x1a\x45\xdf\xa3" + bytes(50), "take a frame"),
    "JPEG XL": (b"\xff\x0a" + bytes(50), "convert it"),
    "a Photoshop file": (b"8BPS\0\1" + bytes(50), "export it"),
    "OpenEXR": (b"\x76\x2f\x31\x01" + bytes(50), "export it"),
    "helper file that macOS writes": (b"\0\x05\x16\x07\0\2\0\0Mac OS X" + bytes(50), "._"),
    "a ZIP archive": (zipped(), "unpack it"),
    "a gzip archive": (gzip.compress(saved("PNG")), "unpack it"),
    "array of NumPy's": (npy(), "measure the array"),
    "an SVG drawing": (b'<?xml version="1.0"?>\n<svg width="4">', "PNG"),
    "a PNM picture": (saved("PPM"), "PNG"),
    "an icon": (saved("ICO"), "PNG"),
    "text that begins with 'Dear '": ("Dear \u00e4\u00f6\u00fc\n".encode() * 90, "the picture itself"),
    "this is not a picture in a format": (b"\x01\x02\x03\x04" * 20, "convert it to one of them"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_comes_in_a_pictures_place_is_called_what_it_is(what: str) -> None:
    data, remedy = OTHERS[what]
    with pytest.raises(UnsupportedPicture) as caught:
        decode(data, filename="photo.jpg")
    message = str(caught.value)
    assert what.split(" '", maxsplit=1)[0] in message
    assert remedy in message
    assert "damaged" not in message


def test_every_format_has_its_own_name_and_endings() -> None:
    suffixes = [suffix for entry in FORMATS for suffix in entry.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert len({entry.name for entry in FORMATS}) == len(FORMATS)
    assert {".gif", ".avif", ".jp2"} <= set(SUFFIXES)
