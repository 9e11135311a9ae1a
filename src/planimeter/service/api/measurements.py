"""The REST API under `/api/v1`: each route reads its options, asks the core or the store, and answers."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.metadata import version
from itertools import islice
from typing import AnyStr

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel
from werkzeug.exceptions import Forbidden

from planimeter.drawing.drawing import draw_measurement
from planimeter.drawing.encoding import encode_jpeg, encode_mask_png, encode_png
from planimeter.errors import TooMany
from planimeter.masks.rle import rle_window
from planimeter.masks.union import class_map, instance_map, union_mask
from planimeter.measuring.candidates import exact_mask
from planimeter.measuring.difference import difference, draw_difference, union
from planimeter.measuring.table import to_csv
from planimeter.pictures.decode import Limits, Picture, decode
from planimeter.service.api.answers import (
    ComparisonAnswer,
    Deleted,
    InstanceFigures,
    InstanceList,
    MeasurementList,
    ModelAnswer,
    ModelList,
    comparison_answer,
    instance_figures,
    measurement_answer,
    measurement_summary,
    model_answer,
    model_summary,
    statistics_answer,
    trend_answer,
)
from planimeter.service.api.exports import coco_of_one, write_coco, write_csv, write_zip
from planimeter.service.api.options import (
    MOST_AT_ONCE,
    ArchiveOptions,
    ComparisonOptions,
    DefaultsOptions,
    DeleteOptions,
    DifferenceOptions,
    FilterOptions,
    InstancesOptions,
    ListOptions,
    MaskOptions,
    NoOptions,
    OverlayOptions,
    ReadOptions,
    StatisticsOptions,
    ThresholdOptions,
    TrendOptions,
    parse,
)
from planimeter.service.context import Context, context
from planimeter.service.links import link
from planimeter.service.measuring import candidates_of, measure_upload, record_at, stored_upload
from planimeter.service.origin import PAGE_HEADER, from_other_site
from planimeter.service.uploads import read_upload
from planimeter.store import Filter, Record

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

PERCENT_HEADER = "Planimeter-Percent-Masked"
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
}
PAGE_LENGTH = 50


@blueprint.before_request
def refuse_foreign_pages() -> None:
    """Keep the pages of other sites from uploading or deleting here through a visitor's browser (CSRF)."""
    safe = request.method in {"GET", "HEAD", "OPTIONS"} or PAGE_HEADER in request.headers
    if not safe and from_other_site():
        raise Forbidden("a page of another site sent this request; open Planimeter's own page instead")


@blueprint.post("/measurements")
def create_measurement() -> Response:
    """Measure the picture in the request; answers JSON, or the drawn picture if that is accepted."""
    parts = context()
    data, filename, options = read_upload(request, parts.settings.max_bytes, stored_upload)
    record = measure_upload(data, filename, options)
    wanted = request.accept_mimetypes.best_match(
        ("application/json", "image/png", "image/jpeg"), default="application/json"
    )
    if wanted == "application/json":
        answer = _json(measurement_answer(record, options.mask_format), 201)
    else:
        drawn = OverlayOptions(format="png" if wanted == "image/png" else "jpeg")
        picture = _overlay(parts, record, drawn, as_stored=True)
        answer = Response(picture, 201, content_type=wanted)
    answer.headers["Location"] = link(".get_measurement", id=record.id)
    answer.headers[PERCENT_HEADER] = str(record.measurement.coverage.percent_masked)
    answer.vary.add("Accept")
    return answer


@blueprint.get("/measurements")
def list_measurements() -> Response:
    """List measurements, newest first, as JSON or as CSV."""
    options = parse(ListOptions, request.args)
    wanted = request.accept_mimetypes.best_match(("application/json", "text/csv"), default="application/json")
    answer = _list_csv(options) if wanted == "text/csv" else _list_json(options)
    answer.vary.add("Accept")
    return answer


def _list_json(options: ListOptions) -> Response:
    store = context().store
    limit = options.limit or PAGE_LENGTH
    records = store.list(options.filter, limit=limit + 1, before=options.before)
    more, records = len(records) > limit, records[:limit]
    following = {**request.args.to_dict(flat=False), "before": records[-1].id} if more else None
    return _json(
        MeasurementList(
            measurements=[measurement_summary(record) for record in records],
            count=store.count(options.filter),
            next_url=link(".list_measurements", **following) if following else None,
        )
    )


def _list_csv(options: ListOptions) -> Response:
    store = context().store
    records = islice(store.walk(options.filter, before=options.before), options.limit)
    return _file(write_csv(store, options.filter, records), "text/csv; charset=utf-8", "measurements.csv")


@blueprint.get("/measurements/csv")
def csv() -> Response:
    """Answer a table of the measurements that are meant, newest first."""
    return _list_csv(ListOptions(**parse(FilterOptions, request.args).model_dump()))


@blueprint.get("/measurements/coco")
def coco_of_many() -> Response:
    """Answer one COCO data set of the measurements that are meant."""
    wanted = parse(FilterOptions, request.args).filter
    _refuse_too_many(wanted)
    return _file(write_coco(context().store.walk(wanted)), "application/json", "measurements_coco.json")


