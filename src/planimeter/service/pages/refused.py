"""A form of the page of a measurement whose content cannot be: shown again as it was sent."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from werkzeug.datastructures import MultiDict

from planimeter.errors import InvalidOption
from planimeter.measuring.parts import read_region

Part: TypeAlias = Literal["region", "scale", "details"]
"""What the form changes."""


@dataclass(frozen=True)
class Refused:
    """What is wrong with a form, and what stood in it."""

    part: Part
    problem: str
    fields: "MultiDict[str, str]"

    def of(self, part: Part) -> "MultiDict[str, str] | None":
        """Return the fields, where the form is that of this part."""
        return self.fields if self.part == part else None

    @property
    def polygons(self) -> str | None:
        """The polygons that were drawn, as JSON; None where there are none that can be drawn again."""
        try:
            return read_region(self.fields.get("region", "")).model_dump_json()
        except InvalidOption:
            return None
