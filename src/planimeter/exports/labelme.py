"""LabelMe's json: polygons, and masks where an object has holes."""

import base64
from pathlib import Path
from typing import Any

from planimeter.drawing.encoding import encode_mask_png
from planimeter.exports.source import Source
from planimeter.labels import labelme
from planimeter.labels.entries import ObjectEntry, Report
from planimeter.masks.outlines import outlines
from planimeter.masks.window import WindowMask, trim
from planimeter.measurement import Instance

VERSION = "5.5.0"
"""Of LabelMe whose form this is; it reads masks from 5.2 on."""


def write(source: Source) -> dict[str, Any]:
    """Return the document of a picture; the parts of an object are shapes with one group_id."""
    height, width = source.size
    return {
        "version": VERSION,
        "flags": {},
        "shapes": [shape for instance, mask in source.objects for shape in _shapes(instance, trim(mask))],
        "imagePath": source.name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def read(document: Any, source: Source) -> list[ObjectEntry]:
    """Return the objects as they are read as labels."""
    return list(labelme.objects_in(Path(source.stem), document, Report()))


def _shapes(instance: Instance, mask: WindowMask) -> list[dict[str, Any]]:
    parts = outlines(mask)
    common: dict[str, Any] = {
        "label": instance.class_name,
        "group_id": instance.id if len(parts) > 1 else None,
        "description": f"score {instance.score:.4g}",
        "score": instance.score,
        "flags": {},
    }
    if any(len(rings) > 1 for rings in parts):
        bottom, right = mask.y + len(mask.pixels) - 1, mask.x + mask.pixels.shape[1] - 1
        png = base64.b64encode(encode_mask_png(mask.pixels)).decode("ascii")
        points = [[float(mask.x), float(mask.y)], [float(right), float(bottom)]]
        return [common | {"group_id": None, "shape_type": "mask", "points": points, "mask": png}]
    return [
        common | {"shape_type": "polygon", "points": rings[0].astype(float).tolist(), "mask": None}
        for rings in parts
    ]
