"""LabelMe: a json for each picture, which may hold the picture too (https://labelme.io)."""

import base64
import binascii
from math import hypot
from pathlib import Path
from typing import Any

from planimeter.errors import DataError, PlanimeterError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import find_picture, ordered, read_json
from planimeter.labels.shapes import Shape, bitmap, ellipse, polygon, rectangle
from planimeter.pictures.decode import decode

FORMAT = "LabelMe json folder"


def is_labelme(document: Any) -> bool:
    """Tell whether a json document is of LabelMe."""
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def open_labelme(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a folder of LabelMe files, or one of them; pictures are inside, or beside, or in `images`."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    pictures = []
    for file in files:
        try:
            document = read_json(file)
        except DataError as error:
            report.broken(file, str(error))
            continue
        if is_labelme(document):
            pictures.append(_picture(file, document, images, report))
        else:
            report.broken(file, "is not LabelMe json, as others in this folder are")
    classes = ordered({item.class_name for picture in pictures for item in picture.objects})
    return LabelSet(FORMAT, classes, tuple(pictures))


def _picture(file: Path, document: dict[str, Any], images: Path | None, report: Report) -> PictureEntry:
    name = str(document.get("imagePath") or f"{file.stem}.png")
    external = find_picture(name, images, file.parent, file.parent / "images", file.parent.parent / "images")
    source: Path | bytes = external
    if document.get("imageData") and not external.is_file():
        try:
            source = base64.b64decode(str(document["imageData"]), validate=True)
        except (binascii.Error, ValueError) as error:
            report.broken(file, f"its imageData is not base64 ({error})")
    parts: dict[tuple[Any, ...], list[Shape]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for number, shape in enumerate(document["shapes"], start=1):
        where = f"shape {number}"
        try:
            label = str(shape["label"]).strip()
            made = _shape(shape)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, PlanimeterError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            report.broken(file, reason, where)
            continue
        # Shapes of one label and group are the parts of one object, as in LabelMe's own export to COCO.
        group = shape.get("group_id")
        key = (label, number) if group is None else (label, "group", repr(group))
        parts.setdefault(key, []).append(made)
        names.setdefault(key, where)
    objects = tuple(ObjectEntry(names[key], key[0], tuple(shapes)) for key, shapes in parts.items())
    return PictureEntry(external.name, file, source, objects)


def _shape(shape: Any) -> Shape:
    kind, points = shape.get("shape_type") or "polygon", shape["points"]
    if kind == "polygon":
        return polygon(points)
    if kind not in {"rectangle", "circle", "mask"}:
        raise ValueError(f"a {kind} has no area; read are polygon, rectangle, circle and mask")
    (x0, y0), (x1, y1) = ((float(x), float(y)) for x, y in points)
    if kind == "rectangle":
        return rectangle(x0, y0, x1, y1)
    if kind == "circle":  # its centre, and a point on it
        radius = hypot(x1 - x0, y1 - y0)
        return ellipse(x0, y0, radius, radius)
    pixels = decode(base64.b64decode(shape["mask"], validate=True), filename="mask").pixels
    return bitmap(int(min(x0, x1)), int(min(y0, y1)), pixels[..., 0] > 0)
