"""`/openapi.json`, made from the models that check options and make answers; `/docs`, made from it."""

import re
from importlib.metadata import version

from flask import Blueprint, Response, jsonify, render_template
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from planimeter.corrections import Correction
from planimeter.jobs.plan import TrainingPlan
from planimeter.measuring.candidates import PackedCandidates
from planimeter.measuring.profile import Profile
from planimeter.service.access import COOKIE
from planimeter.service.api import (
    audit,
    comparisons,
    corrections,
    datasets,
    details,
    for_programs,
    instances,
    jobs,
    lots,
    many,
    measurements,
    models,
    pictures,
    pins,
    profiles,
    region,
    review_queue,
    scale,
    thresholds,
    trash,
)
from planimeter.service.api.answering import MEDIA_TYPES
from planimeter.service.api.answers.base import ErrorAnswer, Health
from planimeter.service.api.answers.comparisons import ComparisonAnswer
from planimeter.service.api.answers.corrections import CorrectionList
from planimeter.service.api.answers.drift import DriftAnswer
from planimeter.service.api.answers.jobs import JobAnswer, JobList, VersionList
from planimeter.service.api.answers.lots import LotAnswer, LotList
from planimeter.service.api.answers.many import Deleted, LineList, StatisticsAnswer
from planimeter.service.api.answers.measurements import (
    InstanceList,
    MeasurementAnswer,
    MeasurementList,
    NeighboursAnswer,
)
from planimeter.service.api.answers.models import ModelAnswer, ModelList
from planimeter.service.api.answers.profiles import ProfileAnswer, ProfileList
from planimeter.service.api.answers.trend import TrendAnswer
from planimeter.service.api.described import PICTURE, REFERENCE, Json, Operation, answer_of
from planimeter.service.api.options.parsing import RequestOptions, can_contradict
from planimeter.service.api.routes import api
from planimeter.service.inference import messages
from planimeter.service.inference.routes import inference
from planimeter.service.label_studio import messages as studio
from planimeter.service.label_studio.routes import label_studio
from planimeter.service.probes import probes
from planimeter.service.roles import needs
from planimeter.service.uploads import FIELD, MASK_FIELD

blueprint = Blueprint("openapi", __name__)

RESOURCES = (
    measurements,
    pictures,
    instances,
    thresholds,
    scale,
    details,
    region,
    corrections,
    review_queue,
    many,
    for_programs,
    datasets,
    comparisons,
    lots,
    models,
    profiles,
    jobs,
    pins,
    trash,
    audit,
)
"""The modules that route to the API; importing them is what makes their routes known."""
ANSWERS: tuple[type[BaseModel], ...] = (
    ErrorAnswer,
    Health,
    InstanceList,
    MeasurementAnswer,
    MeasurementList,
    ModelAnswer,
    ModelList,
    PackedCandidates,
    ComparisonAnswer,
    Deleted,
    StatisticsAnswer,
    TrendAnswer,
    NeighboursAnswer,
    LineList,
    LotAnswer,
    LotList,
    ProfileAnswer,
    ProfileList,
    CorrectionList,
    JobAnswer,
    JobList,
    VersionList,
    DriftAnswer,
    review_queue.QueueAnswer,
    trash.TrashList,
    trash.Restored,
    messages.InferenceAnswer,
    messages.InferenceProblem,
    messages.Live,
    messages.InferenceModel,
    messages.ModelReady,
    messages.Ready,
    messages.InferenceServer,
    studio.HealthAnswer,
    studio.PredictAnswer,
    studio.SetupAnswer,
    studio.Told,
    studio.Versions,
)
BODIES: tuple[type[BaseModel], ...] = (
    Profile,
    Correction,
    TrainingPlan,
    messages.InferenceRequest,
    studio.PredictRequest,
    studio.Said,
    studio.SetupRequest,
)
SENTENCES = {
    400: "A wrong option, or no picture in the request.",
    401: "The service asks for a key, and none that it knows was sent.",
    403: "The role of the key does not allow it, or a page of another site sent the request.",
    404: "Nothing is there, or no model, version or profile has that name.",
    408: "The client left before its turn came.",
    409: "Options contradict each other, or what is kept does not allow it: a page that goes on after a measurement "
    "that is gone, lower scores than were kept, another number of measurements than the request says, more than it "
    "can take, measurements of different pictures, the key of another request, a measurement that was corrected "
    "meanwhile, or a job in another state.",
    413: "The upload has too many bytes.",
    415: "Not a type of picture that is read.",
    416: "The picture has none of the bytes that `Range` asks for.",
    421: "The Host of the request is not one under which the service is reached.",
    422: "The picture cannot be decoded, or has too many pixels.",
    429: "The queue is full, or too much came from this key or address; Retry-After says when to try again.",
    503: "The service is not ready, cannot store, or cannot train.",
    504: "The picture waited longer than the deadline.",
    507: "There is no room left: what is stored has reached its limit, or the disk is full.",
}
SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of planimeter keys add."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Of a browser in which a key was entered once, at key.",
    },
}
ROLE = "x-role"
ASKED = (401, 403, 429)
"""What may be answered to a request that needs a role."""
_BASE64: Json = {
    "type": "string",
    "format": "byte",
    "contentEncoding": "base64",
    "description": "The picture's file as base64, also as a data: URL.",
}
PICTURE_TYPES = (*MEDIA_TYPES.values(), "application/octet-stream")