@blueprint.get("/measurements/zip")
def zip_archive() -> Response:
    """Answer an archive of the pictures of the measurements that are meant."""
    options = parse(ArchiveOptions, request.args)
    _refuse_too_many(options.filter)
    store = context().store
    pieces = write_zip(store, options.filter, store.walk(options.filter), options.content)
    return _file(pieces, "application/zip", f"measurements_{options.content}.zip")


@blueprint.get("/measurements/trend")
def trend() -> Response:
    """Answer the percent masked over time."""
    options = parse(TrendOptions, request.args)
    parts = context()
    found = parts.store.trend(options.filter, most_buckets=options.buckets)
    return _json(trend_answer(found, parts.models.class_colors(found.classes)))


@blueprint.get("/measurements/statistics")
def statistics() -> Response:
    """Answer sums and spread of the measurements that are meant."""
    options = parse(StatisticsOptions, request.args)
    parts = context()
    found = parts.store.statistics(options.filter, limit_percent=options.limit_percent)
    colors = parts.models.class_colors(entry.name for entry in found.by_class)
    return _json(statistics_answer(found, colors, options.limit_percent))


@blueprint.delete("/measurements")
def delete_measurements() -> Response:
    """Delete the measurements that are meant, with their pictures, where they are as many as `count` says."""
    options = parse(DeleteOptions, request.args)
    return _json(Deleted(deleted=context().store.delete_many(options.filter, count=options.count)))


@blueprint.get("/comparisons")
def show_comparison() -> Response:
    """Answer how two measurements of the same picture differ."""
    options = parse(ComparisonOptions, request.args)
    return _json(compared(options.first, options.second))


def compared(first: str, second: str) -> ComparisonAnswer:
    """Return the comparison of the measurements with two ids."""
    parts = context()
    one, other = parts.store.get(first), parts.store.get(second)
    classes = (*one.measurement.coverage.by_class, *other.measurement.coverage.by_class)
    colors = parts.models.class_colors(entry.class_name for entry in classes)
    return comparison_answer(one, other, colors)


@blueprint.get("/comparisons/picture")
def show_difference() -> Response:
    """Answer the difference drawn."""
    options = parse(DifferenceOptions, request.args)
    store = context().store
    one, other = store.get(options.first), store.get(options.second)
    difference(one.measurement, other.measurement)  # refuses different pictures
    name = f"{one.files.stem}_difference.{'jpg' if options.format == 'jpeg' else 'png'}"

    def drawn() -> bytes:
        pixels = draw_difference(_picture(one).pixels, union(one.measurement), union(other.measurement))
        return encode_png(pixels) if options.format == "png" else encode_jpeg(pixels)

    return _unchanging(one, f"image/{options.format}", name, drawn)


def _refuse_too_many(wanted: Filter) -> None:
    found = context().store.count(wanted)
    if found > MOST_AT_ONCE:
        raise TooMany(
            f"{found:,} measurements are meant, one file takes at most {MOST_AT_ONCE:,}; narrow them down, for "
            "example with since and until"
        )


def _file(pieces: Iterator[AnyStr], content_type: str, filename: str) -> Response:
    """Answer a file that is written while it is sent."""
    answer = Response(pieces, content_type=content_type)
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


