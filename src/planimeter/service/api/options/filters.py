"""Options that say which measurements are meant, and in which order."""

import re
from dataclasses import fields
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from planimeter.details import LotName, Name, SomeTags
from planimeter.rules import Verdict
from planimeter.service.api.options.parsing import LISTS, Flag, RequestOptions
from planimeter.store import NEWEST, Filter, Order

MOST_LISTED = 1000
ID_PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
_OF_THE_SERVICE = {"corrected", "without", "model_sha256"}
"""Conditions that no client gives."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _written_out(value: object) -> object:
    """Refuse what pydantic would take for seconds since 1970."""
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("it should be a time like 2026-11-26T14:30:00Z")
    return value


Moment = Annotated[datetime, BeforeValidator(_written_out)]


class FilterOptions(RequestOptions):
    """Which measurements match: all that fulfil every condition given."""

    ids: tuple[str, ...] | None = Field(
        None,
        max_length=MOST_LISTED,
        description=f"Only these: ids with commas between them, at most {MOST_LISTED:,}; may be repeated.",
    )
    batch: str | None = Field(None, description="Only those sent under this name.")
    lot: LotName = Field(None, description="Only those of this lot.")
    sample: Name = Field(None, description="Only those of this sample.")
    operator: Name = Field(None, description="Only those of this operator.")
    tag: SomeTags = Field(
        None,
        description="Only those with this tag; several, with commas between them or repeated: with all of them.",
    )
    profile: str | None = Field(
        None, description="Only those measured by the profile of this name, in any of its versions."
    )
    verdict: Verdict | None = Field(None, description="Only those whose rules say this.")
    reviewed: Flag | None = Field(
        None, description="Only those that a person said are right, or only the others."
    )
    model: str | None = Field(None, description="Only those of this model.")
    class_name: str | None = Field(None, alias="class", description="Only those that found this class.")
    filename: str | None = Field(
        None,
        max_length=255,
        description="Only those whose file name contains this; capitals make no difference.",
    )
    since: Moment | None = Field(None, description="Only from this time on (ISO 8601; UTC without a zone).")
    until: Moment | None = Field(None, description="Only before this time (ISO 8601; UTC without a zone).")
    min_percent: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="Only those with at least so many percent masked.",
    )
    max_percent: float | None = Field(
        None, ge=0, le=100, allow_inf_nan=False, description="Only those with at most so many percent masked."
    )

    @model_validator(mode="after")
    def _can_match(self) -> "FilterOptions":
        least, most = self.min_percent, self.max_percent
        if least is not None and most is not None and least > most:
            raise ValueError(f"min_percent is {least:g} and max_percent {most:g}: nothing lies between them")
        return self

    @property
    def filter(self) -> Filter:
        """The conditions, as the store takes them."""
        given = {
            field.name: getattr(self, field.name)
            for field in fields(Filter)
            if field.name not in _OF_THE_SERVICE
        }
        return Filter(**given)


class OrderOptions(FilterOptions):
    """Which measurements, in which order."""

    order: Order = Field(
        NEWEST, description="What to sort by; with a minus it falls. What is equal there goes by time."
    )


def query_of(wanted: Filter) -> dict[str, str]:
    """Return the options that give a filter: what a link or a form needs to mean the same measurements."""
    given = FilterOptions.model_construct(**vars(wanted)).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    return {name: _written(name, value) for name, value in given.items()}


def _written(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if name in LISTS and isinstance(value, list) else str(value)