@blueprint.get("/openapi.json")
@needs("read")
def show_openapi() -> Response:
    """Answer the description of the API."""
    return jsonify(describe())


@needs("read")
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
        [*((model, "serialization") for model in ANSWERS), *((model, "validation") for model in BODIES)],
        by_alias=True,
        ref_template=REFERENCE,
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
                "masks never count twice. All links in answers are relative to the address that was requested. "
                "A service that others than the people of its machine reach asks for a key; each operation says "
                "which role it needs: read, measure (also reads) or admin (may do all)."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "./", "description": "Where this document came from."}],
        "paths": _paths(),
        "security": [{name: []} for name in SECURITY] + [{}],
        "components": {"schemas": schemas["$defs"], "securitySchemes": SECURITY},
    }


def _paths() -> Json:
    paths: dict[str, Json] = {}
    for operation in (*api.operations, *inference.operations, *label_studio.operations, *probes.operations):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation)
    return paths


def _describe(operation: Operation) -> Json:
    parameters = [] if operation.options is None else parameters_of(operation.options)
    if operation.uploads:  # with it there is no body, which the document could not say of a query
        parameters = [entry for entry in parameters if entry["name"] != "from"]
    for name in reversed(re.findall(r"{(\w+)}", operation.path)):
        place = {"type": "string", **operation.places.get(name, {})}
        parameters.insert(0, {"name": name, "in": "path", "required": True, "schema": place})
    failures = {
        str(status): answer_of(SENTENCES[status], operation.problem) for status in _failures(operation)
    }
    if "429" in failures:
        failures["429"]["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
        }
    described = {
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {str(operation.status): operation.answer, **failures},
        ROLE: operation.role,
    }
    if operation.role == "open":
        described["security"] = []
    if operation.description:
        described["description"] = operation.description
    if operation.uploads and operation.options is not None:
        described["requestBody"] = _upload(operation.options)
    elif operation.options is not None and MASK_FIELD in operation.options.model_fields:
        described["requestBody"] = {
            "content": {"multipart/form-data": {"schema": _form_of(operation.options)}}
        }
    if operation.body is not None:
        schema = {"$ref": REFERENCE.format(model=operation.body.__name__)}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _failures(operation: Operation) -> list[int]:
    """Return the statuses of errors: those of the view, and those of what comes before it."""
    found = {*operation.errors, 421}
    if operation.role != "open":
        found.update(ASKED)
    if operation.options is not None and can_contradict(operation.options):
        found.add(409)
    return sorted(found)


def _upload(kind: type[RequestOptions]) -> Json:
    """Describe a picture that comes with its options as a form, or alone."""
    form = _form_of(kind)
    binary = {"type": "string", "format": "binary"}
    form["properties"] = {FIELD: binary, **form["properties"]}
    form["anyOf"] = [{"required": [FIELD]}, {"required": ["from"]}]
    in_json = _object_of(kind)
    in_json["properties"] = {FIELD: _BASE64, **in_json["properties"]}
    in_json["anyOf"] = form["anyOf"]
    content = {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": in_json},
        **dict.fromkeys(PICTURE_TYPES, PICTURE),
    }
    return {"required": True, "content": content}


def _form_of(kind: type[RequestOptions]) -> Json:
    """Describe options in a form, in which a mask is a file."""
    form = _object_of(kind, leave_out="filename")
    if MASK_FIELD in form["properties"]:
        form["properties"][MASK_FIELD] |= {"format": "binary"}
    return form


def parameters_of(kind: type[RequestOptions]) -> list[Json]:
    """Describe options in a query."""
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


def _object_of(kind: type[RequestOptions], *, leave_out: str = "") -> Json:
    schema = kind.model_json_schema(by_alias=True)
    properties = {
        name: _plain(entry) for name, entry in schema.get("properties", {}).items() if name != leave_out
    }
    for name in kind.never_empty & properties.keys():
        if properties[name].get("type") == "string" and "enum" not in properties[name]:
            properties[name] = {"minLength": 1} | properties[name]
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _plain(schema: Json) -> Json:
    """Return the schema of an option without what pydantic adds: titles, and null for "not given"."""
    schema = {key: value for key, value in schema.items() if key != "title"}
    kinds = [kind for kind in schema.pop("anyOf", []) if kind.get("type") != "null"]
    if kinds:
        schema.pop("default", None)
        schema |= kinds[0]
    return schema
