"""`/openapi.json`, made from the models that check options and make answers; `/docs`, made from it."""

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from planimeter.measuring.candidates import PackedCandidates
from planimeter.service.api import answers, options
from planimeter.service.api.measurements import MEDIA_TYPES, PERCENT_HEADER
from planimeter.service.uploads import FIELD

blueprint = Blueprint("openapi", __name__)

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"
ANSWERS: tuple[type[BaseModel], ...] = (
    answers.ErrorAnswer,
    answers.Health,
    answers.InstanceList,
    answers.MeasurementAnswer,
    answers.MeasurementList,
    answers.ModelAnswer,
    answers.ModelList,
    PackedCandidates,
    answers.ComparisonAnswer,
    answers.Deleted,
    answers.StatisticsAnswer,
    answers.TrendAnswer,
)
SENTENCES = {
    400: "A wrong option, or no picture in the request.",
    403: "A page of another site sent the request.",
    404: "Nothing is there, or no model has that name.",
    409: "What is kept does not allow it: lower scores than were kept, another number of measurements than the "
    "request says, more than it can take, or measurements of different pictures.",
    413: "The upload has too many bytes.",
    415: "Not a type of picture that is read.",
    422: "The picture cannot be decoded, or has too many pixels.",
    429: "The queue is full; Retry-After says when to try again.",
    503: "The service is not ready, or cannot store.",
    504: "The picture waited longer than the deadline.",
}
PICTURE: Json = {"schema": {"type": "string", "format": "binary"}}
PICTURE_TYPES = (*MEDIA_TYPES.values(), "application/octet-stream")


@blueprint.get("/openapi.json")
def show_openapi() -> Response:
    """Answer the description of the API."""
    return jsonify(describe())


def show_docs() -> str:
    """Show the description of the API as a page."""
    return render_template("docs.html", document=describe(), place="docs", operations=operations())


def operations() -> list[Json]:
    """Return every operation with its method and path, in the order of the document."""
    return [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in describe()["paths"].items()
        for method, operation in methods.items()
    ]


