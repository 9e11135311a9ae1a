"""The small and the shown pictures of the pages."""

from functools import lru_cache
from io import BytesIO

from flask import Response, request, send_file
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from planimeter.drawing.encoding import encode_jpeg, encode_png
from planimeter.drawing.encoding import thumbnail as shrink
from planimeter.drawing.thumbnail import draw_thumbnail
from planimeter.masks.rle import rle_decode, rle_window
from planimeter.measuring.candidates import exact_mask
from planimeter.pictures.decode import decode
from planimeter.samples import Sample, find_sample
from planimeter.service.api.answering import send
from planimeter.service.api.options.measurements import ThresholdOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.context import context
from planimeter.service.measuring import record_at
from planimeter.service.models import Models
from planimeter.service.pages.site import blueprint
from planimeter.service.pictures import opened
from planimeter.service.roles import needs
from planimeter.store import Store

THUMBNAIL_SIDE = 320
THUMBNAIL_QUALITY = 85
SAMPLE_SIDE = 208
SAMPLE_QUALITY = 76
"""Of the samples on the home page: all of them together must load at once."""
NEVER_CHANGES = "private, max-age=31536000, immutable"


@blueprint.get("/measurements/<id>/thumbnail")
@needs("read")
def thumbnail(id: str) -> AnyResponse:  # noqa: A002
    """Send a small JPEG of the picture with what counts in it; what was deleted has none, whoever deleted it.

    Where another threshold than the measured one counts, the address says which (`at`), so that a browser may keep it.
    """
    parts = context()
    kept, region = parts.store.kept(id)
    asked = request.args.get("at")
    at = (
        kept
        if asked is None
        else parse(ThresholdOptions, MultiDict({"score_threshold": asked})).score_threshold
    )
    response = _picture_response(_drawn_small(parts.store, parts.models, id, at, region), "image/jpeg")
    if region != request.args.get("region") or (asked is None and kept is not None):
        response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/measurements/<id>/picture")
@needs("read")
def picture(id: str) -> AnyResponse:  # noqa: A002
    """Send the picture as it was measured, in a form that every browser shows.

    Browsers show no TIFF, and show 16 bits and transparency in their own ways: those are decoded here.
    """
    record = context().store.get(id)
    if record.measurement.image.format in {"JPEG", "WEBP"}:
        response = Response(content_type=f"image/{record.measurement.image.format.lower()}")
        send(response, context().store.file(record, "image"))
        response.headers["Cache-Control"] = NEVER_CHANGES
        return response
    with opened(context().store.read(record, "image")) as decoded:
        return _picture_response(encode_png(decoded.pixels), "image/png")


@blueprint.get("/samples/<name>/thumbnail")
@needs("read")
def sample_thumbnail(name: str) -> AnyResponse:
    """Send a small JPEG of a sample."""
    return _picture_response(_sample_thumbnail_of(find_sample(name)), "image/jpeg")


@lru_cache(maxsize=512)
def _drawn_small(
    store: Store, models: Models, id_: str, threshold: float | None, _region: str | None
) -> bytes:
    """Return the small picture; the region is what tells the one that is kept from others."""
    record = store.get(id_)
    record = record_at(record, record.measured_threshold if threshold is None else threshold)
    coverage, instances = record.measurement.coverage, record.measurement.instances
    with opened(store.read(record, "image")) as picture:
        small = draw_thumbnail(
            picture.pixels,
            [rle_window(exact_mask(entry)) for entry in instances],
            [entry.class_id for entry in instances],
            models.colors(record.measurement.model.name, len(coverage.by_class)),
            THUMBNAIL_SIDE,
            counted=None if coverage.counted is None else rle_decode(coverage.counted),
        )
    return encode_jpeg(small, THUMBNAIL_QUALITY)


@lru_cache(maxsize=32)
def _sample_thumbnail_of(sample: Sample) -> bytes:
    return shrink(decode(sample.read()).pixels, SAMPLE_SIDE, SAMPLE_QUALITY)


def _picture_response(data: bytes, mimetype: str) -> AnyResponse:
    response = send_file(BytesIO(data), mimetype)
    response.headers["Cache-Control"] = NEVER_CHANGES
    return response
