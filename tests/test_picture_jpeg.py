"""JPEG: one that lacks only its end marker is measured with a note; one that lacks more never is."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import UndecodablePicture
from planimeter.measurement import Note
from planimeter.pictures.decode import decode

NOTE = (Note(code="end_marker_missing", message="JPEG without its end marker: all of its pixels are there"),)
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_blocks": 3},
    "full chroma": {"subsampling": 0, "quality": 98},
    "coarse": {"quality": 5},
}


def textured(mode: str = "RGB") -> Image.Image:
    """Return 70 x 50 pixels, not a multiple of a block, with something to see in every corner."""
    noise = np.random.default_rng(5).integers(0, 255, (50, 70, 3)).astype(np.uint8)
    return Image.fromarray(noise).convert(mode)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", **options)
    assert stream.getvalue().endswith(b"\xff\xd9")
    return stream.getvalue()


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    return decode(data).pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
class TestEnd:
    def test_without_its_end_marker_it_gives_every_pixel_and_a_note(self, kind: str, mode: str) -> None:
        data = jpeg(textured(mode), **KINDS[kind])
        whole = decode(data)
        for cut in (data[:-2], data[:-1], data[:-2] + bytes(500)):
            picture = decode(cut)
            assert (picture.pixels == whole.pixels).all()
            assert picture.notes[:1] == NOTE
        assert NOTE[0] not in whole.notes

    def test_one_that_lacks_more_stays_refused_wherever_it_is_cut(self, kind: str, mode: str) -> None:
        data = jpeg(textured(mode), **KINDS[kind])
        for missing in (4, 6, 10, 50, len(data) // 3, len(data) // 2):
            with pytest.raises(UndecodablePicture, match="start like JPEG"):
                decode(data[:-missing])


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_an_end_put_to_a_cut_picture_does_not_make_it_whole(kind: str, mode: str) -> None:
    data = jpeg(textured(mode), **KINDS[kind])
    with pytest.raises(UndecodablePicture, match="cut short"):
        decode(data[: -len(data) // 3] + b"\xff\xd9")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_picture_that_was_cut_anywhere_is_refused_whatever_its_end(mode: str) -> None:
    smooth = textured().resize((35, 25), Image.Resampling.BOX).resize((70, 50), Image.Resampling.BICUBIC)
    data = jpeg(smooth.convert(mode), progressive=True)
    whole = pixels_of(data)
    told = 0
    for at in range(data.index(b"\xff\xda"), len(data) - 2):
        for end in (b"", b"\xff\xd9"):
            try:
                picture = decode(data[:at] + end)
            except UndecodablePicture:
                told += 1
            else:
                assert (picture.pixels == whole).all(), f"cut at {at} of {len(data)}"
    assert told > len(data)


@pytest.mark.parametrize("quality", [5, 50, 95])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 17), (200, 120)])
def test_whole_progressive_pictures_are_taken(size: tuple[int, int], quality: int) -> None:
    for mode in ("RGB", "L", "CMYK"):
        for image in (textured(mode).resize(size), Image.new(mode, size, 128 if mode == "L" else "grey")):
            data = jpeg(image, progressive=True, quality=quality)
            assert NOTE[0] not in decode(data).notes


def test_a_cut_between_two_scans_is_refused_too() -> None:
    data = jpeg(textured(), progressive=True)
    starts = [
        at
        for at in range(len(data) - 1)
        if data[at : at + 2] == b"\xff\xc4" or data[at : at + 2] == b"\xff\xda"
    ]
    assert len(starts) > 10
    for at in starts[4:]:
        with pytest.raises(UndecodablePicture, match="cut short"):
            decode(data[:at])


@pytest.mark.parametrize("colour", [(128, 128, 128), (127, 127, 127), (0, 0, 0), (255, 255, 255)])
def test_a_picture_that_is_grey_in_its_corner_is_whole_all_the_same(colour: tuple[int, int, int]) -> None:
    data = jpeg(Image.new("RGB", (40, 40), colour))
    assert abs(pixels_of(data).astype(int) - colour).max() <= 1
    assert decode(data).notes == ()
    assert decode(data[:-2]).notes == NOTE


def test_what_follows_the_end_does_not_matter() -> None:
    data = jpeg(textured())
    for more in (b"\r\n", bytes(1000), b"trailer of a camera", data):
        picture = decode(data + more)
        assert picture.notes == ()
        assert (picture.pixels == pixels_of(data)).all()


def test_a_thumbnail_inside_is_not_taken_for_the_end() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 10
    thumbnail = jpeg(textured().resize((16, 16)))
    data = jpeg(textured(), exif=b"Exif\0\0" + exif.tobytes()[6:] + thumbnail)
    assert thumbnail in data
    with pytest.raises(UndecodablePicture, match="cut short"):
        decode(data[: len(data) // 2])
    assert decode(data[:-2]).notes[-1:] == NOTE
