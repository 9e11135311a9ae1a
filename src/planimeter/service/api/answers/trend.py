"""The percent masked over time, as it is answered."""

from collections import Counter
from collections.abc import Mapping

from pydantic import Field

from planimeter.corrections import Figures
from planimeter.rules import Verdict
from planimeter.service.api.answers.base import Answer, ClassColor, ClassPercent, Link, Moment, percents
from planimeter.service.api.answers.many import Spread, VerdictCounts, spread_answer
from planimeter.service.links import link
from planimeter.store.trend import FEW, MOST_OUTLIERS, Point, Trend

_ID = "0" * 26
"""Stands for an id in a link."""


class TrendPoint(Answer):
    """One measurement in the trend."""

    id: str
    url: Link
    created_at: Moment
    filename: str
    percent_masked: float
    by_class: list[ClassPercent] = Field(description="The classes found.")
    verdict: Verdict | None = Field(
        description="By the rules of the profile that it was measured by; null without."
    )


class TrendBucket(Answer):
    """The measurements of a stretch of time, summed up."""

    since: Moment = Field(description="Included.")
    until: Moment = Field(description="Not included.")
    percent_masked: Spread
    by_class: list[ClassPercent] = Field(
        description="Mean of each class over all measurements of the stretch; without the class counts as 0."
    )
    verdicts: VerdictCounts = Field(description="Of the measurements of the stretch.")


class TrendAnswer(Answer):
    """The percent masked over time."""

    figures: Figures = Field(description="As measured, or, of what was corrected, as corrected.")
    count: int
    percent_masked: Spread | None = Field(description="Over all of them; null where there are none.")
    fences: tuple[float, float] | None = Field(
        description="Tukey's: what lies below the first or above the second is an outlier. The quartiles of all "
        "that matches, minus and plus 1.5 times their distance."
    )
    bucket_seconds: int = Field(description="How long a stretch is.")
    buckets: list[TrendBucket] = Field(
        description="Oldest first; in UTC, weeks from Monday; stretches without a measurement are left out."
    )
    points: list[TrendPoint] = Field(
        description=f"Every measurement, oldest first, where they are at most {FEW}; else none."
    )
    outlier_count: int
    outliers: list[TrendPoint] = Field(
        description=f"Outside the fences, the farthest first; at most {MOST_OUTLIERS}."
    )
    classes: list[ClassColor] = Field(description="Those found, by falling mean.")
    verdicts: VerdictCounts = Field(description="Of all of them.")
    without_percent: int = Field(
        description="How many more have no percentage, as nothing was found of the class that it would be of."
    )


def trend_answer(trend: Trend, colors: Mapping[str, str]) -> TrendAnswer:
    """Return a trend as it is answered; `colors` by class name."""
    url = link("api.get_measurement", id=_ID)  # once: there may be hundreds of points
    count = trend.spread.count if trend.spread else 0
    verdicts: Counter[Verdict] = Counter()
    for bucket in trend.buckets:
        verdicts.update(bucket.verdicts)
    return TrendAnswer(
        figures=trend.figures,
        count=count,
        percent_masked=spread_answer(trend.spread) if trend.spread else None,
        fences=trend.spread.fences if trend.spread else None,
        bucket_seconds=trend.bucket_seconds,
        buckets=[
            TrendBucket(
                since=bucket.since,
                until=bucket.until,
                percent_masked=spread_answer(bucket.spread),
                by_class=percents(bucket.by_class),
                verdicts=VerdictCounts.of(bucket.verdicts, bucket.spread.count),
            )
            for bucket in trend.buckets
        ],
        points=[_point(point, url) for point in trend.points],
        outlier_count=trend.outlier_count,
        outliers=[_point(point, url) for point in trend.outliers],
        classes=[ClassColor(class_name=name, color=colors[name]) for name in trend.classes],
        verdicts=VerdictCounts.of(verdicts, count),
        without_percent=trend.without_percent,
    )


def _point(point: Point, url: str) -> TrendPoint:
    return TrendPoint(
        id=point.id,
        url=url.replace(_ID, point.id),
        created_at=point.created_at,
        filename=point.filename,
        percent_masked=point.percent_masked,
        by_class=percents(point.by_class),
        verdict=point.verdict,
    )
