"""Measurements: one picture measured, read, found among others, deleted."""

from flask import Response, current_app, request
from werkzeug.exceptions import MethodNotAllowed

from planimeter.service.api.answering import json_answer, send
from planimeter.service.api.answers.measurements import (
    MeasurementAnswer,
    MeasurementList,
    NeighboursAnswer,
    measurement_answer,
    measurement_summary,
)
from planimeter.service.api.described import PICTURE, TEXT, Json, answer_of
from planimeter.service.api.many import csv_answer
from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.many import ListOptions
from planimeter.service.api.options.measurements import OverlayOptions, ReadOptions
from planimeter.service.api.options.trash import DeletingOptions
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.service.api.pictures import drawn_picture
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.deleting import delete
from planimeter.service.links import link
from planimeter.service.measuring import measure_upload, record_at, stored_upload
from planimeter.service.pictures import admitted
from planimeter.service.repeats import HEADER
from planimeter.service.uploads import read_upload

PERCENT_HEADER = "Planimeter-Percent-Masked"
PAGE_LENGTH = 50


def _created() -> Json:
    """Describe the answer to an upload: JSON, or the drawn picture itself."""
    described = answer_of("Measured and stored.", MeasurementAnswer)
    drawn = {**PICTURE, "schema": {**PICTURE["schema"], "description": "The drawn picture."}}
    described["content"] |= {"image/png": drawn, "image/jpeg": drawn}
    described["headers"] = {
        "Location": {
            "description": "Of the measurement.",
            "schema": {"type": "string", "format": "uri-reference"},
        },
        PERCENT_HEADER: {
            "description": "Percent masked; not there where nothing was found of the class that it would be of.",
            "schema": {"type": "number"},
        },
    }
    return described


_HOW_TO_SEND = (
    "Options go into the query or, with multipart, into form fields; with JSON they stand beside the base64 of the "
    "picture. Any body may come packed (Content-Encoding: gzip); the limit of bytes holds for what it is unpacked. "
    "With from, the picture is that of a stored measurement and none is sent; in the query, from needs no body at "
    "all. With Accept: image/png or image/jpeg the answer is the drawn picture and the header "
    f"{PERCENT_HEADER} gives the number. A request that is sent again "
    f"with the same {HEADER} (1 to 255 characters, a UUID for example) answers the measurement of the first."
)


@api.route(
    "POST",
    "/measurements",
    "Measure a picture",
    _created(),
    role="measure",
    options=UploadOptions,
    status=201,
    errors=(400, 403, 404, 408, 409, 413, 415, 422, 429, 503, 504, 507),
    uploads=True,
    description=_HOW_TO_SEND,
)
def create_measurement() -> Response:
    """Measure the picture in the request; answers JSON, or the drawn picture if that is accepted."""
    parts = context()
    with admitted() as place:
        data, filename, options = read_upload(request, parts.settings.max_bytes, stored_upload)
        record = measure_upload(place, data, filename, options, request.headers.get(HEADER))
    wanted = request.accept_mimetypes.best_match(
        ("application/json", "image/png", "image/jpeg"), default="application/json"
    )
    if wanted == "application/json":
        answer = json_answer(measurement_answer(record, options.mask_format), 201)
    else:
        drawn = OverlayOptions(format="png" if wanted == "image/png" else "jpeg")
        picture = drawn_picture(record, drawn, as_stored=True)
        answer = Response(status=201, content_type=wanted)
        send(answer, picture)
    answer.headers["Location"] = link(".get_measurement", id=record.id)
    percent_masked = record.measurement.coverage.percent_masked
    if percent_masked is not None:
        answer.headers[PERCENT_HEADER] = str(percent_masked)
    answer.vary.add("Accept")
    return answer


@api.get(
    "/measurements",
    "List measurements",
    answer_of("A page of measurements.", MeasurementList, **{"text/csv": TEXT}),
    role="read",
    options=ListOptions,
    errors=(400, 409),
)
def list_measurements(options: ListOptions) -> Response:
    """List measurements, as JSON or as CSV."""
    wanted = request.accept_mimetypes.best_match(("application/json", "text/csv"), default="application/json")
    answer = csv_answer(options) if wanted == "text/csv" else _list_json(options)
    answer.vary.add("Accept")
    return answer


def _list_json(options: ListOptions) -> Response:
    store = context().store
    limit = options.limit or PAGE_LENGTH
    records = store.list(options.filter, limit=limit + 1, before=options.before, order=options.order)
    more, records = len(records) > limit, records[:limit]
    following = {**request.args.to_dict(flat=False), "before": records[-1].id} if more else None
    return json_answer(
        MeasurementList(
            measurements=[measurement_summary(record) for record in records],
            count=store.count(options.filter),
            next_url=link(".list_measurements", **following) if following else None,
        )
    )


@api.get(
    "/measurements/<id>",
    "Read a measurement",
    answer_of("The measurement.", MeasurementAnswer),
    role="read",
    options=ReadOptions,
    errors=(400, 404, 409),
)
def get_measurement(options: ReadOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer one measurement."""
    record = record_at(context().store.get(id), options.score_threshold)
    return json_answer(measurement_answer(record, options.mask_format, options.score_threshold))


@api.get(
    "/measurements/<id>/neighbours",
    "Find what comes before and after a measurement",
    answer_of("Its place among those that match.", NeighboursAnswer),
    role="read",
    options=OrderOptions,
    errors=(400, 404),
)
def neighbours(options: OrderOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer where a measurement stands among those that match, and the ones before and after it."""
    store = context().store
    around = store.around(store.get(id).id, options.filter, options.order, reach=1)
    return json_answer(
        NeighboursAnswer(
            position=around.position,
            count=around.count,
            previous=measurement_summary(store.get(around.earlier[-1].id)) if around.earlier else None,
            next=measurement_summary(store.get(around.later[0].id)) if around.later else None,
        )
    )


@api.route(
    "DELETE",
    "/measurements/<id>",
    "Delete a measurement with its pictures",
    {"description": "It is in the trash, or gone for good."},
    role="admin",
    options=DeletingOptions,
    status=204,
    errors=(400, 403, 404, 503, 507),
    description="For the days of --keep-trash-days, POST /trash/ID/restore brings it back.",
)
def delete_measurement(options: DeletingOptions, id: str) -> Response:  # noqa: A002
    """Delete a measurement with its pictures."""
    if any(rule.rule == request.path for rule in current_app.url_map.iter_rules()):  # csv, zip, … are no ids
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])
    delete(id, for_good=options.for_good)
    return Response(status=204)
