"""What every answer is made of, and the shape of errors."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_milliseconds, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
Link = Annotated[
    str,
    Field(json_schema_extra={"format": "uri-reference"}, description="Relative to the address requested."),
]


class Answer(BaseModel):
    """A frozen part of an answer."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, json_schema_serialization_defaults_required=True
    )


class Problem(Answer):
    """What went wrong."""

    code: str = Field(description="Stable name, for programs.")
    message: str = Field(description="A sentence for people: the value, the limit, what to do.")


class ErrorAnswer(Answer):
    """The one shape of every error."""

    error: Problem


class Health(Answer):
    """The process is alive, or ready."""

    status: Literal["ok", "ready"]


class ClassPercent(Answer):
    """A class and a percentage."""

    class_name: str = Field(alias="class")
    percent_masked: float


class ClassColor(Answer):
    """A class and the colour in which its model draws it."""

    class_name: str = Field(alias="class")
    color: str


def percents(by_class: Mapping[str, float]) -> list[ClassPercent]:
    """Return classes with their percent, by falling percent."""
    falling = sorted(by_class.items(), key=lambda entry: -entry[1])
    return [ClassPercent(class_name=name, percent_masked=percent) for name, percent in falling]
