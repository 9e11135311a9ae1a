"""Many measurements as they are answered: in short, and summed up."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise

from pydantic import Field

from planimeter.corrections import Figures
from planimeter.measurement import percent
from planimeter.rules import Verdict
from planimeter.service.api.answers.base import Answer, ClassPercent, Moment, percents
from planimeter.store import Line
from planimeter.store.distribution import Distribution
from planimeter.store.sums import Statistics

_TITLES: dict[Verdict, str] = {"pass": "passed", "fail": "failed", "undecided": "undecided"}


class LineAnswer(Answer):
    """One measurement in short."""

    id: str
    created_at: Moment
    filename: str
    model: str
    batch: str | None
    lot: str | None
    sample: str | None
    operator: str | None
    profile: str | None = Field(description="The name of what it was measured by.")
    verdict: Verdict | None
    percent_masked: float | None = Field(
        description="Null where nothing was found of the class that it would be of."
    )
    reviewed: bool = Field(description="Whether a person said that all of the picture is right.")
    corrections: int = Field(description="How many there were.")
    corrected_percent_masked: float | None = Field(
        description="After corrections; null where there were none."
    )
    instance_count: int
    score_threshold: float
    kept_threshold: float | None
    by_class: list[ClassPercent] = Field(description="The classes found, by falling percent.")


class LineList(Answer):
    """Measurements in short, from any place of their order on."""

    count: int = Field(description="How many match.")
    lines: list[LineAnswer]


class Spread(Answer):
    """How the percent masked of many measurements is spread."""

    count: int
    mean: float
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float


class ClassStatistics(Answer):
    """One class over many measurements."""

    class_name: str = Field(alias="class")
    color: str
    measurements: int = Field(description="In how many it was found.")
    instance_count: int
    mean_percent: float = Field(description="Over all measurements; without the class counts as 0.")


class HistogramBin(Answer):
    """How many measurements lie in a range of percent."""

    from_percent: float = Field(description="Included.")
    to_percent: float = Field(description="Not included, but in the last bin.")
    count: int


class VerdictCounts(Answer):
    """How many measurements have which verdict by the rules of the profiles that they were measured by."""

    passed: int
    failed: int
    undecided: int
    without: int = Field(description="Measured without a profile, or by one without rules.")

    @classmethod
    def of(cls, verdicts: Mapping[Verdict, int], count: int) -> "VerdictCounts":
        """Return the verdicts among so many."""
        counts = {title: verdicts.get(verdict, 0) for verdict, title in _TITLES.items()}
        return cls(**counts, without=count - sum(counts.values()))


class StatisticsAnswer(Answer):
    """Many measurements, summed up."""

    figures: Figures = Field(description="Which figures these are of: as measured, or as corrected.")
    corrected: int = Field(
        description="How many of them are counted as corrected; the others are as measured."
    )
    count: int
    percent_masked: Spread | None = Field(
        description="Of the pictures' percentages; null where there are none."
    )
    without_percent: int = Field(
        description="How many have none, as nothing was found of the class that it would be of; they are in no mean, "
        "and undecided at a limit."
    )
    percent_of_pixels: float | None = Field(
        description="All masked pixels in percent of all pixels: large pictures weigh more."
    )
    pixels_masked: int
    pixels_counted: int
    instance_count: int
    by_class: list[ClassStatistics] = Field(description="The classes found, by falling mean.")
    histogram: list[HistogramBin]
    limit_percent: float | None
    passed: int | None = Field(description="How many are at or below the limit; null without one.")
    failed: int | None = Field(description="How many are above the limit; null without one.")
    undecided: int | None = Field(
        description="How many have the limit in the interval of their percentage; null without one."
    )
    verdicts: VerdictCounts


class Deleted(Answer):
    """What was deleted."""

    deleted: int = Field(description="How many measurements.")
    deletion: str | None = Field(
        description="POST /trash/restore?deletion=… brings them back; null where they are gone for good."
    )


def line_answer(line: Line) -> LineAnswer:
    """Return a measurement in short."""
    return LineAnswer(
        id=line.id,
        created_at=line.created_at,
        filename=line.filename,
        model=line.model,
        batch=line.batch,
        lot=line.lot,
        sample=line.sample,
        operator=line.operator,
        profile=line.profile,
        verdict=line.verdict,
        percent_masked=line.percent_masked,
        reviewed=line.reviewed,
        corrections=line.corrections,
        corrected_percent_masked=line.corrected_percent_masked,
        instance_count=line.instances,
        score_threshold=line.score_threshold,
        kept_threshold=line.kept_threshold,
        by_class=percents(line.by_class),
    )


def spread_answer(spread: Distribution) -> Spread:
    """Return a distribution as it is answered."""
    return Spread(**asdict(spread))


def statistics_answer(
    statistics: Statistics, colors: Mapping[str, str], limit_percent: float | None
) -> StatisticsAnswer:
    """Return statistics as they are answered; `colors` by class name."""
    spread, verdicts, own = statistics.spread, statistics.verdicts, statistics.by_profile
    count = (spread.count if spread else 0) + statistics.without_percent
    counted = statistics.pixels_counted
    return StatisticsAnswer(
        figures=statistics.figures,
        corrected=statistics.corrected,
        count=count,
        percent_masked=spread_answer(spread) if spread else None,
        without_percent=statistics.without_percent,
        percent_of_pixels=percent(statistics.pixels_masked, counted) if counted else None,
        pixels_masked=statistics.pixels_masked,
        pixels_counted=counted,
        instance_count=statistics.instances,
        by_class=[
            ClassStatistics(
                class_name=entry.name,
                color=colors[entry.name],
                measurements=entry.measurements,
                instance_count=entry.instances,
                mean_percent=entry.mean_percent,
            )
            for entry in statistics.by_class
        ],
        histogram=[
            HistogramBin(from_percent=low, to_percent=high, count=count)
            for (low, high), count in zip(pairwise(statistics.edges), statistics.counts, strict=True)
        ],
        limit_percent=limit_percent,
        passed=None if verdicts is None else verdicts["pass"],
        failed=None if verdicts is None else verdicts["fail"],
        undecided=None if verdicts is None else verdicts["undecided"],
        verdicts=VerdictCounts.of(own, count),
    )
