"""Lots as they are answered."""

from collections.abc import Mapping
from dataclasses import asdict

from pydantic import Field

from planimeter.corrections import Figures
from planimeter.measurement import Note
from planimeter.predicted import PredictedMean
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.service.api.answers.many import StatisticsAnswer, VerdictCounts, statistics_answer
from planimeter.service.api.options.lots import LotOptions
from planimeter.service.links import link
from planimeter.service.summing_lots import aim_of, notes_of, notes_of_lot
from planimeter.store.lot_list import MOST_SUMMED, Lot, ModelInList
from planimeter.store.lots import LotInSum, ModelInLot


class LotLineOfModel(Answer):
    """What one model measured in a lot of the list: each picture once, as it was measured last."""

    model: str
    model_sha256: str = Field(description="One that was trained again under its name is another one.")
    n: int = Field(description="How many pictures have a percentage.")
    mean_percent: float | None = Field(description="Of these, as measured; null where there are none.")
    verdicts: VerdictCounts = Field(description="Of all its pictures.")


class LotLine(Answer):
    """A lot in the list."""

    name: str
    measurements: int = Field(description="All of them, whichever model measured.")
    by_model: list[LotLineOfModel] | None = Field(
        description="The one with the most pictures first; percentages of two models are never mixed. Null where the "
        f"lots of one answer have more than {MOST_SUMMED:,} measurements: ask for the lot itself then."
    )
    first: Moment = Field(description="When its first measurement was made.")
    last: Moment = Field(description="When its last one was.")
    url: Link


class LotList(Answer):
    """Lots, that with the newest measurement first."""

    count: int = Field(description="How many there are.")
    lots: list[LotLine]


class Aimed(Answer):
    """How many pictures the mean needs to be known so closely, as if further ones vary like these."""

    within: float = Field(description="Percentage points to either side.")
    relative_accuracy: float | None = Field(description="10, where within was not asked for.")
    pictures: int = Field(
        description="The least n for which t s / √n is at most that, with the t of n itself."
    )
    more: int = Field(description="How many those are beside the ones that are there.")


class ReviewedMean(Answer):
    """The mean of all pictures, put right by those that people reviewed: prediction-powered inference."""

    reviewed: int = Field(description="Pictures that people reviewed.")
    others: int = Field(description="Pictures that were measured alone.")
    mean_percent: float = Field(
        description="Of all pictures; unbiased where the reviewed ones were chosen by chance."
    )
    low: float
    high: float = Field(description="Between low and high lies the 95 % confidence interval.")
    bias: float = Field(description="Measured minus true in the reviewed pictures, on average.")
    reviewed_mean_percent: float = Field(description="Of the reviewed pictures alone, in true percent.")
    reviewed_confidence_95: float | None = Field(
        description="Its 95 % confidence interval to either side, as E562."
    )


class LotOfModel(Answer):
    """What one model measured in a lot: each picture once, as it was measured last."""

    model: str
    model_sha256: str = Field(description="One that was trained again under its name is another one.")
    n: int = Field(description="How many pictures: the fields of ASTM E562.")
    mean_percent: float = Field(description="Of the pictures' percentages, each weighing the same.")
    standard_deviation: float | None = Field(description="Of the sample (n - 1); null for one picture.")
    confidence_95: float | None = Field(
        description="t s / √n with Student's t of n - 1: mean ± this is the 95 % confidence interval for the mean of "
        "all possible pictures. Not how wrong each percentage is. Null for one picture."
    )
    relative_accuracy: float | None = Field(
        description="100 · confidence_95 / mean_percent; null without an interval, and where the mean is 0."
    )
    with_reviewed: ReviewedMean | None = Field(
        description="The mean with what people reviewed; null where that are less than 10 pictures, or "
        "more than half of them."
    )
    aim: Aimed | None = Field(description="Null for one picture, and for a tenth of a mean of 0.")
    score_thresholds: list[float] = Field(description="At which the pictures count.")
    without_percent: int = Field(
        description="Further pictures that have no percentage, as nothing was found of the class that it would be of."
    )
    repeated: int = Field(description="Earlier measurements of the same pictures, which do not count.")
    statistics: StatisticsAnswer
    notes: list[Note] = Field(description="What a careful reader must know; programs read the codes.")


class LotAnswer(Answer):
    """A lot, summed up; models are never mixed."""

    figures: Figures = Field(description="As measured, or, of what was corrected, as corrected.")
    name: str
    measurements: int = Field(description="All of them, whichever model measured.")
    first: Moment
    last: Moment
    samples: list[str]
    operators: list[str]
    by_model: list[LotOfModel] = Field(description="The one with the most pictures first.")
    notes: list[Note]
    measurements_url: Link
    csv_url: Link


def lot_line(lot: Lot) -> LotLine:
    """Return a lot in the list."""
    return LotLine(
        name=lot.name,
        measurements=lot.measurements,
        by_model=None if lot.by_model is None else [*map(_line_of_model, lot.by_model)],
        first=lot.first,
        last=lot.last,
        url=link("api.get_lot", name=lot.name),
    )


def _line_of_model(found: ModelInList) -> LotLineOfModel:
    return LotLineOfModel(
        model=found.model,
        model_sha256=found.sha256,
        n=found.n,
        mean_percent=found.mean_percent,
        verdicts=VerdictCounts.of(found.verdicts, found.pictures),
    )


def lot_answer(found: LotInSum, colors: Mapping[str, str], options: LotOptions) -> LotAnswer:
    """Return a lot as it is answered; `colors` by class name."""
    lot = found.lot
    return LotAnswer(
        figures=options.figures,
        name=lot.name,
        measurements=lot.measurements,
        first=lot.first,
        last=lot.last,
        samples=[*found.samples],
        operators=[*found.operators],
        by_model=[_of_model(entry, colors, options) for entry in found.by_model],
        notes=notes_of_lot(found),
        measurements_url=link("api.list_measurements", lot=lot.name),
        csv_url=link("api.csv", lot=lot.name),
    )


def _of_model(found: ModelInLot, colors: Mapping[str, str], options: LotOptions) -> LotOfModel:
    fields = found.fields
    aim = aim_of(fields, options.within)
    return LotOfModel(
        model=found.model,
        model_sha256=found.sha256,
        n=fields.n,
        mean_percent=fields.mean,
        standard_deviation=fields.standard_deviation,
        confidence_95=fields.confidence,
        relative_accuracy=fields.relative_accuracy,
        with_reviewed=None if found.predicted is None else _with_reviewed(found.predicted),
        aim=None if aim is None else Aimed(**asdict(aim)),
        score_thresholds=[*found.thresholds],
        without_percent=found.without_percent,
        repeated=found.repeated,
        statistics=statistics_answer(found.statistics, colors, options.limit_percent),
        notes=notes_of(found),
    )


def _with_reviewed(found: PredictedMean) -> ReviewedMean:
    return ReviewedMean(
        reviewed=found.reviewed,
        others=found.others,
        mean_percent=found.mean,
        low=found.low,
        high=found.high,
        bias=found.bias,
        reviewed_mean_percent=found.reviewed_alone.mean,
        reviewed_confidence_95=found.reviewed_alone.confidence,
    )
