"""What the API answers, typed: the same models make the JSON and its description in `/openapi.json`."""

from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from planimeter.measurement import (
    Coverage,
    ImageInfo,
    Instance,
    MaskFormat,
    ModelInfo,
    Options,
    Timing,
)
from planimeter.packs import Architecture, Output, Pack, PackClass, Preprocessing, Thresholds, TrainingData
from planimeter.segmenter import with_mask_format
from planimeter.service.links import link
from planimeter.store import Record


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
    url: Link
    image: ImageAnswer
    model: ModelInfo
    options: Options
    coverage: Coverage


class MeasurementAnswer(_Head):
    """One measurement, complete."""

    instances: list[Instance] = Field(description="By falling score.")
    notes: list[str] = Field(description="What a careful reader must know about how the picture was read.")
    overlay_url: Link
    mask_url: Link
    coco_url: Link
    candidates_url: Link
    timing_ms: Timing


class MeasurementSummary(_Head):
    """One measurement in the list: without its instances."""

    instance_count: int
    overlay_url: Link
    mask_url: Link


class MeasurementList(Answer):
    """A page of measurements, newest first."""

    measurements: list[MeasurementSummary]
    count: int = Field(description="How many there are on all pages with these filters.")
    next_url: Link | None = Field(description="The next, older page; null on the last.")


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
    architecture: Architecture | None = Field(description="Null for an imported network.")
    output: Output | None = Field(description="How an imported network's answer is read; null for our own.")
    training_data: TrainingData
    metrics: dict[str, Any] = Field(description="How good it is, as evaluated when it was made.")
    card: str = Field(description="The model card, Markdown.")


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


def measurement_summary(record: Record) -> MeasurementSummary:
    """Return one line of the list."""
    return MeasurementSummary(
        **_head(record),
        instance_count=len(record.measurement.instances),
        overlay_url=link("api.overlay", id=record.id),
        mask_url=link("api.mask", id=record.id),
    )


def _head(record: Record) -> dict[str, Any]:
    measurement = record.measurement
    image = {name: getattr(measurement.image, name) for name in ImageInfo.model_fields}
    return {
        "id": record.id,
        "created_at": record.created_at,
        "url": link("api.get_measurement", id=record.id),
        "image": ImageAnswer(**image, url=link("api.image", id=record.id)),
        "model": measurement.model,
        "options": measurement.options,
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
