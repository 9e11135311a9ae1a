"""The routes that Label Studio calls: of the default model, and of each by its name."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError

from planimeter.errors import InvalidOption
from planimeter.packs.pack import Pack
from planimeter.service.api.answering import json_answer
from planimeter.service.api.described import DescribedBlueprint, Json, View, answer_of
from planimeter.service.api.options.parsing import LONGEST_SHOWN, NoOptions
from planimeter.service.api.routes import refuse_foreign_pages
from planimeter.service.context import context
from planimeter.service.json_text import load_json
from planimeter.service.label_studio.config import read_config
from planimeter.service.label_studio.messages import (
    HealthAnswer,
    PredictAnswer,
    PredictRequest,
    Said,
    SetupAnswer,
    SetupRequest,
    Told,
    Versions,
)
from planimeter.service.label_studio.predicting import predict_all, version_of
from planimeter.service.label_studio.prompts import prompts_of
from planimeter.service.pictures import body_in_memory
from planimeter.service.uploads import OVERHEAD

label_studio = DescribedBlueprint("label_studio", __name__, "/label-studio")
label_studio.blueprint.before_request(refuse_foreign_pages)
Message = TypeVar("Message", bound=BaseModel)
MOST_VALUES = 1_000_000
"""Of a request: brushes come as long lists of numbers."""
_ABOUT = (
    "For Label Studio: give it this service's address with /label-studio behind it as a model, or "
    "/label-studio/models/NAME for another model than the default."
)
_PREDICTS = (
    "Pictures are data: URLs, or files of the one Label Studio that --label-studio-url names. Each is measured and "
    "stored as POST /api/v1/measurements does it, once however often it is asked for. With a context, only the object "
    "that is clicked, or those in a rectangle, are answered."
)


def _both(method: str, what: str, summary: str, answer: Json, **more: Any) -> Callable[[View], View]:
    """Return a decorator that routes to a view for the default model, and for each by its name."""

    def decorate(view: View) -> View:
        for of, words, ending in (("", "the default model", ""), ("/models/<name>", "a model", "_of_model")):
            label_studio.route(
                method,
                f"{of}/{what}",
                f"{summary} {words}",
                answer,
                endpoint=f"{view.__name__}{ending}",
                **more,
            )(view)
        return view

    return decorate


@_both(
    "GET",
    "health",
    "Is there a backend of Label Studio, for",
    answer_of("There is.", HealthAnswer),
    role="open",
    options=None,
    errors=(),
)
def health(name: str | None = None) -> Response:
    """Answer that the backend is there, whatever the name: a caller without a key learns of no models."""
    del name
    return json_answer(HealthAnswer())


@_both(
    "POST",
    "setup",
    "Connect a project of Label Studio to",
    answer_of("It can be used.", SetupAnswer),
    role="measure",
    body=SetupRequest,
    errors=(400, 403, 404, 413, 504),
    description=_ABOUT,
)
def setup(_: NoOptions, name: str | None = None) -> Response:
    """Answer whether a labelling configuration fits a model, and its version."""
    pack = _pack(name)
    classes = _classes(pack)
    labelling = read_config(_read(SetupRequest).config, classes)
    return json_answer(
        SetupAnswer(model_version=version_of(pack), classes_without_label=labelling.without_label(classes))
    )


@_both(
    "POST",
    "predict",
    "Predict tasks of Label Studio with",
    answer_of("What was found.", PredictAnswer),
    role="measure",
    body=PredictRequest,
    errors=(400, 403, 404, 408, 409, 413, 415, 422, 503, 504, 507),
    description=_PREDICTS,
)
def predict(_: NoOptions, name: str | None = None) -> Response:
    """Answer what a model finds in the pictures of tasks."""
    pack = _pack(name)
    asked = _read(PredictRequest)
    labelling = read_config(asked.label_config, _classes(pack))
    prompts = prompts_of(asked.params.context if asked.params else None)
    results, errors = predict_all(pack, asked.tasks, labelling, prompts)
    return json_answer(PredictAnswer(results=results, model_version=version_of(pack), errors=errors))


@_both(
    "GET",
    "versions",
    "Which versions are there of",
    answer_of("The one.", Versions),
    role="read",
    errors=(400, 404),
)
def versions(_: NoOptions, name: str | None = None) -> Response:
    """Answer the one version of a model that is here."""
    return json_answer(Versions(versions=[version_of(_pack(name))]))


_NOTHING: dict[str, Any] = {
    "answer": answer_of("Nothing follows from it.", Told),
    "role": "measure",
    "status": 201,
    "body": Said,
    "errors": (400, 403, 404, 413, 504),
    "description": "Models are trained by planimeter train, on what Label Studio exports.",
}


@_both("POST", "webhook", "Hear what happens in Label Studio, for", **_NOTHING)
def webhook(_: NoOptions, name: str | None = None) -> Response:
    """Take what Label Studio tells of its annotations."""
    return _told(name)


@_both("POST", "train", "Be asked by Label Studio to train", **_NOTHING)
def train(_: NoOptions, name: str | None = None) -> Response:
    """Take the wish that a model be trained."""
    return _told(name)


def _told(name: str | None) -> Response:
    _pack(name)
    _read(Said)
    return json_answer(Told(), 201)


def _pack(name: str | None) -> Pack:
    models = context().models
    return models.find(name or models.default)


def _classes(pack: Pack) -> list[str]:
    return [entry.name for entry in pack.manifest.classes]


def _read(kind: type[Message]) -> Message:
    """Return the JSON of the request; raises `InvalidOption`."""
    request.max_content_length = (
        context().settings.max_bytes * 4 // 3 + OVERHEAD
    )  # pictures may come in base64
    with body_in_memory():
        body = request.get_data(cache=False)
        document = load_json(body, "the request", "this is for Label Studio to call", MOST_VALUES)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))[:LONGEST_SHOWN] or "the body"
        raise InvalidOption(f"{where}: {problem['msg']}; this is for Label Studio to call") from None
