"""How large a pixel is in the world: its units, what can be one, and how people read it."""

from collections.abc import Mapping
from math import floor, isclose, isfinite, log10, sqrt
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from planimeter.errors import InvalidOption
from planimeter.numbers import write_decimals, write_figures, write_power

Unit = Literal["nm", "um", "mm", "cm", "m", "in"]
Source = Literal["given", "profile", "set", "drawn", "OME", "TIFF", "ImageJ", "PNG"]
METRES: Mapping[Unit, float] = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "in": 0.0254}
SMALLEST, LARGEST = 1e-12, 1e4
"""Metres that a pixel may measure: those of electron microscopes are larger, those of satellites smaller."""
LIMITS = "between 1 picometre and 10 kilometres"
SQUARE = 1e-3
"""By which share the sides of a pixel may differ and still be called equal: files round them."""
SET_LATER = frozenset({"set", "drawn"})
"""Sources of what a person said after the picture was measured."""
_LEAST_PLAIN, _MOST_PLAIN = 1e-3, 1e12
"""Between these a quantity is written without a power of ten."""
_SYMBOLS: Mapping[Unit, str] = {"um": "µm"}
_SOURCES: Mapping[Source, str] = {
    "given": "given with the picture",
    "profile": "from the profile",
    "set": "set afterwards",
    "drawn": "from a scale bar drawn on the picture",
    "OME": "from the file's OME-XML",
    "TIFF": "from the file's TIFF resolution",
    "ImageJ": "from the file, as ImageJ wrote it",
    "PNG": "from the file's PNG resolution",
}


class Scale(BaseModel):
    """How large a pixel is, and who says so. Areas are in the square of the unit, lengths in the unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_size: float | None = Field(
        gt=0, description="Side of a pixel; null where pixels are not square, and then there are no lengths."
    )
    pixel_width: float = Field(gt=0)
    pixel_height: float = Field(gt=0)
    unit: Unit
    source: Source = Field(
        description="given with the picture; the profile that it was measured by; set afterwards, or drawn as a scale "
        "bar; or where in the file it stands."
    )
    measured: "Scale | None" = Field(
        None, description="What the picture was measured with, where this was set afterwards."
    )

    @property
    def pixel_area(self) -> float:
        """Area of a pixel, in the square of the unit."""
        return self.pixel_width * self.pixel_height

    @property
    def pixel_metres(self) -> float:
        """Side of a square pixel of this area, in metres."""
        return sqrt(self.pixel_area) * METRES[self.unit]

    @property
    def symbol(self) -> str:
        """The unit as people write it."""
        return symbol_of(self.unit)

    @property
    def words(self) -> str:
        """How large a pixel is, for people: 0.325 µm a pixel."""
        if self.pixel_size is None:
            width, height = write_figures(self.pixel_width), write_figures(self.pixel_height)
            return f"{width} \N{MULTIPLICATION SIGN} {height} {self.symbol} a pixel"
        return f"{write_figures(self.pixel_size)} {self.symbol} a pixel"

    @property
    def origin(self) -> str:
        """Who says so, for people: from the file's OME-XML."""
        return _SOURCES[self.source]

    @property
    def by_person(self) -> bool:
        """Whether a person said so, not the file."""
        return self.source in {"given", "profile"} or self.kept

    @property
    def kept(self) -> bool:
        """Whether a person said so after the picture was measured."""
        return self.source in SET_LATER

    def equals(self, other: "Scale") -> bool:
        """Whether pixels are as large as another scale says, in whichever unit."""
        sides = zip(self.sides_in_metres, other.sides_in_metres, strict=True)
        return all(isclose(one, another, rel_tol=1e-9) for one, another in sides)

    @property
    def sides_in_metres(self) -> tuple[float, float]:
        """Width and height of a pixel."""
        factor = METRES[self.unit]
        return self.pixel_width * factor, self.pixel_height * factor

    def area(self, pixels: float) -> float:
        """Return an area of so many pixels in the square of the unit, without the noise of floats."""
        return clean(pixels * self.pixel_area)

    def length(self, pixels: float) -> float | None:
        """Return a length of so many pixels in the unit; None where pixels are not square."""
        return None if self.pixel_size is None else clean(pixels * self.pixel_size)

    def area_in(self, pixels: float, unit: Unit) -> float:
        """Return an area of so many pixels in the square of another unit."""
        return clean(pixels * self.pixel_area * (METRES[self.unit] / METRES[unit]) ** 2)

    def length_in(self, pixels: float, unit: Unit) -> float | None:
        """Return a length of so many pixels in another unit; None where pixels are not square."""
        if self.pixel_size is None:
            return None
        return clean(pixels * self.pixel_size * METRES[self.unit] / METRES[unit])

    def turned(self) -> "Scale":
        """Return the scale of the picture turned by a quarter."""
        sides = {"pixel_width": self.pixel_height, "pixel_height": self.pixel_width}
        return self.model_copy(update=sides)


