"""How large a pixel is, by what a file says of it: OME-XML, ImageJ, the resolution of a TIFF or a PNG.

Which of these is believed, and when, is told in `docs/units.md`; keep the two together. What cannot be a size is noted
and not used; nothing in here refuses a picture.
"""

import re
from collections.abc import Mapping
from math import floor, isfinite, log10
from typing import Final
from xml.parsers import expat

from planimeter.measurement import Note
from planimeter.pictures import tiff_tags as tags
from planimeter.pictures.tiff_tags import Page
from planimeter.scale import LIMITS, METRES, Scale, Source, Unit, is_size, rectangular, unit_of

Found = tuple[Scale | None, tuple[Note, ...]]
NOTHING: Found = (None, ())
FINE_METRES = 1e-5
"""A bare resolution is a scale where its pixels are smaller than that, 10 µm or 2,540 dots per inch: no program writes
so many for printing, and a coarser one cannot be told from those that cameras, scanners and drawing programs write."""
PRINTING: Final = frozenset(
    {72, 75, 96, 100, 120, 144, 150, 180, 192, 200, 220, 240, 300, 350, 360, 400, 480, 600, 720, 1200, 2400}
)
"""Dots per inch that ImageJ takes over from other programs' files as a scale in inches or centimetres."""
_INCH, _CENTIMETRE = 2, 3
_LONGEST_NUMBER = 40
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_OME_UNITS: Mapping[str, tuple[Unit, float]] = {
    "pm": ("nm", 1e-3),
    "Å": ("nm", 0.1),
    "nm": ("nm", 1.0),
    "µm": ("um", 1.0),
    "um": ("um", 1.0),
    "mm": ("mm", 1.0),
    "cm": ("cm", 1.0),
    "dm": ("cm", 10.0),
    "m": ("m", 1.0),
    "km": ("m", 1000.0),
    "in": ("in", 1.0),
}
"""OME's names of lengths, as one of our units."""
_NO_LENGTHS = frozenset({"pixel", "reference frame"})
_IMAGEJ_UNITS: Mapping[str, Unit] = {
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometre", "\ufffdm", r"\u00b5m"), "um"),
    **dict.fromkeys(("nanometer", "nanometre"), "nm"),
    **dict.fromkeys(("inch", "inches"), "in"),
}
"""What ImageJ and those who use it also write, in small letters; a replaced character was a µ of another encoding."""
_UNCALIBRATED = frozenset({"", "pixel", "pixels"})


def of_tiff(page: Page) -> Found:
    """Return what a page of a TIFF says of its pixels: as OME, as ImageJ, or by its resolution alone."""
    if "<OME" in page.description[:2000]:
        return _of_ome(page)
    if page.description.startswith("ImageJ="):
        return _of_imagej(page)
    unit = page.one(tags.RESOLUTION_UNIT, _INCH)
    per_metre = {_INCH: 1 / METRES["in"], _CENTIMETRE: 1 / METRES["cm"]}.get(unit)
    across, down = _per_unit(page, tags.X_RESOLUTION), _per_unit(page, tags.Y_RESOLUTION)
    if per_metre is None or across is None or down is None:
        return NOTHING
    return _of_resolution((across * per_metre, down * per_metre), "TIFF")


def of_png(data: bytes) -> Found:
    """Return what the pHYs chunk of a PNG says of its pixels."""
    at = 8
    while at + 12 <= len(data) and data[at + 4 : at + 8] not in {b"IDAT", b"IEND"}:
        size = int.from_bytes(data[at : at + 4], "big")
        content = data[at + 8 : at + 8 + size]
        if data[at + 4 : at + 8] == b"pHYs" and len(content) == 9:
            across, down = int.from_bytes(content[:4], "big"), int.from_bytes(content[4:8], "big")
            return _of_resolution((across, down), "PNG") if content[8] == 1 else NOTHING
        at += 12 + size
    return NOTHING


def _of_resolution(per_metre: tuple[float, float], source: Source) -> Found:
    """Return what pixels per metre, across and down, say: nothing where they may be those of a print."""
    if min(per_metre) <= 0:
        return None, (_unused(f"the {source}'s resolution is {min(per_metre):g}"),)
    if 1 / min(per_metre) >= FINE_METRES:
        return NOTHING
    return _made(tuple(tidy(1e6 / one) for one in per_metre), "um", source)


# ---- OME


class _NotRead(Exception):
    """The XML declares a document type, which OME does not: it may be anything."""


def _of_ome(page: Page) -> Found:
    """Return the size that OME-XML states for images of the page's size, where it is one."""
    stated: set[tuple[str, str, str, str]] = set()
    size = tuple(map(str, page.size))

    def begin(name: str, attributes: dict[str, str]) -> None:
        of_this_size = (attributes.get("SizeX", size[0]), attributes.get("SizeY", size[1])) == size
        if name.rpartition(":")[2] != "Pixels" or not of_this_size:
            return
        across, down = attributes.get("PhysicalSizeX"), attributes.get("PhysicalSizeY")
        if across is not None or down is not None:
            unit, other = (attributes.get(f"PhysicalSize{axis}Unit", "µm") for axis in "XY")
            stated.add((across or "", down or "", unit, other))

    def refuse(*_: object) -> None:
        raise _NotRead

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = begin, refuse
    try:
        parser.Parse(page.description, True)  # noqa: FBT003  its own way
    except _NotRead:
        return None, (_unused("the file's OME-XML declares a document type"),)
    except expat.ExpatError:
        if not stated:
            return None, (_unused("the file's OME-XML is damaged"),)
    if len(stated) > 1:
        return None, (_unused(f"the file's OME-XML states {len(stated)} sizes of a pixel"),)
    return _of_stated(*next(iter(stated))) if stated else NOTHING


