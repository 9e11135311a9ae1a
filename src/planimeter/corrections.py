"""What people correct of a measurement: the changes as they are sent, and the figures that come of them.

What was measured stays as it is: the corrected figures stand beside it, and every export says which it carries.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from planimeter.measurement import Corner, Coverage, Instance, Measurement, Notes, Part, Rle, RuleResult
from planimeter.rules import Verdict

Origin = Literal["measured", "added", "changed"]
Figures = Literal["measured", "corrected"]
MOST_CHANGES = 2000
"""In one correction."""
MOST_OBJECTS = 20_000
"""In one picture, with those that were rejected."""
MOST_CORNERS = 100_000
"""Of all polygons of one correction."""
LONGEST_REASON = 1000
LONGEST_MASK = 4_000_000
"""Characters of the run lengths of one mask."""
ADDED_SCORE = 1.0
"""Of what a person added: there is no doubt of the model's in it."""


def _whole(value: object) -> object:
    """Take 2.0 for 2, as JSON does, and refuse what pydantic would take for a number beside that."""
    if type(value) not in {int, float}:
        raise ValueError("it should be a whole number")
    return value


# The limits stand first: else the document of the API would not have them.
Id = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_whole)]
Name = Annotated[str, Field(min_length=1, max_length=400)]
# Of a list, the first thing that is wrong is told: of a million there would be a million errors in memory.
_Corners = Annotated[list[Corner], Field(fail_fast=True)]


class Shape(Part):
    """What is covered: a mask or polygons, and what is kept beside them."""

    mask: Rle | None = Field(None, description="COCO RLE of the picture's size, with compressed counts.")
    polygon: list[_Corners] | None = Field(
        None,
        fail_fast=True,
        description="In the place of a mask: parts, each a list of corners [x, y] in pixels of the picture. A pixel is "
        "in it where its centre lies inside a part or on its edge.",
    )
    outside_of: list[Id] = Field(
        default_factory=list,
        fail_fast=True,
        description="Ids of instances whose pixels outside of what counts belong to it too: for a mask that was made "
        "of instances as they are listed, which are cut to what counts. Of one that several name, each pixel goes to "
        "the nearest. Without it, the mask is all of the instance, also where nothing counts.",
    )


class Added(Shape):
    """An object that was not found."""

    class_name: Name = Field(alias="class")


class Replaced(Shape):
    """Another mask for an object: one that was cut, erased, painted on or joined with another."""

    id: Id


class Reclassed(Part):
    """Another class for an object."""

    id: Id
    class_name: Name = Field(alias="class")


class Changes(Part):
    """What is wrong with a list of instances."""

    reject: list[Id] = Field(
        default_factory=list, fail_fast=True, description="Ids of instances that are none."
    )
    restore: list[Id] = Field(
        default_factory=list, fail_fast=True, description="Ids of rejected ones that are some after all."
    )
    reclass: list[Reclassed] = Field(default_factory=list, fail_fast=True, description="Other classes.")
    add: list[Added] = Field(
        default_factory=list,
        fail_fast=True,
        description="What was missed; it gets ids that nothing had before.",
    )
    replace: list[Replaced] = Field(default_factory=list, fail_fast=True, description="Other masks.")

    @property
    def count(self) -> int:
        """How many changes these are."""
        return sum(len(getattr(self, name)) for name in Changes.model_fields)

    @property
    def names(self) -> int:
        """How many ids the shapes name beside their own."""
        return sum(len(shape.outside_of) for shape in (*self.add, *self.replace))

    @property
    def corners(self) -> int:
        """How many corners all polygons have together."""
        return sum(len(part) for shape in (*self.add, *self.replace) for part in shape.polygon or ())

    @property
    def without_masks(self) -> "Changes":
        """The same without what their shapes cover."""
        none = {"mask": None, "polygon": None}
        return self.model_copy(
            update={
                "add": [shape.model_copy(update=none) for shape in self.add],
                "replace": [shape.model_copy(update=none) for shape in self.replace],
            }
        )


class Correction(Changes):
    """A correction, as it is sent."""

    after: Count = Field(
        description="How many corrections of the measurement the sender had seen: where there are others, nothing is "
        "changed (409)."
    )
    reason: str = Field("", max_length=LONGEST_REASON, description="Why, in words.")
    complete: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Whether all of the picture is right now: then it is reviewed, and its corrected figures are taken "
        "for the truth.",
    )

    @property
    def changes(self) -> Changes:
        """What is changed, without what is said of it."""
        return Changes(**{name: getattr(self, name) for name in Changes.model_fields})


class Object(Part):
    """One object of a picture as corrections left it, wholly: also what of it lies outside what counts."""

    id: int = Field(ge=1)
    class_name: str = Field(alias="class")
    class_id: int = Field(ge=1)
    score: float = Field(ge=0, le=1)
    mask: Rle
    origin: Origin
    rejected: bool = False


class CorrectedInstance(Instance):
    """One object after corrections."""

    id: int = Field(
        ge=1, description="Stays the same in all corrections; the value of its pixels in the instance mask."
    )
    score: float = Field(ge=0, le=1, description="As the model gave it; 1 for what a person added.")
    origin: Origin = Field(
        description="Whether it is as measured, was added by a person, or got another class or mask."
    )


class Corrected(Part):
    """What a measurement says after corrections: its figures, in place of those that were measured."""

    number: int = Field(ge=1, description="How many corrections there were.")
    at: datetime = Field(description="Of the last one.")
    by: str | None = Field(
        description="Who made the last one: the name of the key; null where none is asked for."
    )
    reviewed: bool = Field(description="Whether the last one said that all of the picture is right.")
    coverage: Coverage = Field(description="Without intervals: the model's errors are not those of a person.")
    instances: list[CorrectedInstance] = Field(description="By their ids.")
    notes: Notes = Field(
        default_factory=list, description="What a careful reader must know of these figures."
    )
    verdict: Verdict | None = Field(None, description="By the same rules as the measured one.")
    rules: list[RuleResult] = Field(default_factory=list)

    def over(self, measurement: Measurement) -> Measurement:
        """Return a measurement with these figures in the place of its own."""
        return measurement.model_copy(update={name: getattr(self, name) for name in _FIGURES})

    def with_figures(self, measurement: Measurement) -> "Corrected":
        """Return the same with the figures of a measurement that `over` returned, and which was changed since."""
        return self.model_copy(update={name: getattr(measurement, name) for name in _FIGURES})


_FIGURES = ("coverage", "instances", "notes", "verdict", "rules")


def summary_of(changes: Changes) -> dict[str, Any]:
    """Return changes in numbers and ids, without masks."""
    return {
        "reject": changes.reject,
        "restore": changes.restore,
        "reclass": [entry.model_dump(by_alias=True) for entry in changes.reclass],
        "add": [entry.class_name for entry in changes.add],
        "replace": [entry.id for entry in changes.replace],
    }
