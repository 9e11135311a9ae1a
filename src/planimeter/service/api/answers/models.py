"""Models as they are answered."""

from typing import Any

from pydantic import Field

from planimeter.packs.manifest import (
    AnyArchitecture,
    Output,
    PackClass,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.packs.pack import Pack
from planimeter.service.api.answers.base import Answer, Link
from planimeter.service.links import link


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
