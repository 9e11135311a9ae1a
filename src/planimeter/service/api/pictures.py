"""The pictures of one measurement: as uploaded, drawn, and its mask."""

from flask import Response

from planimeter.service.api.answering import MEDIA_TYPES, unchanging
from planimeter.service.api.described import pictures
from planimeter.service.api.exports import carried_by, corrected_name
from planimeter.service.api.options.measurements import MaskOptions, OverlayOptions
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.drawn import mask_of, overlay_of
from planimeter.service.measuring import record_at
from planimeter.store import Record, StoredFile


@api.get(
    "/measurements/<id>/image",
    "Get the picture as it was uploaded",
    pictures("The bytes, or with `Range` one part of them (206).", *MEDIA_TYPES.values()),
    role="read",
    errors=(400, 404, 416),
)
def image(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the picture as it was uploaded."""
    record = context().store.get(id)
    kind = MEDIA_TYPES.get(record.measurement.image.format, "application/octet-stream")
    return unchanging(record, kind, record.files.image, lambda: context().store.file(record, "image"))


@api.get(
    "/measurements/<id>/overlay",
    "Get the drawn picture",
    pictures("The drawn picture, or a part where it is as stored.", "image/png", "image/jpeg"),
    role="read",
    options=OverlayOptions,
    errors=(400, 404, 409, 416),
)
def overlay(options: OverlayOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the drawn picture."""
    stored = context().store.get(id)
    record = record_at(stored, options.score_threshold).with_figures(options.figures)
    said = "" if carried_by(record, options.figures) == "measured" else "_corrected"
    name = f"{record.files.stem}_overlay{said}.{'jpg' if options.format == 'jpeg' else 'png'}"
    return unchanging(
        record,
        f"image/{options.format}",
        name,
        lambda: drawn_picture(record, options, as_stored=record is stored),
        follows=(record,),
    )


@api.get(
    "/measurements/<id>/mask",
    "Get the mask as a picture",
    pictures("The mask.", "image/png"),
    role="read",
    options=MaskOptions,
    errors=(400, 404, 409, 416),
)
def mask(options: MaskOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the mask picture."""
    stored = context().store.get(id)
    record = record_at(stored, options.score_threshold).with_figures(options.figures)
    name = record.files.mask if options.kind == "binary" else f"{record.files.stem}_mask_{options.kind}.png"
    if carried_by(record, options.figures) == "corrected":
        name = corrected_name(name)
    return unchanging(
        record,
        "image/png",
        name,
        lambda: _mask(record, options, as_stored=record is stored),
        follows=(record,),
    )


def drawn_picture(record: Record, options: OverlayOptions, *, as_stored: bool) -> bytes | StoredFile:
    """Return a measurement drawn; `as_stored` says that the drawing that was stored shows it."""
    if as_stored and (options.style, options.format) == ("fill", "png"):
        return context().store.file(record, "overlay")
    return overlay_of(record, options.style, options.format)


def _mask(record: Record, options: MaskOptions, *, as_stored: bool) -> bytes | StoredFile:
    if as_stored and options.kind == "binary":
        return context().store.file(record, "mask")
    return mask_of(record, options.kind)