def _of_stated(across: str, down: str, unit_across: str, unit_down: str) -> Found:
    if {unit_across, unit_down} & _NO_LENGTHS:
        return NOTHING
    one, another = _side(across, unit_across), _side(down, unit_down)
    if one is None or another is None:
        text = f"{across[:_LONGEST_NUMBER]} {unit_across[:20]} x {down[:_LONGEST_NUMBER]} {unit_down[:20]}"
        return None, (_unused(f"the file's OME-XML says that a pixel measures {text}"),)
    (width, unit), (height, other) = one, another
    if other != unit:
        height = tidy(height * METRES[other] / METRES[unit])
    return _made((width, height), unit, "OME")


def _side(text: str, unit: str) -> tuple[float, Unit] | None:
    known = _OME_UNITS.get(
        unit.strip().replace("\N{GREEK SMALL LETTER MU}", "µ").replace("\N{ANGSTROM SIGN}", "Å")
    )
    number = _number(text)
    if known is None or number is None:
        return None
    name, factor = known
    return (number if factor == 1 else tidy(number * factor)), name


def _number(text: str) -> float | None:
    """Return a number above zero that a file has as text; None for anything else."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if value > 0 else None


# ---- ImageJ


def _of_imagej(page: Page) -> Found:
    """Return the scale of a picture that ImageJ saved: pixels a unit as the resolution, the unit in the description."""
    lines = page.description[:100_000].splitlines()
    written = dict(line.split("=", 1) for line in lines if "=" in line)
    texts = [written.get("unit", ""), written.get("yunit", written.get("unit", ""))]
    if texts[0].strip().lower() in _UNCALIBRATED:
        return NOTHING
    unit, other = (_imagej_unit(text) for text in texts)
    across, down = _per_unit(page, tags.X_RESOLUTION), _per_unit(page, tags.Y_RESOLUTION)
    if across is None or down is None:
        return NOTHING
    if unit is None or other is None:
        return None, (_unused(f"ImageJ wrote the unit {texts[0][:40]!r} into the file"),)
    if wrong := _contradiction(page, unit, min(across, down)):
        return None, (_unused(wrong),)
    dots = across * METRES["in"] / METRES[unit]
    if unit in {"in", "cm"} and any(abs(dots - usual) < usual * 1e-3 for usual in PRINTING):
        return NOTHING
    factor = METRES[other] / METRES[unit]
    return _made((tidy(1 / across), tidy(factor / down)), unit, "ImageJ")


def _contradiction(page: Page, unit: Unit, resolution: float) -> str:
    """Return what is wrong with a resolution in pixels a unit; nothing where it can be."""
    if resolution <= 0:
        return f"ImageJ wrote {resolution:g} pixels a unit into the file"
    stated = {_INCH: "in", _CENTIMETRE: "cm"}.get(page.one(tags.RESOLUTION_UNIT, 1), unit)
    if stated != unit:  # ImageJ states none in the tag, or the same
        return f"the file's pixels are counted for each {stated} in one place and for each {unit} in another"
    return ""


def _imagej_unit(text: str) -> Unit | None:
    plain = text.strip()
    return unit_of(plain) or _IMAGEJ_UNITS.get(plain.lower())


# ---- What they share


def _per_unit(page: Page, tag: int) -> float | None:
    """Return a resolution, in pixels for each unit; None where the file states none, 0 where it cannot be one."""
    values = page.all(tag)
    if not values:
        return None
    over, under = values if len(values) == 2 else (values[0], 1)
    return over / under if under else 0.0


def _made(sides: tuple[float, ...], unit: Unit, source: Source) -> Found:
    width, height = sides
    if not (is_size(width, unit) and is_size(height, unit)):
        return None, (_unused(f"the file says that a pixel measures {width:g} x {height:g} {unit}"),)
    return rectangular(width, height, unit, source), ()


def _unused(what: str) -> Note:
    message = (
        f"{what}, which is not used as the size of a pixel (one measures {LIMITS}); without another there are no areas "
        "in units: give pixel_size and unit"
    )
    return Note(code="pixel_size_unused", message=message)


def tidy(value: float) -> float:
    """Return the shortest decimal within two millionths: files keep ratios, and 0.325 comes back as 0.3250000049."""
    if value <= 0 or not isfinite(value):
        return value
    for digits in range(6):
        rounded = round(value, digits - floor(log10(value)))
        if abs(rounded - value) <= 2e-6 * value:
            return rounded
    return float(f"{value:.9g}")
