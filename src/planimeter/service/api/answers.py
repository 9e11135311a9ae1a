"""What the API answers, typed: the same models make the JSON and its description in `/openapi.json`."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from planimeter.masks.rle import rle_window
from planimeter.masks.shapes import measure_shape
from planimeter.measurement import (
    Coverage,
    ImageInfo,
    Instance,
    MaskFormat,
    ModelInfo,
    Note,
    Options,
    Timing,
    percent,
)
from planimeter.measuring.candidates import exact_mask
from planimeter.measuring.coverage import with_mask_format
from planimeter.measuring.difference import ONLY_FIRST, ONLY_SECOND, Overlap, difference
from planimeter.packs.manifest import (
    AnyArchitecture,
    Output,
    PackClass,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.packs.pack import Pack
from planimeter.service.links import link
from planimeter.store import Line, Record
from planimeter.store.distribution import Distribution
from planimeter.store.sums import Statistics
from planimeter.store.trend import FEW, MOST_OUTLIERS, Point, Trend


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_milliseconds, return_type=str)]
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


class ImageAnswer(ImageInfo):
    """The picture, and where it can be had as it was uploaded."""

    url: Link


class _Head(Answer):
    id: str = Field(description="ULID: sorts by time.")
    created_at: Moment
    batch: str | None = Field(description="The name under which pictures were sent together.")
    measured_by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    url: Link
    image: ImageAnswer
    model: ModelInfo
    options: Options
    measured_threshold: float = Field(
        description="The score threshold that the picture was measured with; options has the one of these figures."
    )
    kept_threshold: float | None = Field(
        description="The score threshold that a user keeps for this measurement instead; null without one."
    )
    pinned: bool = Field(description="Whether it stays, however old it is and however much is stored.")
    coverage: Coverage


class MeasurementAnswer(_Head):
    """One measurement, complete."""

    instances: list[Instance] = Field(description="By falling score.")
    notes: list[Note] = Field(description="What a careful reader must know; programs read the codes.")
    overlay_url: Link
    mask_url: Link
    coco_url: Link
    candidates_url: Link
    timing_ms: Timing


class InstanceFigures(Answer):
    """One instance in numbers; lengths in pixels, shape figures as skimage.measure.regionprops defines them."""

    id: int
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    bbox: tuple[float, float, float, float] = Field(description="x, y, width, height.")
    area_px: int
    percent: float
    perimeter: float
    feret_diameter_max: float = Field(description="The longest diameter.")
    circularity: float | None = Field(description="4 pi area / perimeter²; null without a perimeter.")


class InstanceList(Answer):
    """The instances of one measurement in numbers, by falling score."""

    instances: list[InstanceFigures]


class MeasurementSummary(_Head):
    """One measurement in the list: without its instances."""

    instance_count: int
    overlay_url: Link
    mask_url: Link


class MeasurementList(Answer):
    """A page of measurements."""

    measurements: list[MeasurementSummary]
    count: int = Field(description="How many there are on all pages with these filters.")
    next_url: Link | None = Field(description="The next page; null on the last.")


class ClassPercent(Answer):
    """A class and a percentage."""

    class_name: str = Field(alias="class")
    percent_masked: float


class LineAnswer(Answer):
    """One measurement in short."""

    id: str
    created_at: Moment
    filename: str
    model: str
    batch: str | None
    percent_masked: float
    instance_count: int
    score_threshold: float
    kept_threshold: float | None
    by_class: list[ClassPercent] = Field(description="The classes found, by falling percent.")


class LineList(Answer):
    """Measurements in short, from any place of their order on."""

    count: int = Field(description="How many match.")
    lines: list[LineAnswer]


class NeighboursAnswer(Answer):
    """Where a measurement stands among those that match."""

    position: int | None = Field(description="From 1; null where it does not match itself.")
    count: int = Field(description="How many match.")
    previous: MeasurementSummary | None = Field(description="The one before it; null at the beginning.")
    next: MeasurementSummary | None = Field(description="The one after it; null at the end.")


class Spread(Answer):
    """How the percent masked of many measurements is spread."""

    count: int
    mean: float
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float


class TrendPoint(Answer):
    """One measurement in the trend."""

    id: str
    url: Link
    created_at: Moment
    filename: str
    percent_masked: float
    by_class: list[ClassPercent] = Field(description="The classes found.")


class TrendBucket(Answer):
    """The measurements of a stretch of time, summed up."""

    since: Moment = Field(description="Included.")
    until: Moment = Field(description="Not included.")
    percent_masked: Spread
    by_class: list[ClassPercent] = Field(
        description="Mean of each class over all measurements of the stretch; without the class counts as 0."
    )


class ClassColor(Answer):
    """A class and the colour in which its model draws it."""

    class_name: str = Field(alias="class")
    color: str


class TrendAnswer(Answer):
    """The percent masked over time."""

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


class StatisticsAnswer(Answer):
    """Many measurements, summed up."""

    count: int
    percent_masked: Spread | None = Field(
        description="Of the pictures' percentages; null where there are none."
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


class OverlapAnswer(Answer):
    """How two unions of masks lie on each other."""

    pixels_both: int
    pixels_only_first: int
    pixels_only_second: int
    percent_both: float = Field(description="Of the pixels counted, like all percentages here.")
    percent_only_first: float
    percent_only_second: float
    percent_disagreement: float = Field(description="What exactly one of the two masks.")
    iou: float | None = Field(description="Intersection over union; null where neither masks anything.")


class ClassOverlap(OverlapAnswer):
    """The same for one class, by its name."""

    class_name: str = Field(alias="class")
    color: str


class ComparisonAnswer(Answer):
    """Two measurements of the same picture."""

    first: MeasurementSummary
    second: MeasurementSummary
    pixels_counted: int
    overlap: OverlapAnswer
    by_class: list[ClassOverlap] = Field(description="Every class that either model knows.")
    picture_url: Link = Field(
        description=f"The difference drawn: only the first {ONLY_FIRST}, only the second {ONLY_SECOND}, both pale."
    )


class Deleted(Answer):
    """What was deleted."""

    deleted: int = Field(description="How many measurements.")
    deletion: str | None = Field(
        description="POST /trash/restore?deletion=… brings them back; null where they are gone for good."
    )


class ModelSummary(Answer):
    """A model that can measure here."""

    name: str
    version: str
    title: str
    summary: str
    default: bool = Field(description="Whether it measures where a request names none.")
    bundled: bool = Field(description="Whether it came with Planimeter.")
    classes: list[PackClass]
    score_threshold: float = Field(description="What a measurement takes whose request names none.")
    score_threshold_saved: bool = Field(description="Whether a user saved it; else it is the model's own.")
    url: Link


class ModelAnswer(ModelSummary):
    """A model, complete."""

    sha256: str
    thresholds: Thresholds
    preprocessing: Preprocessing
    architecture: AnyArchitecture | None = Field(
        description="Enough to build the network in PyTorch; null where only its ONNX file is known."
    )
    output: Output | None = Field(description="How an imported network's answer is read; null for our own.")
    training_data: TrainingData
    metrics: dict[str, Any] = Field(description="How good it is, as evaluated when it was made.")
    card: str = Field(description="The model card, Markdown.")
    report_url: Link | None = Field(description="The page of its evaluation; null where it has none.")


class ModelList(Answer):
    """All models."""

    default: str
    models: list[ModelSummary]


class Health(Answer):
    """The process is alive, or ready."""

    status: Literal["ok", "ready"]


def measurement_answer(
    record: Record, mask_format: MaskFormat = "rle", score_threshold: float | None = None
) -> MeasurementAnswer:
    """Return the answer for one record; `score_threshold` is that of the request, for the links."""
    measurement = with_mask_format(record.measurement, mask_format)
    return MeasurementAnswer(
        **_head(record),
        instances=measurement.instances,
        notes=measurement.notes,
        overlay_url=link("api.overlay", id=record.id, score_threshold=score_threshold),
        mask_url=link("api.mask", id=record.id, score_threshold=score_threshold),
        coco_url=link("api.coco", id=record.id, score_threshold=score_threshold),
        candidates_url=link("api.candidates", id=record.id),
        timing_ms=measurement.timing_ms,
    )


def instance_figures(entry: Instance) -> InstanceFigures:
    """Return the numbers of one instance."""
    shape = measure_shape(rle_window(exact_mask(entry)))
    figures = entry.model_dump(exclude={"mask"})
    return InstanceFigures(
        **figures,
        perimeter=shape.perimeter,
        feret_diameter_max=shape.feret_diameter_max,
        circularity=shape.circularity,
    )


def measurement_summary(record: Record) -> MeasurementSummary:
    """Return one line of the list."""
    return MeasurementSummary(
        **_head(record),
        instance_count=len(record.measurement.instances),
        overlay_url=link("api.overlay", id=record.id),
        mask_url=link("api.mask", id=record.id),
    )


def spread_answer(spread: Distribution) -> Spread:
    """Return a distribution as it is answered."""
    return Spread(**asdict(spread))


def trend_answer(trend: Trend, colors: Mapping[str, str]) -> TrendAnswer:
    """Return a trend as it is answered; `colors` by class name."""
    return TrendAnswer(
        count=trend.spread.count if trend.spread else 0,
        percent_masked=spread_answer(trend.spread) if trend.spread else None,
        fences=trend.spread.fences if trend.spread else None,
        bucket_seconds=trend.bucket_seconds,
        buckets=[
            TrendBucket(
                since=bucket.since,
                until=bucket.until,
                percent_masked=spread_answer(bucket.spread),
                by_class=_percents(bucket.by_class),
            )
            for bucket in trend.buckets
        ],
        points=[_point(point) for point in trend.points],
        outlier_count=trend.outlier_count,
        outliers=[_point(point) for point in trend.outliers],
        classes=[ClassColor(class_name=name, color=colors[name]) for name in trend.classes],
    )


def _point(point: Point) -> TrendPoint:
    return TrendPoint(
        id=point.id,
        url=link("api.get_measurement", id=point.id),
        created_at=point.created_at,
        filename=point.filename,
        percent_masked=point.percent_masked,
        by_class=_percents(point.by_class),
    )


def line_answer(line: Line) -> LineAnswer:
    """Return a measurement in short."""
    return LineAnswer(
        id=line.id,
        created_at=line.created_at,
        filename=line.filename,
        model=line.model,
        batch=line.batch,
        percent_masked=line.percent_masked,
        instance_count=line.instances,
        score_threshold=line.score_threshold,
        kept_threshold=line.kept_threshold,
        by_class=_percents(line.by_class),
    )


def _percents(by_class: Mapping[str, float]) -> list[ClassPercent]:
    falling = sorted(by_class.items(), key=lambda entry: -entry[1])
    return [ClassPercent(class_name=name, percent_masked=percent) for name, percent in falling]


def statistics_answer(
    statistics: Statistics, colors: Mapping[str, str], limit_percent: float | None
) -> StatisticsAnswer:
    """Return statistics as they are answered; `colors` by class name."""
    spread, verdicts = statistics.spread, statistics.verdicts
    count = spread.count if spread else 0
    counted = statistics.pixels_counted
    return StatisticsAnswer(
        count=count,
        percent_masked=spread_answer(spread) if spread else None,
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
    )


def comparison_answer(first: Record, second: Record, colors: Mapping[str, str]) -> ComparisonAnswer:
    """Compare two records; `colors` by class name. Raises `DifferentPictures`."""
    found = difference(first.measurement, second.measurement)
    counted = found.pixels_counted
    return ComparisonAnswer(
        first=measurement_summary(first),
        second=measurement_summary(second),
        pixels_counted=counted,
        overlap=OverlapAnswer(**_overlap(found.overlap, counted)),
        by_class=[
            ClassOverlap(class_name=name, color=colors[name], **_overlap(entry, counted))
            for name, entry in found.by_class.items()
        ],
        picture_url=link("api.show_difference", first=first.id, second=second.id),
    )


def _overlap(overlap: Overlap, counted: int) -> dict[str, Any]:
    return {
        "pixels_both": overlap.both,
        "pixels_only_first": overlap.only_first,
        "pixels_only_second": overlap.only_second,
        "percent_both": percent(overlap.both, counted),
        "percent_only_first": percent(overlap.only_first, counted),
        "percent_only_second": percent(overlap.only_second, counted),
        "percent_disagreement": percent(overlap.only_first + overlap.only_second, counted),
        "iou": overlap.iou,
    }


def _head(record: Record) -> dict[str, Any]:
    measurement = record.measurement
    image = {name: getattr(measurement.image, name) for name in ImageInfo.model_fields}
    return {
        "id": record.id,
        "created_at": record.created_at,
        "batch": record.batch,
        "measured_by": record.measured_by,
        "url": link("api.get_measurement", id=record.id),
        "image": ImageAnswer(**image, url=link("api.image", id=record.id)),
        "model": measurement.model,
        "options": measurement.options,
        "measured_threshold": record.measured_threshold,
        "kept_threshold": record.kept_threshold,
        "pinned": record.pinned,
        "coverage": measurement.coverage,
    }


def model_summary(pack: Pack, default: str, saved_threshold: float | None) -> ModelSummary:
    """Return one line of the list of models."""
    return ModelSummary(**_model_head(pack, default, saved_threshold))


def model_answer(pack: Pack, default: str, saved_threshold: float | None) -> ModelAnswer:
    """Return all that the manifest of a pack says that concerns a user."""
    manifest = pack.manifest
    return ModelAnswer(
        **_model_head(pack, default, saved_threshold),
        sha256=manifest.onnx.sha256,
        thresholds=manifest.thresholds,
        preprocessing=manifest.preprocessing,
        architecture=manifest.architecture,
        output=manifest.output,
        training_data=manifest.training_data,
        metrics=manifest.metrics,
        card=pack.card,
        report_url=link("pages.model_report", name=manifest.name) if pack.report else None,
    )


def _model_head(pack: Pack, default: str, saved_threshold: float | None) -> dict[str, Any]:
    manifest = pack.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "summary": manifest.summary,
        "default": manifest.name == default,
        "bundled": pack.bundled,
        "classes": list(manifest.classes),
        "score_threshold": manifest.thresholds.score if saved_threshold is None else saved_threshold,
        "score_threshold_saved": saved_threshold is not None,
        "url": link("api.show_model", name=manifest.name),
    }
