"""Measurements: one picture measured, read, drawn, taken away, deleted."""

from collections.abc import Sequence
from typing import BinaryIO

from flask import Response, current_app, jsonify, request
from werkzeug.exceptions import MethodNotAllowed

from planimeter.exports.coco import of_one
from planimeter.measuring.candidates import PackedCandidates
from planimeter.measuring.table import to_csv
from planimeter.service.api.answering import MEDIA_TYPES, json_answer, send, unchanging
from planimeter.service.api.answers import (
    InstanceFigures,
    InstanceList,
    MeasurementAnswer,
    MeasurementList,
    NeighboursAnswer,
    instance_figures,
    measurement_answer,
    measurement_summary,
)
from planimeter.service.api.described import PICTURE, TEXT, Json, answer_of, coco_file, pictures
from planimeter.service.api.exports import sources
from planimeter.service.api.many import csv_answer
from planimeter.service.api.options import (
    DeletingOptions,
    InstancesOptions,
    KeptOptions,
    ListOptions,
    MaskOptions,
    NoOptions,
    OrderOptions,
    OverlayOptions,
    ReadOptions,
    ThresholdOptions,
    UploadOptions,
)
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.deleting import delete
from planimeter.service.drawn import mask_of, overlay_of
from planimeter.service.keeping import keep_threshold
from planimeter.service.links import link
from planimeter.service.measuring import candidates_of, measure_upload, record_at, stored_upload
from planimeter.service.pictures import admitted
from planimeter.service.repeats import HEADER
from planimeter.service.uploads import read_upload
from planimeter.store import Record

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
        PERCENT_HEADER: {"description": "Percent of the picture masked.", "schema": {"type": "number"}},
    }
    return described


_HOW_TO_SEND = (
    "Options go into the query or, with multipart, into form fields; with JSON they stand beside the base64 of the "
    "picture. Any body may come packed (Content-Encoding: gzip); the limit of bytes holds for what it is unpacked. "
    "With from, the picture is that of a stored measurement and none is sent. With Accept: image/png or image/jpeg "
    f"the answer is the drawn picture and the header {PERCENT_HEADER} gives the number. A request that is sent again "
    f"with the same {HEADER} (1 to 255 characters, a UUID for example) answers the measurement of the first."
)


