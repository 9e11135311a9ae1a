"""LabelMe: a json for each picture, which may hold the picture too (https://labelme.io)."""

import base64
import binascii
from math import hypot
from pathlib import Path
from typing import Any

from planimeter.errors import DataError, PlanimeterError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import field, ordered, read_json, stated_size
from planimeter.labels.finder import Finder, Folders, Missing, name_of
from planimeter.labels.shapes import Corner, Shape, bitmap, ellipse, numbers, polygon, rectangle
from planimeter.pictures.decode import decode

FORMAT = "LabelMe json folder"


def is_labelme(document: Any) -> bool:
    """Tell whether a json document is of LabelMe."""
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def open_labelme(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a folder of LabelMe files and the folders in it, or one file; pictures are inside, or found from there."""
    pictures = []
    folders = Folders()
    for file in labelme_files(path) if path.is_dir() else [path]:
        try:
            document = read_json(file, report)
        except DataError as error:
            report.broken(file, str(error).removeprefix(f"{file} "))
            continue
        if is_labelme(document):
            pictures.append(_picture(file, document, Finder(file, images, folders), report))
        else:
            report.broken(file, "is not LabelMe json, as others in this folder are")
    classes = ordered(item.class_name for picture in pictures for item in picture.objects)
    return LabelSet(FORMAT, classes, tuple(pictures))


def labelme_files(folder: Path) -> list[Path]:
    """Return the json files of a folder and of those in it; none that is hidden."""
    return sorted(
        file
        for file in folder.rglob("*.json")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _picture(file: Path, document: dict[str, Any], finder: Finder, report: Report) -> PictureEntry:
    stated = str(document.get("imagePath") or f"{file.stem}.png")
    source: Path | bytes | Missing = finder.find(stated)
    # The picture inside is the one that was labelled; one that was found elsewhere may be another of its name.
    if document.get("imageData") and not finder.is_given(stated):
        try:
            source = base64.b64decode(str(document["imageData"]), validate=True)
        except (binascii.Error, ValueError):
            report.broken(file, "its imageData is damaged (no base64); save it again")
    size = stated_size(document, "imageHeight", "imageWidth")
    return PictureEntry(name_of(stated), file, source, objects_in(file, document, report), size)


def objects_in(file: Path, document: dict[str, Any], report: Report) -> tuple[ObjectEntry, ...]:
    """Return the objects of a document; `file` is what `report` names."""
    parts: dict[tuple[Any, ...], list[Shape]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for number, shape in enumerate(document["shapes"], start=1):
        where = f"shape {number}"
        try:
            label = str(field(shape, "label")).strip()
            made = _shape(shape)
        except (ValueError, PlanimeterError) as error:
            report.broken(file, str(error), where)
            continue
        # Shapes of one label and group are the parts of one object, as in LabelMe's own export to COCO.
        group = shape.get("group_id")
        key = (label, number) if group is None else (label, "group", repr(group))
        parts.setdefault(key, []).append(made)
        names.setdefault(key, where)
    return tuple(ObjectEntry(names[key], key[0], tuple(shapes)) for key, shapes in parts.items())


def _shape(shape: Any) -> Shape:
    kind, points = str(shape.get("shape_type") or "polygon"), field(shape, "points")
    # X-AnyLabeling writes a rectangle as its four corners, and a turned one as a rotation.
    corners = isinstance(points, list) and len(points) == 4
    if kind in {"polygon", "quadrilateral"} or (kind in {"rectangle", "rotation"} and corners):
        return polygon(points)
    if kind not in {"rectangle", "circle", "mask"}:
        raise ValueError(f"a {kind} has no area; read are polygon, rectangle, rotation, circle and mask")
    (x0, y0), (x1, y1) = _two(kind, points)
    if kind == "rectangle":
        return rectangle(x0, y0, x1, y1)
    if kind == "circle":  # its centre, and a point on it
        radius = hypot(x1 - x0, y1 - y0)
        return ellipse(x0, y0, radius, radius)
    try:
        data = base64.b64decode(str(field(shape, "mask")), validate=True)
    except binascii.Error as error:
        raise ValueError("its mask is damaged (no base64)") from error
    pixels = decode(data, filename="mask").pixels
    return bitmap(int(min(x0, x1)), int(min(y0, y1)), pixels[..., 0] > 0)


def _two(kind: str, points: Any) -> tuple[Corner, Corner]:
    """Return two points; raises `ValueError`."""
    given = numbers(points)
    if given.shape != (2, 2):
        raise ValueError(f"a {kind} needs two points, this one has {len(given) if given.ndim else 0}")
    (x0, y0), (x1, y1) = given.tolist()
    return (x0, y0), (x1, y1)