@blueprint.get("/measurements/<id>")
def get_measurement(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer one measurement."""
    options = parse(ReadOptions, request.args)
    record = record_at(context().store.get(id), options.score_threshold)
    return _json(measurement_answer(record, options.mask_format, options.score_threshold))


@blueprint.delete("/measurements/<id>")
def delete_measurement(id: str) -> Response:  # noqa: A002
    """Delete a measurement with its pictures."""
    parse(NoOptions, request.args)
    context().store.delete(id)
    return Response(status=204)


@blueprint.get("/measurements/<id>/image")
def image(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the picture as it was uploaded."""
    parse(NoOptions, request.args)
    record = context().store.get(id)
    kind = MEDIA_TYPES.get(record.measurement.image.format, "application/octet-stream")
    return _unchanging(record, kind, record.files.image, lambda: context().store.read(record, "image"))


@blueprint.get("/measurements/<id>/overlay")
def overlay(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the drawn picture."""
    options = parse(OverlayOptions, request.args)
    parts = context()
    stored = parts.store.get(id)
    record = record_at(stored, options.score_threshold)
    name = f"{record.files.stem}_overlay.{'jpg' if options.format == 'jpeg' else 'png'}"
    return _unchanging(
        record,
        f"image/{options.format}",
        name,
        lambda: _overlay(parts, record, options, as_stored=record is stored),
    )


@blueprint.get("/measurements/<id>/mask")
def mask(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the mask picture."""
    options = parse(MaskOptions, request.args)
    stored = context().store.get(id)
    record = record_at(stored, options.score_threshold)
    name = record.files.mask if options.kind == "binary" else f"{record.files.stem}_mask_{options.kind}.png"
    return _unchanging(record, "image/png", name, lambda: _mask(record, options, as_stored=record is stored))


@blueprint.get("/measurements/<id>/coco")
def coco(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the measurement as a COCO data set of one picture."""
    options = parse(ThresholdOptions, request.args)
    record = record_at(context().store.get(id), options.score_threshold)
    name = f"{record.files.stem}_coco.json"
    return _unchanging(
        record, "application/json", name, lambda: jsonify(coco_of_one(record.measurement)).data
    )


@blueprint.get("/measurements/<id>/instances")
def list_instances(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the instances in numbers, with the figures of their shapes."""
    options = parse(InstancesOptions, request.args)
    record = record_at(context().store.get(id), options.score_threshold)
    figures = [instance_figures(entry) for entry in record.measurement.instances]
    if options.format == "json":
        return _json(InstanceList(instances=figures))
    answer = Response(to_csv(map(_instance_row, figures)), content_type="text/csv; charset=utf-8")
    name = f"{record.files.stem}_instances.csv"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _instance_row(figures: InstanceFigures) -> dict[str, str | int | float]:
    values = figures.model_dump(by_alias=True)
    box = dict(zip(("x", "y", "width", "height"), values.pop("bbox"), strict=True))
    return {name: "" if value is None else value for name, value in (values | box).items()}


@blueprint.get("/measurements/<id>/candidates")
def candidates(id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer all that the network found, so that a client can choose at any threshold by itself."""
    parse(NoOptions, request.args)
    record = context().store.get(id)
    name = f"{record.files.stem}_candidates.json"
    return _unchanging(
        record, "application/json", name, lambda: candidates_of(record).model_dump_json().encode()
    )


@blueprint.get("/models")
def list_models() -> Response:
    """List the models that can measure here."""
    parse(NoOptions, request.args)
    models, saved = context().models, context().store.thresholds()
    listed = [model_summary(pack, models.default, saved.get(pack.name)) for pack in models.packs().values()]
    return _json(ModelList(default=models.default, models=listed))


@blueprint.get("/models/<name>")
def show_model(name: str) -> Response:
    """Answer all about one model."""
    parse(NoOptions, request.args)
    return _json(_model_answer(name))


@blueprint.put("/models/<name>/defaults")
def save_defaults(name: str) -> Response:
    """Save what a measurement with this model takes where its request names nothing."""
    options = parse(DefaultsOptions, request.args, request.form)
    parts = context()
    parts.store.save_threshold(parts.models.find(name).name, options.score_threshold)
    return _json(_model_answer(name))


@blueprint.delete("/models/<name>/defaults")
def reset_defaults(name: str) -> Response:
    """Go back to the model's own."""
    parse(NoOptions, request.args)
    parts = context()
    parts.store.save_threshold(parts.models.find(name).name, None)
    return _json(_model_answer(name))


def _model_answer(name: str) -> ModelAnswer:
    parts = context()
    pack = parts.models.find(name)
    return model_answer(pack, parts.models.default, parts.store.thresholds().get(pack.name))


def _overlay(parts: Context, record: Record, options: OverlayOptions, *, as_stored: bool) -> bytes:
    if as_stored and (options.style, options.format) == ("fill", "png"):
        return parts.store.read(record, "overlay")
    measurement = record.measurement
    colors = parts.models.colors(measurement.model.name, len(measurement.coverage.by_class))
    drawn = draw_measurement(_picture(record).pixels, measurement, colors, options.style)
    return encode_png(drawn) if options.format == "png" else encode_jpeg(drawn)


def _mask(record: Record, options: MaskOptions, *, as_stored: bool) -> bytes:
    if as_stored and options.kind == "binary":
        return context().store.read(record, "mask")
    image, instances = record.measurement.image, record.measurement.instances
    masks = [rle_window(exact_mask(entry)) for entry in instances]
    if options.kind == "binary":
        return encode_mask_png(union_mask(masks, image.height, image.width))
    if options.kind == "instance":
        return encode_mask_png(instance_map(masks, image.height, image.width))
    labels = [entry.class_id for entry in instances]
    return encode_mask_png(class_map(masks, labels, image.height, image.width))


def _picture(record: Record) -> Picture:
    """Decode the stored upload; it was within the limits when it came, whatever they are today."""
    data = context().store.read(record, "image")
    image = record.measurement.image
    longest = max(image.width, image.height)
    return decode(data, limits=Limits(max(1, len(data)), image.width * image.height, longest))


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(by_alias=True) + "\n", status, content_type="application/json")


def _unchanging(record: Record, content_type: str, filename: str, make: Callable[[], bytes]) -> Response:
    """Answer something that never changes while it exists: the client may keep it, and need not ask again."""
    what = f"{record.id} {request.full_path} {version('planimeter')}"
    answer = Response(content_type=content_type)
    answer.set_etag(sha256(what.encode()).hexdigest()[:32])
    answer.cache_control.private = True
    answer.cache_control.max_age = 365 * 24 * 3600
    answer.cache_control.immutable = True
    answer.headers.set("Content-Disposition", "inline", filename=filename)
    if request.if_none_match.contains(answer.get_etag()[0] or ""):
        answer.status_code = 304
    else:
        answer.set_data(make())
    return answer