@api.route(
    "POST",
    "/measurements",
    "Measure a picture",
    _created(),
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
        picture = _overlay(record, drawn, as_stored=True)
        answer = Response(status=201, content_type=wanted)
        send(answer, picture)
    answer.headers["Location"] = link(".get_measurement", id=record.id)
    answer.headers[PERCENT_HEADER] = str(record.measurement.coverage.percent_masked)
    answer.vary.add("Accept")
    return answer


@api.get(
    "/measurements",
    "List measurements",
    answer_of("A page of measurements.", MeasurementList, **{"text/csv": TEXT}),
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


@api.get(
    "/measurements/<id>/image",
    "Get the picture as it was uploaded",
    pictures("The bytes.", *MEDIA_TYPES.values()),
    errors=(400, 404),
)
def image(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the picture as it was uploaded."""
    record = context().store.get(id)
    kind = MEDIA_TYPES.get(record.measurement.image.format, "application/octet-stream")
    return unchanging(record, kind, record.files.image, lambda: context().store.stream(record, "image"))


@api.get(
    "/measurements/<id>/overlay",
    "Get the drawn picture",
    pictures("The drawn picture.", "image/png", "image/jpeg"),
    options=OverlayOptions,
    errors=(400, 404, 409),
)
def overlay(options: OverlayOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the drawn picture."""
    stored = context().store.get(id)
    record = record_at(stored, options.score_threshold)
    name = f"{record.files.stem}_overlay.{'jpg' if options.format == 'jpeg' else 'png'}"
    return unchanging(
        record,
        f"image/{options.format}",
        name,
        lambda: _overlay(record, options, as_stored=record is stored),
        follows=following(options, record),
    )


@api.get(
    "/measurements/<id>/mask",
    "Get the mask as a picture",
    pictures("The mask.", "image/png"),
    options=MaskOptions,
    errors=(400, 404, 409),
)
def mask(options: MaskOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the mask picture."""
    stored = context().store.get(id)
    record = record_at(stored, options.score_threshold)
    name = record.files.mask if options.kind == "binary" else f"{record.files.stem}_mask_{options.kind}.png"
    return unchanging(
        record,
        "image/png",
        name,
        lambda: _mask(record, options, as_stored=record is stored),
        follows=following(options, record),
    )


@api.get(
    "/measurements/<id>/coco",
    "Get the measurement as a COCO data set of one picture",
    coco_file(),
    options=ThresholdOptions,
    errors=(400, 404, 409),
)
def coco(options: ThresholdOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the measurement as a COCO data set of one picture."""
    record = record_at(context().store.get(id), options.score_threshold)
    name = f"{record.files.stem}_coco.json"
    return unchanging(
        record,
        "application/json",
        name,
        lambda: jsonify(of_one(next(sources([record])))).data,
        follows=following(options, record),
    )


@api.get(
    "/measurements/<id>/instances",
    "List the instances in numbers, with the figures of their shapes",
    answer_of("The instances, by falling score.", InstanceList, **{"text/csv": TEXT}),
    options=InstancesOptions,
    errors=(400, 404, 409),
)
def list_instances(options: InstancesOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the instances in numbers, with the figures of their shapes."""
    record = record_at(context().store.get(id), options.score_threshold)
    figures = [instance_figures(entry) for entry in record.measurement.instances]
    if options.format == "json":
        return json_answer(InstanceList(instances=figures))
    answer = Response(
        to_csv(map(_instance_row, figures), options.csv_style), content_type="text/csv; charset=utf-8"
    )
    name = f"{record.files.stem}_instances.csv"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _instance_row(figures: InstanceFigures) -> dict[str, str | int | float]:
    values = figures.model_dump(by_alias=True)
    box = dict(zip(("x", "y", "width", "height"), values.pop("bbox"), strict=True))
    return {name: "" if value is None else value for name, value in (values | box).items()}


@api.get(
    "/measurements/<id>/candidates",
    "Get all that the network found, whatever it scored",
    answer_of("The candidates, to choose from at any threshold.", PackedCandidates),
    errors=(400, 404),
)
def candidates(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer all that the network found, so that a client can choose at any threshold by itself."""
    record = context().store.get(id)
    name = f"{record.files.stem}_candidates.json"
    return unchanging(
        record, "application/json", name, lambda: candidates_of(record).model_dump_json().encode()
    )


@api.route(
    "PUT",
    "/measurements/<id>/threshold",
    "Keep a score threshold for a measurement",
    answer_of("The measurement at it.", MeasurementAnswer),
    options=KeptOptions,
    errors=(400, 403, 404, 409, 503),
    description="From then on the measurement counts at this threshold everywhere: its numbers and pictures, lists, "
    "tables, trend, statistics and reports. The network does not run again. What was measured stays stored beside it; "
    "measured_threshold tells with which threshold, and DELETE goes back to that.",
)
def keep(options: KeptOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Let a measurement count at another score threshold from now on."""
    return json_answer(measurement_answer(keep_threshold(id, options.score_threshold), "none"))


@api.route(
    "DELETE",
    "/measurements/<id>/threshold",
    "Go back to the score threshold that a measurement was measured with",
    answer_of("The measurement as it was measured.", MeasurementAnswer),
    errors=(400, 403, 404, 503),
)
def keep_none(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Go back to what was measured."""
    return json_answer(measurement_answer(keep_threshold(id, None), "none"))


def following(options: ThresholdOptions, record: Record) -> Sequence[Record]:
    """Return the records whose kept threshold an answer follows: none where the request names a threshold."""
    return () if options.score_threshold is not None else (record,)


def _overlay(record: Record, options: OverlayOptions, *, as_stored: bool) -> bytes | BinaryIO:
    if as_stored and (options.style, options.format) == ("fill", "png"):
        return context().store.stream(record, "overlay")
    return overlay_of(record, options.style, options.format)


def _mask(record: Record, options: MaskOptions, *, as_stored: bool) -> bytes | BinaryIO:
    if as_stored and options.kind == "binary":
        return context().store.stream(record, "mask")
    return mask_of(record, options.kind)
