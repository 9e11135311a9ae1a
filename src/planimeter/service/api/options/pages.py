"""Options of the pages that show many measurements."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Literal

from pydantic import Field, model_validator

from planimeter.service.api.options.filters import ID_PATTERN, OrderOptions
from planimeter.service.api.options.many import StatisticsOptions
from planimeter.service.api.options.measurements import GivenFigures
from planimeter.store import Filter


class HistoryOptions(OrderOptions, GivenFigures):
    """What the history page shows: days as a person chooses them, beside moments as the API takes them."""

    from_day: date | None = Field(None, alias="from", description="The first day.")
    to_day: date | None = Field(None, alias="to", description="The last day, included.")
    offset: str = Field(
        "+00:00", pattern=r"^[+-]\d\d:\d\d$", description="Where those days are: the distance to UTC."
    )
    view: Literal["gallery", "table"] = "gallery"
    before: str | None = None
    deleted: int | None = Field(None, description="How many were deleted just now.")
    undo: str | None = Field(None, pattern=ID_PATTERN, description="What brings them back.")
    restored: int | None = Field(None, description="How many were brought back just now.")

    @property
    def filter(self) -> Filter:
        """The conditions, as the store takes them."""
        zone = datetime.strptime(self.offset, "%z").tzinfo
        since, until = self.since, self.until
        if self.from_day is not None:
            since = _later(since, datetime.combine(self.from_day, time(), zone))
        if self.to_day is not None:
            until = _earlier(until, datetime.combine(self.to_day + timedelta(days=1), time(), zone))
        return replace(super().filter, since=since, until=until)


class ReportOptions(StatisticsOptions):
    """What the report shows."""

    title: str | None = Field(None, max_length=120, description="Its heading.")
    sheets: bool = Field(default=False, description="Whether each picture follows with its numbers.")
    repeats: bool = Field(
        default=False, description="Whether earlier measurements of the same picture count beside the newest."
    )
    score_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Reports what counts at this threshold instead of each measurement's own.",
    )

    @model_validator(mode="after")
    def _has_one_meaning(self) -> "ReportOptions":
        if self.figures == "corrected" and self.score_threshold is not None:
            raise ValueError(
                "corrected figures do not follow a score_threshold; give one of them, not figures=corrected too"
            )
        return self


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(_aware(one), other)


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(_aware(one), other)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