def _one_mu(value: object) -> object:
    return value.replace("\N{GREEK SMALL LETTER MU}", "µ") if isinstance(value, str) else value


GivenUnit = Annotated[Literal["nm", "um", "µm", "mm", "cm", "m", "in"], BeforeValidator(_one_mu)]


class GivenScale(BaseModel):
    """The options by which a pixel's size is given."""

    pixel_size: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Side of a pixel in the unit; without it, what the file says of it, where it says so.",
    )
    unit: GivenUnit | None = Field(
        None, description="The unit of pixel_size. Lengths are answered in it, areas in its square."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> "GivenScale":
        self.given_scale()
        return self

    def given_scale(self) -> Scale | None:
        """Return the scale that is given, None without one; raises what `given_scale` raises."""
        return given_scale(self.pixel_size, self.unit)


def given_scale(pixel_size: float | None, unit: str | None, source: Source = "given") -> Scale | None:
    """Return the scale that a size and its unit give; None without either.

    Raises `ValueError` where one of the two is missing, and for a size that no pixel has.
    """
    if pixel_size is None and unit is None:
        return None
    if pixel_size is None:
        raise ValueError(f"unit is {unit!r} and pixel_size is missing: a unit needs the size of a pixel")
    if unit is None:
        raise ValueError(f"pixel_size is {pixel_size:g} and unit is missing: give nm, um, mm, cm, m or in")
    known = unit_of(unit)
    if known is None:
        raise ValueError(f"unit is {unit[:40]!r}: give nm, um, mm, cm, m or in")
    if not is_size(pixel_size, known):
        raise ValueError(
            f"pixel_size is {pixel_size:g} {known}, and a pixel measures {LIMITS}: is it the right unit?"
        )
    return square(pixel_size, known, source)


def checked_scale(pixel_size: float | None, unit: str | None) -> Scale | None:
    """Return what `given_scale` does; raises `InvalidOption`."""
    try:
        return given_scale(pixel_size, unit)
    except ValueError as error:
        raise InvalidOption(str(error)) from None


def square(side: float, unit: Unit, source: Source) -> Scale:
    """Return the scale of square pixels."""
    return Scale(pixel_size=side, pixel_width=side, pixel_height=side, unit=unit, source=source)


def rectangular(width: float, height: float, unit: Unit, source: Source) -> Scale:
    """Return the scale of pixels with these sides; those that are all but equal count as square."""
    if width == height:
        return square(width, unit, source)
    equal = abs(width - height) <= SQUARE * max(width, height)
    side = clean(sqrt(width * height)) if equal else None
    return Scale(pixel_size=side, pixel_width=width, pixel_height=height, unit=unit, source=source)


def is_size(side: float, unit: Unit) -> bool:
    """Say whether a pixel can have a side of that."""
    return isfinite(side) and SMALLEST <= side * METRES[unit] <= LARGEST


def unit_of(text: str) -> Unit | None:
    """Return the unit that a text names, a micrometre with any mu; None where it is none of them."""
    plain = text.replace("\N{GREEK SMALL LETTER MU}", "u").replace("\N{MICRO SIGN}", "u")
    return next((unit for unit in METRES if unit == plain), None)


def symbol_of(unit: Unit) -> str:
    """Return a unit as people write it."""
    return _SYMBOLS.get(unit, unit)


def clean(value: float) -> float:
    """Return a product of measured numbers without the noise of floats: 0.325 x 0.325 is 0.105625."""
    return float(f"{value:.12g}")


def write_quantity(value: float) -> str:
    """Write an area or a length with four digits or more: 0.05312, 12.35, 12,346. So does `numbers.js`.

    What is very small or very large is so many times a power of ten.
    """
    if value == 0:
        return "0"
    if not _LEAST_PLAIN <= value < _MOST_PLAIN:
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return write_power(f"{float(mantissa):g}", int(exponent))
    if value >= 1000:
        return f"{int(float(write_decimals(value, 0))):,}"
    return write_decimals(value, 3 - floor(log10(value)))