def describe() -> Json:
    """Return the OpenAPI 3.1 document."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in ANSWERS], by_alias=True, ref_template=REFERENCE
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Planimeter",
            "version": version("planimeter"),
            "summary": "How much of this picture is covered?",
            "description": (
                "Send a picture; every instance of what the model knows is found, masked and measured, the "
                "picture is drawn, and all is kept. Coverage is the exact union of the masks: overlapping "
                "masks never count twice. All links in answers are relative to the address that was requested."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "./", "description": "Where this document came from."}],
        "paths": _paths(),
        "components": {"schemas": schemas["$defs"]},
    }


def _paths() -> Json:
    measurements = "/api/v1/measurements"
    return {
        measurements: {"post": _create(), "get": _list(), "delete": _delete_many()},
        **_of_many(measurements),
        f"{measurements}/{{id}}": {
            "get": _operation(
                "Read a measurement",
                options.ReadOptions,
                {"200": _answer("The measurement.", answers.MeasurementAnswer)},
                errors=(400, 404, 409),
                path="id",
            ),
            "delete": _operation(
                "Delete a measurement with its pictures",
                options.NoOptions,
                {"204": {"description": "It is gone."}},
                errors=(400, 403, 404, 503),
                path="id",
            ),
        },
        f"{measurements}/{{id}}/image": {
            "get": _operation(
                "Get the picture as it was uploaded",
                options.NoOptions,
                {
                    "200": {
                        "description": "The bytes.",
                        "content": dict.fromkeys(MEDIA_TYPES.values(), PICTURE),
                    }
                },
                errors=(400, 404),
                path="id",
            )
        },
        f"{measurements}/{{id}}/overlay": {
            "get": _operation(
                "Get the drawn picture",
                options.OverlayOptions,
                {"200": _pictures("The drawn picture.", "image/png", "image/jpeg")},
                errors=(400, 404, 409),
                path="id",
            )
        },
        f"{measurements}/{{id}}/mask": {
            "get": _operation(
                "Get the mask as a picture",
                options.MaskOptions,
                {"200": _pictures("The mask.", "image/png")},
                errors=(400, 404, 409),
                path="id",
            )
        },
        f"{measurements}/{{id}}/coco": {
            "get": _operation(
                "Get the measurement as a COCO data set of one picture",
                options.ThresholdOptions,
                {
                    "200": {
                        "description": "As pycocotools reads it.",
                        "content": {"application/json": _object()},
                    }
                },
                errors=(400, 404, 409),
                path="id",
            )
        },
        f"{measurements}/{{id}}/instances": {
            "get": _operation(
                "List the instances in numbers, with the figures of their shapes",
                options.InstancesOptions,
                {"200": _instances()},
                errors=(400, 404, 409),
                path="id",
            )
        },
        f"{measurements}/{{id}}/candidates": {
            "get": _operation(
                "Get all that the network found, whatever it scored",
                options.NoOptions,
                {"200": _answer("The candidates, to choose from at any threshold.", PackedCandidates)},
                errors=(400, 404),
                path="id",
            )
        },
        "/api/v1/comparisons": {
            "get": _operation(
                "Compare two measurements of the same picture",
                options.ComparisonOptions,
                {"200": _answer("The comparison.", answers.ComparisonAnswer)},
                errors=(400, 404, 409),
            )
        },
        "/api/v1/comparisons/picture": {
            "get": _operation(
                "Get the difference of two measurements as a picture",
                options.DifferenceOptions,
                {"200": _pictures("The difference drawn.", "image/png", "image/jpeg")},
                errors=(400, 404, 409),
            )
        },
        "/api/v1/models": {
            "get": _operation(
                "List the models",
                options.NoOptions,
                {"200": _answer("All models.", answers.ModelList)},
                errors=(400,),
            )
        },
        "/api/v1/models/{name}": {
            "get": _operation(
                "Read all about a model",
                options.NoOptions,
                {"200": _answer("The model.", answers.ModelAnswer)},
                errors=(400, 404),
                path="name",
            )
        },
        "/api/v1/models/{name}/defaults": {
            "put": _operation(
                "Save the score threshold that a model takes where a request names none",
                options.DefaultsOptions,
                {"200": _answer("The model, with it.", answers.ModelAnswer)},
                errors=(400, 403, 404, 503),
                path="name",
            ),
            "delete": _operation(
                "Go back to the score threshold of the pack",
                options.NoOptions,
                {"200": _answer("The model, without it.", answers.ModelAnswer)},
                errors=(400, 403, 404, 503),
                path="name",
            ),
        },
        **_probes(),
    }


def _create() -> Json:
    form = _object_of(options.UploadOptions, leave_out="filename")
    form["properties"] = {FIELD: {"type": "string", "format": "binary"}, **form["properties"]}
    form["anyOf"] = [{"required": [FIELD]}, {"required": ["from"]}]
    drawn = {**PICTURE, "schema": {**PICTURE["schema"], "description": "The drawn picture."}}
    created = _answer("Measured and stored.", answers.MeasurementAnswer)
    created["content"] |= {"image/png": drawn, "image/jpeg": drawn}
    created["headers"] = {
        "Location": {
            "description": "Of the measurement.",
            "schema": {"type": "string", "format": "uri-reference"},
        },
        PERCENT_HEADER: {"description": "Percent of the picture masked.", "schema": {"type": "number"}},
    }
    operation = _operation(
        "Measure a picture",
        options.UploadOptions,
        {"201": created},
        errors=(400, 403, 404, 413, 415, 422, 429, 503, 504),
    )
    operation["description"] = (
        "Options go into the query or, with multipart, into form fields. With from, the picture is that of a stored "
        "measurement and none is sent. With Accept: image/png "
        f"or image/jpeg the answer is the drawn picture and the header {PERCENT_HEADER} gives the number."
    )
    operation["requestBody"] = {
        "required": False,
        "content": {
            "multipart/form-data": {"schema": form},
            **dict.fromkeys(PICTURE_TYPES, PICTURE),
        },
    }
    operation["responses"]["429"]["headers"] = {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
    }
    return operation


def _list() -> Json:
    page = _answer("A page of measurements.", answers.MeasurementList)
    page["content"]["text/csv"] = {"schema": {"type": "string"}}
    return _operation("List measurements, newest first", options.ListOptions, {"200": page}, errors=(400,))


def _delete_many() -> Json:
    return _operation(
        "Delete many measurements with their pictures",
        options.DeleteOptions,
        {"200": _answer("They are gone.", answers.Deleted)},
        errors=(400, 403, 409, 503),
    )


def _of_many(measurements: str) -> Json:
    """Return the operations that read the measurements that are meant as one file, or summed up."""
    archive = {"description": "The archive.", "content": {"application/zip": PICTURE}}
    table = {
        "description": "The table.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
    dataset = {"description": "As pycocotools reads it.", "content": {"application/json": _object()}}
    trend = _answer("The trend.", answers.TrendAnswer)
    statistics = _answer("The statistics.", answers.StatisticsAnswer)
    described = {
        "csv": ("Get measurements as a table", options.FilterOptions, table, (400,)),
        "coco": ("Get measurements as one COCO data set", options.FilterOptions, dataset, (400, 409)),
        "zip": (
            "Get the pictures of measurements as an archive",
            options.ArchiveOptions,
            archive,
            (400, 409),
        ),
        "trend": ("Get the percent masked over time", options.TrendOptions, trend, (400,)),
        "statistics": ("Get measurements summed up", options.StatisticsOptions, statistics, (400,)),
    }
    return {
        f"{measurements}/{name}": {"get": _operation(summary, kind, {"200": answer}, errors=errors)}
        for name, (summary, kind, answer, errors) in described.items()
    }


def _instances() -> Json:
    answer = _answer("The instances, by falling score.", answers.InstanceList)
    answer["content"]["text/csv"] = {"schema": {"type": "string"}}
    return answer


def _probes() -> Json:
    metrics = {
        "description": "Prometheus' text format.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    return {
        "/healthz": {
            "get": _operation(
                "Is the process alive?", None, {"200": _answer("It is.", answers.Health)}, errors=()
            )
        },
        "/readyz": {
            "get": _operation(
                "Can it measure and store?", None, {"200": _answer("Yes.", answers.Health)}, errors=(503,)
            )
        },
        "/metrics": {"get": _operation("How does it go?", None, {"200": metrics}, errors=())},
    }


def _operation(
    summary: str,
    kind: type[options.RequestOptions] | None,
    responses: Json,
    *,
    errors: tuple[int, ...],
    path: str | None = None,
) -> Json:
    parameters = [] if kind is None else _parameters(kind)
    if path is not None:
        parameters.insert(0, {"name": path, "in": "path", "required": True, "schema": {"type": "string"}})
    failures = {str(status): _answer(SENTENCES[status], answers.ErrorAnswer) for status in errors}
    return {"summary": summary, "parameters": parameters, "responses": {**responses, **failures}}


def _parameters(kind: type[options.RequestOptions]) -> list[Json]:
    needed = kind.model_json_schema(by_alias=True).get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for name, schema in _object_of(kind)["properties"].items()
    ]


def _object_of(kind: type[options.RequestOptions], *, leave_out: str = "") -> Json:
    schema = kind.model_json_schema(by_alias=True)
    properties = {
        name: _plain(entry) for name, entry in schema.get("properties", {}).items() if name != leave_out
    }
    return {"type": "object", "properties": properties}


def _plain(schema: Json) -> Json:
    """Return the schema of an option without what pydantic adds: titles, and null for "not given"."""
    schema = {key: value for key, value in schema.items() if key != "title"}
    kinds = [kind for kind in schema.pop("anyOf", []) if kind.get("type") != "null"]
    if kinds:
        schema.pop("default", None)
        schema |= kinds[0]
    return schema


def _answer(description: str, model: type[BaseModel]) -> Json:
    reference = {"$ref": REFERENCE.format(model=model.__name__)}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _pictures(description: str, *kinds: str) -> Json:
    return {"description": description, "content": dict.fromkeys(kinds, PICTURE)}


def _object() -> Json:
    return {"schema": {"type": "object"}}
