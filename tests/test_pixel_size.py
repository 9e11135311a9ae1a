"""How large a pixel is, read from files as other programs write them, and from files that mean harm."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from planimeter.pictures.decode import Picture, decode
from planimeter.pictures.pixel_size import tidy
from planimeter.scale import LARGEST, SMALLEST, Scale, rectangular, square, write_quantity

PIXELS = np.full((20, 30), 90, np.uint8)
UNUSED = "pixel_size_unused"
XML = '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{}</OME>'


def tiff(description: str | bytes | None = None, **how: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, PIXELS, description=description, metadata=None, **how)
    return file.getvalue()


def with_ratio(data: bytes, ratio: tuple[int, int]) -> bytes:
    """Return a TIFF with another resolution, also one that no library writes."""
    changed = bytearray(data)
    for tag in (282, 283):
        at = data.find(struct.pack("<HHI", tag, 5, 1))
        where = struct.unpack_from("<I", data, at + 8)[0]
        changed[where : where + 8] = struct.pack("<II", *ratio)
    return bytes(changed)


def ome(pixels: str) -> bytes:
    return tiff(XML.format(f"<Image><{pixels}/></Image>").encode())


def png(*, phys: bytes | None = None, times: int = 1, **how: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", **how)
    data = file.getvalue()
    if phys is None:
        return data
    chunk = struct.pack(">I", len(phys)) + b"pHYs" + phys + struct.pack(">I", zlib.crc32(b"pHYs" + phys))
    return data[:33] + chunk * times + data[33:]


def phys(across: int, down: int, unit: int = 1) -> bytes:
    return struct.pack(">IIB", across, down, unit)


def scale_of(data: bytes) -> Scale | None:
    picture = decode(data)
    assert picture.info.scale is None or not codes(picture), "either a size or why there is none"
    return picture.info.scale


def codes(picture: Picture) -> list[str]:
    return [note.code for note in picture.notes]


# ---- OME


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('PhysicalSizeX="0.325" PhysicalSizeY="0.325"', square(0.325, "um", "OME")),
        (
            'PhysicalSizeX="65" PhysicalSizeXUnit="nm" PhysicalSizeY="65.0" PhysicalSizeYUnit="nm"',
            square(65, "nm", "OME"),
        ),
        (
            'PhysicalSizeX="0.5" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="500" PhysicalSizeYUnit="nm"',
            square(0.5, "um", "OME"),
        ),
        (
            'PhysicalSizeX="1.5E-1" PhysicalSizeXUnit="mm" PhysicalSizeY="0.15" PhysicalSizeYUnit="mm"',
            square(0.15, "mm", "OME"),
        ),
        (
            'PhysicalSizeX="2" PhysicalSizeXUnit="Å" PhysicalSizeY="2" PhysicalSizeYUnit="Å"',
            square(0.2, "nm", "OME"),
        ),
        (
            'PhysicalSizeX="0.01" PhysicalSizeXUnit="in" PhysicalSizeY="0.01" PhysicalSizeYUnit="in"',
            square(0.01, "in", "OME"),
        ),
        ('PhysicalSizeX="0.5" PhysicalSizeY="0.4"', rectangular(0.5, 0.4, "um", "OME")),
        (
            'PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"',
            None,
        ),
        ('SizeC="1"', None),
    ],
)
def test_ome_states_the_size_of_a_pixel(attributes: str, expected: Scale | None) -> None:
    assert scale_of(ome(f"Pixels {attributes}")) == expected


def test_what_tifffile_writes_as_ome_is_read() -> None:
    file = BytesIO()
    tifffile.imwrite(
        file,
        PIXELS,
        ome=True,
        metadata={
            "axes": "YX",
            "PhysicalSizeX": 0.108,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.108,
            "PhysicalSizeYUnit": "µm",
        },
    )
    assert scale_of(file.getvalue()) == square(0.108, "um", "OME")


def test_of_several_images_in_ome_those_of_the_pictures_size_count() -> None:
    label = '<Image><Pixels SizeX="7" SizeY="9" PhysicalSizeX="9" PhysicalSizeY="9"/></Image>'
    own = '<Image><Pixels SizeX="30" SizeY="20" PhysicalSizeX="0.5" PhysicalSizeY="0.5"/></Image>'
    other = own.replace("0.5", "0.25")
    assert scale_of(tiff(XML.format(label + own).encode())) == square(0.5, "um", "OME")
    picture = decode(tiff(XML.format(own + other).encode()))
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])


@pytest.mark.parametrize(
    "value",
    ["0", "-1", "NaN", "INF", "1e-300", "1e300", "1e999", "9" * 5000, "", "0x10", "1_0", "½", "1 2"],
)
def test_a_size_that_none_can_be_is_noted_and_not_used(value: str) -> None:
    picture = decode(ome(f'Pixels PhysicalSizeX="{value}" PhysicalSizeY="{value}"'))
    assert picture.info.scale is None
    assert codes(picture) == [UNUSED]
    assert len(picture.notes[0].message) < 400


def test_half_a_size_is_noted_and_not_used() -> None:
    picture = decode(ome('Pixels PhysicalSizeX="0.5"'))
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])


BOMB = '<!DOCTYPE OME [<!ENTITY a "{}">{}]><OME><Pixels PhysicalSizeX="&j;" PhysicalSizeY="1"/></OME>'


@pytest.mark.parametrize(
    "xml",
    [
        BOMB.format(
            "ha" * 50, "".join(f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">' for at in range(9))
        ),
        '<!DOCTYPE OME SYSTEM "file:///etc/passwd"><OME><Pixels PhysicalSizeX="1" PhysicalSizeY="1"/></OME>',
        "<OME" + "<a>" * 200_000,
        "<OME><Pixels PhysicalSizeX=",
        "<OME>" + "<!--" * 200_000,
        "<OME\udcff>",
    ],
    ids=["laughs", "external", "deep", "cut", "comments", "bytes"],
)
def test_hostile_xml_is_no_size_and_no_crash(xml: str) -> None:
    picture = decode(tiff(xml.encode("utf-8", "surrogateescape")))
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])


@given(st.text(max_size=200))
def test_any_text_in_a_description_leaves_the_picture_as_it_is(text: str) -> None:
    for start in ("<OME", "ImageJ=1\n", ""):
        picture = decode(tiff((start + text.replace("\0", "")).encode("utf-8", "replace")))
        assert picture.pixels[0, 0].tolist() == [90, 90, 90]


# ---- ImageJ


@pytest.mark.parametrize(
    ("unit", "side", "expected"),
    [
        ("um", 0.325, square(0.325, "um", "ImageJ")),
        (r"\u00B5m", 0.1625, square(0.1625, "um", "ImageJ")),
        ("micron", 1.3, square(1.3, "um", "ImageJ")),
        ("nm", 12.5, square(12.5, "nm", "ImageJ")),
        ("mm", 0.02, square(0.02, "mm", "ImageJ")),
        ("cm", 0.013, square(0.013, "cm", "ImageJ")),
        ("pixel", 1.0, None),
        ("inch", 1 / 72, None),
        ("cm", 2.54 / 300, None),
        ("inch", 0.001, square(0.001, "in", "ImageJ")),
    ],
)
def test_imagej_has_pixels_a_unit(unit: str, side: float, expected: Scale | None) -> None:
    # As ImageJ's TiffEncoder writes it: a ratio with a million below.
    resolution = ((round(1e6 / side), 1_000_000),) * 2
    data = tiff(f"ImageJ=1.54f\nunit={unit}\n".encode(), resolution=resolution, resolutionunit="NONE")
    found = scale_of(data)
    assert found == expected or (found and expected and found.unit == expected.unit)
    if expected and found:
        assert found.pixel_size == pytest.approx(side, rel=3e-6)


def test_what_tifffile_writes_for_imagej_is_read() -> None:
    file = BytesIO()
    tifffile.imwrite(file, PIXELS, imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata={"unit": "um"})
    assert scale_of(file.getvalue()) == square(0.65, "um", "ImageJ")


def test_a_micrometre_in_latin_1_is_read() -> None:
    data = tiff(b"ImageJ=1.40g\nunit=\xb5m\n", resolution=((2, 1), (2, 1)), resolutionunit="NONE")
    assert scale_of(data) == square(0.5, "um", "ImageJ")


def test_imagej_may_have_another_unit_down() -> None:
    data = tiff(b"ImageJ=1.54\nunit=um\nyunit=nm\n", resolution=((2, 1), (1, 500)), resolutionunit="NONE")
    assert scale_of(data) == square(0.5, "um", "ImageJ")


def test_two_units_for_one_resolution_are_noted_and_neither_is_used() -> None:
    """As some libraries write it for ImageJ: pixels a centimetre in the tag, micrometres in the description."""
    data = tiff(b"ImageJ=1.51d\nunit=um\n", resolution=(15314.0, 15314.0), resolutionunit="CENTIMETER")
    picture = decode(data)
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])
    same = tiff(b"ImageJ=1.51d\nunit=cm\n", resolution=(5000.0, 5000.0), resolutionunit="CENTIMETER")
    assert scale_of(same) == square(0.0002, "cm", "ImageJ")


@pytest.mark.parametrize(
    ("unit", "ratio"), [("parsec", (1, 1)), ("um", (0, 1)), ("um", (1, 0)), ("um", (0, 0)), ("km", (1, 1))]
)
def test_imagej_without_sense_is_noted(unit: str, ratio: tuple[int, int]) -> None:
    data = tiff(f"ImageJ=1.54\nunit={unit}\n".encode(), resolution=(2, 2), resolutionunit="NONE")
    picture = decode(with_ratio(data, ratio))
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])


# ---- A resolution and nothing else


@pytest.mark.parametrize("dots", [72, 96, 150, 300, 600, 1200, 2400, 118.11, 137.143])
def test_a_printing_resolution_is_no_scale(dots: float) -> None:
    assert scale_of(tiff(resolution=(dots, dots), resolutionunit="INCH")) is None
    assert scale_of(tiff(resolution=(dots / 2.54, dots / 2.54), resolutionunit="CENTIMETER")) is None
    assert scale_of(png(dpi=(dots, dots))) is None
    for kind in ("JPEG", "BMP"):
        file = BytesIO()
        Image.fromarray(PIXELS).save(file, kind, dpi=(dots, dots))
        assert scale_of(file.getvalue()) is None


@pytest.mark.parametrize("metres", [2835, 3780, 3937, 5669, 11811, 100_000])
def test_pixels_per_metre_as_programs_write_them_for_printing_are_no_scale(metres: int) -> None:
    assert scale_of(png(phys=phys(metres, metres))) is None


def test_a_fine_resolution_is_a_scale() -> None:
    centimetres = tiff(resolution=(10_000 / 0.325, 10_000 / 0.325), resolutionunit="CENTIMETER")
    assert scale_of(centimetres) == square(0.325, "um", "TIFF")
    inches = tiff(resolution=(25_400 / 2, 25_400 / 2), resolutionunit="INCH")
    assert scale_of(inches) == square(2, "um", "TIFF")
    assert scale_of(png(phys=phys(2_000_000, 2_000_000))) == square(0.5, "um", "PNG")
    assert scale_of(png(phys=phys(3_076_923, 3_076_923))) == square(0.325, "um", "PNG")
    assert scale_of(png(phys=phys(2_000_000, 2_500_000))) == rectangular(0.5, 0.4, "um", "PNG")


@pytest.mark.parametrize("unit", [0, 2, 255])
def test_a_ratio_without_a_unit_is_no_scale(unit: int) -> None:
    assert scale_of(png(phys=phys(2_000_000, 2_000_000, unit))) is None
    assert scale_of(tiff(resolution=(99_999, 99_999), resolutionunit="NONE")) is None


@pytest.mark.parametrize("ratio", [(0, 1), (1, 0), (0, 0)])
def test_a_resolution_of_nothing_is_noted(ratio: tuple[int, int]) -> None:
    picture = decode(with_ratio(tiff(resolution=(2, 2), resolutionunit="CENTIMETER"), ratio))
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])
    picture = decode(png(phys=phys(0, 0)))
    assert (picture.info.scale, codes(picture)) == (None, [UNUSED])


def test_the_finest_resolution_that_a_file_can_hold_is_a_size() -> None:
    finest = decode(tiff(resolution=((2**32 - 1, 1),) * 2, resolutionunit="CENTIMETER")).info.scale
    assert finest is not None
    assert finest.pixel_metres == pytest.approx(0.01 / (2**32 - 1), rel=3e-6)
    assert decode(tiff(resolution=((2**32 - 1, 1), (20_000, 1)), resolutionunit="CENTIMETER")).info.scale


def test_a_broken_resolution_costs_no_picture() -> None:
    data = bytearray(tiff(resolution=(30_000.0, 30_000.0), resolutionunit="CENTIMETER"))
    at = data.find(struct.pack("<HHI", 282, 5, 1))
    data[at + 8 : at + 12] = struct.pack("<I", 0xFFFFFFF0)  # behind the end of the file
    assert decode(bytes(data)).info.scale is None
    for kind in (1, 2, 3, 4, 7, 11, 12, 99):
        data[at + 2 : at + 4] = struct.pack("<H", kind)
        decode(bytes(data))


NUMBERS = st.one_of(
    st.floats().map(repr),
    st.from_regex(r"[-+]?[0-9]{0,30}\.?[0-9]{0,30}([eE][-+]?[0-9]{1,4})?", fullmatch=True),
)
UNITS = st.sampled_from(["nm", "µm", "mm", "km", "pm", "Å", "in", "ft", "pixel", "", "reference frame"])


@given(NUMBERS, NUMBERS, UNITS, UNITS)
def test_whatever_ome_states_is_a_size_that_can_be_or_none(
    across: str, down: str, unit: str, other: str
) -> None:
    sides = f'PhysicalSizeX="{across}" PhysicalSizeXUnit="{unit}" PhysicalSizeY="{down}" PhysicalSizeYUnit="{other}"'
    check_possible(decode(ome(f"Pixels {sides}")))


@given(
    st.tuples(*[st.integers(0, 2**32 - 1)] * 2), st.sampled_from(["um", "nm", "inch", "cm", "m", "pixel", ""])
)
def test_whatever_ratio_a_tiff_holds_is_a_size_that_can_be_or_none(ratio: tuple[int, int], unit: str) -> None:
    check_possible(decode(with_ratio(FROM_IMAGEJ[unit], ratio)))
    check_possible(decode(with_ratio(FROM_OTHERS, ratio)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_whatever_a_png_says_is_a_size_that_can_be_or_none(across: int, down: int) -> None:
    check_possible(decode(png(phys=phys(across, down))))


FROM_IMAGEJ = {
    unit: tiff(f"ImageJ=1.54\nunit={unit}\n".encode(), resolution=(2, 2), resolutionunit="NONE")
    for unit in ("um", "nm", "inch", "cm", "m", "pixel", "")
}
FROM_OTHERS = tiff(resolution=(2, 2), resolutionunit="CENTIMETER")


def check_possible(picture: Picture) -> None:
    scale = picture.info.scale
    assert picture.pixels[0, 0].tolist() == [90, 90, 90]
    if scale is not None:
        assert all(SMALLEST <= side <= LARGEST for side in scale.sides_in_metres)
        assert Scale.model_validate_json(scale.model_dump_json()) == scale
        assert scale.area(1e9) > 0


# ---- Turned pictures


def test_a_quarter_turn_exchanges_the_sides_of_a_pixel() -> None:
    for how in ({}, {"compression": "zlib"}):
        data = tiff(
            resolution=(20_000.0, 25_000.0),
            resolutionunit="CENTIMETER",
            extratags=[(274, 3, 1, 6, True)],
            **how,
        )
        picture = decode(data)
        assert (picture.info.width, picture.info.height) == (20, 30)
        assert picture.info.scale == rectangular(0.4, 0.5, "um", "TIFF")


# ---- Numbers


@given(st.integers(1, 9_999), st.integers(-4, 3), st.integers(100_000, 4_294_967_295))
def test_a_size_comes_back_from_the_ratio_that_a_file_keeps(
    digits: int, exponent: int, denominator: int
) -> None:
    size = float(f"{digits}e{exponent}")
    numerator = round(denominator / size)
    if 1_000_000 < numerator < 2**32:
        assert tidy(denominator / numerator) == pytest.approx(size, rel=3e-6)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00012345, "1.234 \N{MULTIPLICATION SIGN} 10⁻⁴"),
        (1e-6, "1 \N{MULTIPLICATION SIGN} 10⁻⁶"),
        (0.053124, "0.05312"),
        (1, "1.000"),
        (12.345, "12.35"),
        (105.625, "105.6"),
        (999.96, "1000.0"),
        (1234.5, "1,235"),
        (12345678.4, "12,345,678"),
        (4.096e29, "4.096 \N{MULTIPLICATION SIGN} 10²⁹"),
    ],
)
def test_quantities_as_people_read_them(value: float, text: str) -> None:
    assert write_quantity(value).replace("\N{NO-BREAK SPACE}", " ") == text
