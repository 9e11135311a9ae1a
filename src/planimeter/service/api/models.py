"""The models that can measure here, and their defaults."""

from flask import Response

from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.drift import DriftAnswer, drift_answer
from planimeter.service.api.answers.models import ModelAnswer, ModelList, model_answer, model_summary
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.measurements import DefaultsOptions
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.drifting import drift_of


@api.get(
    "/models",
    "List the models",
    answer_of("All models.", ModelList),
    role="read",
)
def list_models(_: NoOptions) -> Response:
    """List the models that can measure here."""
    models, saved = context().models, context().store.thresholds()
    listed = [model_summary(pack, models.default, saved.get(pack.name)) for pack in models.packs().values()]
    return json_answer(ModelList(default=models.default, models=listed))


@api.get(
    "/models/<name>",
    "Read all about a model",
    answer_of("The model.", ModelAnswer),
    role="read",
    errors=(400, 404),
)
def show_model(_: NoOptions, name: str) -> Response:
    """Answer all about one model."""
    return json_answer(_model_answer(name))


@api.get(
    "/models/<name>/drift",
    "Tell how a model does in use",
    answer_of("Its real error, over time.", DriftAnswer),
    role="read",
    errors=(400, 404),
    description="Of the pictures that people reviewed of what the version in use measured: how far its percentages "
    "were off, and how often the truth was inside the intervals.",
)
def show_drift(_: NoOptions, name: str) -> Response:
    """Answer the error of a model in use."""
    pack = context().models.find(name)
    return json_answer(drift_answer(pack.name, pack.manifest.version, *drift_of(pack)))


@api.route(
    "PUT",
    "/models/<name>/defaults",
    "Save the score threshold that a model takes where a request names none",
    answer_of("The model, with it.", ModelAnswer),
    role="admin",
    options=DefaultsOptions,
    errors=(400, 403, 404, 503),
)
def save_defaults(options: DefaultsOptions, name: str) -> Response:
    """Save what a measurement with this model takes where its request names nothing."""
    parts = context()
    parts.store.save_threshold(parts.models.find(name).name, options.score_threshold)
    return json_answer(_model_answer(name))


@api.route(
    "DELETE",
    "/models/<name>/defaults",
    "Go back to the score threshold of the pack",
    answer_of("The model, without it.", ModelAnswer),
    role="admin",
    errors=(400, 403, 404, 503),
)
def reset_defaults(_: NoOptions, name: str) -> Response:
    """Go back to the model's own."""
    parts = context()
    parts.store.save_threshold(parts.models.find(name).name, None)
    return json_answer(_model_answer(name))


def _model_answer(name: str) -> ModelAnswer:
    parts = context()
    pack = parts.models.find(name)
    return model_answer(pack, parts.models.default, parts.store.thresholds().get(pack.name))
