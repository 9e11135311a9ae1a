"""CVAT's own XML for images, version 1.1: polygons, boxes, ellipses and brushed masks."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import number, ordered, read_text, stated_size
from planimeter.labels.finder import Finder, name_of
from planimeter.labels.shapes import Shape, bitmap, ellipse, numbers, polygon, turned
from planimeter.settings import Limits

FORMAT = "CVAT for images XML"
_READ = ("polygon", "box", "ellipse", "mask")
_NO_AREA = ("polyline", "points", "skeleton", "cuboid")


def open_cvat(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read an `annotations.xml`; raises `DataError` where it is another XML."""
    root = _root(file, report)
    finder = Finder(file, images)
    pictures = []
    for position, image in enumerate(root.iter("image")):
        stated = image.get("name")
        if not stated:
            report.broken(file, f"image {position} has no name")
            continue
        objects = objects_in(file, stated, image, report)
        size = stated_size(image.attrib, "height", "width")
        pictures.append(PictureEntry(name_of(stated), file, finder.find(stated), objects, size))
    used = ordered(item.class_name for picture in pictures for item in picture.objects)
    listed = [label.findtext("name", "").strip() for label in root.findall("./meta//labels/label")]
    return LabelSet(FORMAT, tuple(dict.fromkeys([*filter(None, listed), *used])), tuple(pictures))


def _root(file: Path, report: Report) -> Any:
    text = read_text(file, report)
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise DataError(f"{file} declares entities, which CVAT never does; export it again")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without entities there is nothing to expand
    except ET.ParseError as error:
        line, column = error.position
        raise DataError(
            f"{file} cannot be read as XML: it is damaged or cut short at line {line}, column {column + 1}; "
            "export it again"
        ) from error
    if root.tag != "annotations" or root.find("image") is None:
        raise DataError(
            f"{file} is no XML of CVAT for images; export 'CVAT for images 1.1', not 'for video', or 'COCO 1.0'"
        )
    return root


def objects_in(file: Path, stated: str, image: Any, report: Report) -> tuple[ObjectEntry, ...]:
    """Return the objects of a picture: shapes of one label and group are the parts of one, as in CVAT's COCO export."""
    parts: dict[tuple[str, object], list[Shape]] = {}
    names: dict[tuple[str, object], str] = {}
    shapes: Iterable[Any] = [shape for shape in image if shape.tag in (*_READ, *_NO_AREA)]
    for count, shape in enumerate(shapes, start=1):
        where = f"{shape.tag} {count} in picture {stated}"
        label, group = shape.get("label", "").strip(), shape.get("group_id")
        if not label:
            report.broken(file, "has no label", where)
            continue
        try:
            made = _shape(shape.tag, shape.attrib)
        except ValueError as error:
            report.broken(file, str(error), where)
            continue
        key = (label, ("group", group)) if group not in {None, "0"} else (label, count)
        parts.setdefault(key, []).append(made)
        names.setdefault(key, f"{shape.tag} {count}")
    return tuple(ObjectEntry(names[key], key[0], tuple(made)) for key, made in parts.items())


def _shape(kind: str, shape: dict[str, str]) -> Shape:
    if kind in _NO_AREA:
        raise ValueError(f"{kind} has no area; read are {', '.join(_READ)}")
    if kind == "polygon":
        return polygon(numbers([pair.split(",") for pair in shape.get("points", "").split(";")]))
    turn = number(shape, "rotation") if "rotation" in shape else 0.0
    if kind == "ellipse":
        radii = number(shape, "rx"), number(shape, "ry")
        return ellipse(number(shape, "cx"), number(shape, "cy"), *radii, float(np.radians(turn)))
    if kind == "mask":
        return _mask(shape)
    left, top, right, bottom = (number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    centre = (left + right) / 2, (top + bottom) / 2
    return turned(left, top, right - left, bottom - top, degrees=turn, about=centre)


def _mask(shape: dict[str, str]) -> Shape:
    """Return a brushed mask: row after row, how many pixels of its window are out and in by turns."""
    left, top, width, height = (int(number(shape, name)) for name in ("left", "top", "width", "height"))
    lengths = [run.strip() for run in shape.get("rle", "").split(",")]
    runs = [int(run) for run in lengths if run.isascii() and run.isdigit()]
    if len(runs) < len(lengths) or sum(runs) != width * height or not 0 < sum(runs) <= Limits().max_pixels:
        raise ValueError(f"its run lengths do not add up to a window of {width} x {height} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return bitmap(left, top, np.repeat(inside, runs).reshape(height, width))
