"""The options by which what counts is given, for the API and the command line."""

from dataclasses import dataclass

from pydantic import BaseModel, Field, field_validator
from pydantic.config import JsonDict

from planimeter.errors import InvalidOption
from planimeter.measurement import IGNORED, Counting, Ignored
from planimeter.measuring.judging import Judging
from planimeter.measuring.parts import make_counting, read_region
from planimeter.pictures.sources import Source
from planimeter.scale import GivenScale

REGION_DESCRIBED = (
    'What of the picture counts: {"include": [[[x, y], …], …], "exclude": […]}, polygons in its pixels. A pixel is in '
    "a polygon where its centre lies inside or on its edge; polygons lie in the picture and do not cross themselves."
)


_KINDS = "|".join(IGNORED)
LONGEST = 1_000_000
REGION_FORMAT: JsonDict = {"format": "region"}
"""Of the text of a region, in the document of the API."""


class GivenFilters(BaseModel):
    """What is left out beside a region."""

    ignore: str | None = Field(
        None,
        pattern=rf"^({_KINDS})(,({_KINDS}))*$",
        description="Pixels that do not count, with commas between: transparent (less than half opaque), black_border "
        "(8 or darker from an edge inwards), saturated (white in every channel).",
    )
    classes: str | None = Field(
        None,
        max_length=4000,
        description="Names of the classes whose instances count, with commas between; without it, all.",
    )
    least_area: int = Field(
        0, ge=0, le=2**40, description="Instances with fewer pixels that count are left out."
    )
    of: str | None = Field(
        None,
        max_length=400,
        description="Name of the class that all percentages are of: only pixels of its instances count, and others are "
        "cut to them; without it, all pixels count.",
    )

    @field_validator("ignore", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        unknown = [kind for kind in _split(value) if kind not in IGNORED] if isinstance(value, str) else []
        if unknown:
            raise ValueError(f"it can name {', '.join(IGNORED)}, with commas between them")
        return ",".join(_split(value)) if isinstance(value, str) else value

    def counting(self, region: str | None, region_mask: Source | None) -> Counting | None:
        """Return what counts of a picture; raises what `make_counting` raises."""
        ignore: list[Ignored] = [kind for kind in IGNORED if kind in _split(self.ignore)]
        classes = None if self.classes is None else _split(self.classes)
        return make_counting(region, region_mask, ignore, classes, self.least_area, self.of)


class GivenCounting(GivenFilters):
    """What of a picture counts."""

    region: str | None = Field(None, description=REGION_DESCRIBED, json_schema_extra=REGION_FORMAT)

    @field_validator("region")
    @classmethod
    def _is_region(cls, value: str | None) -> str | None:
        if value is not None:
            checked_region(value)
        return value


@dataclass(frozen=True)
class Asked:
    """How pictures are measured."""

    model: str
    score_threshold: float | None
    counting: Counting | None
    scale: GivenScale
    judging: Judging | None


def checked_region(value: str) -> str:
    """Return a text that is a region; raises `ValueError` for another."""
    if len(value) > LONGEST:
        raise ValueError(f"region has {len(value):,} characters and may have {LONGEST:,}; give a region_mask")
    try:
        read_region(value)
    except InvalidOption as error:
        raise ValueError(str(error)) from None
    return value


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
