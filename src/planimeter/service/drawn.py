"""The drawn picture and the mask of a record, in any form that is asked for."""

from typing import Literal

from planimeter.drawing.drawing import Style, draw_measurement
from planimeter.drawing.encoding import encode_jpeg, encode_mask_png, encode_png
from planimeter.masks.rle import rle_window
from planimeter.masks.union import class_map, instance_map, union_mask
from planimeter.measuring.candidates import exact_mask
from planimeter.service.api.answering import stored_picture
from planimeter.service.context import context
from planimeter.store import Record

MaskKind = Literal["binary", "class", "instance"]


def overlay_of(record: Record, style: Style = "fill", encoding: Literal["png", "jpeg"] = "png") -> bytes:
    """Return the picture drawn as the record says."""
    measurement = record.measurement
    colors = context().models.colors(measurement.model.name, len(measurement.coverage.by_class))
    with stored_picture(record) as picture:
        drawn = draw_measurement(picture.pixels, measurement, colors, style, copy=False)
        return encode_png(drawn) if encoding == "png" else encode_jpeg(drawn)


def mask_of(record: Record, kind: MaskKind = "binary") -> bytes:
    """Return the mask as PNG: 0 and 255, or class ids, or instance ids."""
    image, instances = record.measurement.image, record.measurement.instances
    masks = [rle_window(exact_mask(entry)) for entry in instances]
    if kind == "binary":
        return encode_mask_png(union_mask(masks, image.height, image.width))
    if kind == "instance":
        return encode_mask_png(
            instance_map(masks, image.height, image.width, [entry.id for entry in instances])
        )
    labels = [entry.class_id for entry in instances]
    return encode_mask_png(class_map(masks, labels, image.height, image.width))
