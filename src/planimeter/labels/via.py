"""VGG Image Annotator 1 and 2: a project or its exported annotations, as json (https://www.robots.ox.ac.uk/~vgg/software/via/)."""

from collections import Counter
from pathlib import Path
from typing import Any

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import field, number, ordered, read_json
from planimeter.labels.finder import Finder, name_of
from planimeter.labels.shapes import Shape, ellipse, polygon, rectangle

FORMAT = "VIA json"
CLASS_ATTRIBUTES = ("class", "label", "name", "type", "category")
"""Which region attribute names the class, where there are several: the first of these."""
ONLY_CLASS = "object"
"""Of regions without any attribute."""


def is_via(document: Any) -> bool:
    """Tell whether a json document is a VIA project or export."""
    if not isinstance(document, dict):
        return False
    if "_via_img_metadata" in document:
        return True
    values = list(document.values())
    return bool(values) and all(isinstance(value, dict) and "regions" in value for value in values)


def open_via(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a VIA json; its pictures are in `images`, or found from where the json is."""
    document = read_json(file, report)
    entries = document.get("_via_img_metadata", document)
    if not isinstance(entries, dict):
        raise DataError(f"{file} cannot be read as VIA json: _via_img_metadata is no object; export it again")
    return read_entries(file, images, entries, report)


def read_entries(file: Path, images: Path | None, entries: dict[str, Any], report: Report) -> LabelSet:
    """Return the pictures of VIA's entries, which are the same in all its exports."""
    regions_of = {key: _regions(entry) for key, entry in entries.items()}
    attribute = _class_attribute(file, [region for regions in regions_of.values() for region in regions])
    finder = Finder(file, images)
    pictures = []
    for key, entry in entries.items():
        name = str(entry.get("filename", key)) if isinstance(entry, dict) else str(key)
        objects = []
        for count, region in enumerate(regions_of[key], start=1):
            try:
                class_name = _class_name(region, attribute)
                objects.append(ObjectEntry(f"region {count}", class_name, (_shape(region),)))
            except ValueError as error:
                report.broken(file, str(error), f"region {count} in picture {name}")
        pictures.append(PictureEntry(name_of(name), file, finder.find(name), tuple(objects)))
    classes = ordered(item.class_name for picture in pictures for item in picture.objects)
    return LabelSet(FORMAT, classes, tuple(pictures))


def _regions(entry: Any) -> list[Any]:
    """Return the regions: a list in VIA 2, an object with running numbers in VIA 1."""
    regions = entry.get("regions", []) if isinstance(entry, dict) else []
    if isinstance(regions, dict):
        return list(regions.values())
    return regions if isinstance(regions, list) else [regions]  # of which none is a region: named as broken


def _class_attribute(file: Path, regions: list[Any]) -> str | None:
    used: Counter[str] = Counter()
    for region in regions:
        attributes = region.get("region_attributes") if isinstance(region, dict) else None
        if isinstance(attributes, dict):
            used.update(name for name, value in attributes.items() if value)
    if len(used) <= 1:
        return next(iter(used), None)
    for name in CLASS_ATTRIBUTES:
        if name in used:
            return name
    raise DataError(
        f"{file}: regions have the attributes {', '.join(sorted(used))}, and none says that it is the class; "
        "rename that one to 'class'"
    )


def _class_name(region: Any, attribute: str | None) -> str:
    if attribute is None:
        return ONLY_CLASS
    attributes = field(region, "region_attributes")
    value = attributes.get(attribute) if isinstance(attributes, dict) else None
    if isinstance(value, dict):  # a checkbox
        chosen = [name for name, ticked in value.items() if ticked]
        value = chosen[0] if len(chosen) == 1 else None
    if not value:
        raise ValueError(f"its attribute '{attribute}' names no class, or more than one")
    return str(value).strip()


def _shape(region: Any) -> Shape:
    shape = field(region, "shape_attributes")
    kind = field(shape, "name")
    if kind == "polygon":
        xs, ys = field(shape, "all_points_x"), field(shape, "all_points_y")
        if not (isinstance(xs, list) and isinstance(ys, list) and len(xs) == len(ys)):
            raise ValueError("its all_points_x and all_points_y are not two lists of the same length")
        return polygon(list(zip(xs, ys, strict=True)))
    if kind == "rect":
        x, y = number(shape, "x"), number(shape, "y")
        return rectangle(x, y, x + number(shape, "width"), y + number(shape, "height"))
    if kind == "circle":
        radius = number(shape, "r")
        return ellipse(number(shape, "cx"), number(shape, "cy"), radius, radius)
    if kind == "ellipse":
        theta = number(shape, "theta") if "theta" in shape else 0.0
        return ellipse(
            number(shape, "cx"), number(shape, "cy"), number(shape, "rx"), number(shape, "ry"), theta
        )
    raise ValueError(f"a {kind} has no area; read are polygon, rect, circle and ellipse")
