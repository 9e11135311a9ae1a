"""COCO json: polygons, and run-length encoding compressed or not (https://cocodataset.org/#format-data)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from planimeter.errors import DataError, PlanimeterError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report, refuse_other_size
from planimeter.labels.files import field, read_json, stated_size
from planimeter.labels.finder import Finder, name_of
from planimeter.labels.shapes import Shape, polygon
from planimeter.masks.rle import rle_window
from planimeter.masks.window import WindowMask
from planimeter.measurement import Rle
from planimeter.settings import Limits

FORMAT = "COCO json"
NO_OUTLINE = "has no outline, only a box at most, and a mask is needed; label it as a polygon or with a brush"


def is_coco(document: Any) -> bool:
    """Tell whether a json document is COCO."""
    return isinstance(document, dict) and {"images", "annotations"} <= document.keys()


def open_coco(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a COCO json; its pictures are in `images`, or found from where the json is."""
    document = read_json(file, report)
    entries, annotations = (_list_in(file, document, name) for name in ("images", "annotations"))
    class_of = _classes(file, document, annotations)
    pictures = _pictures(file, entries, Finder(file, images), report)
    objects: dict[Any, list[ObjectEntry]] = {key: [] for key in pictures}
    known = {entry["id"] for entry in entries if isinstance(entry, dict) and _is_id(entry.get("id"))}
    as_text = {str(key): key for key in known}
    for stated, item in _objects(file, document, annotations, class_of, report):
        # VIA writes the ids of its pictures as numbers, and those that annotations name as texts.
        key = stated if stated in known else as_text.get(str(stated), stated)
        if key in objects:
            objects[key].append(item)
        elif key not in known:
            report.broken(file, f"names picture {key}: not listed", item.name)
    found = tuple(replace(picture, objects=tuple(objects[key])) for key, picture in pictures.items())
    return LabelSet(FORMAT, tuple(class_of.values()), found)


def roboflow_files(path: Path) -> list[Path]:
    """Return the json of the parts that are learnt from; `test` is for `planimeter evaluate FOLDER/test`."""
    files = [path / part / "_annotations.coco.json" for part in ("train", "valid")]
    return [file for file in files if file.is_file()]


def open_roboflow(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read the parts of a folder as one set, each with its pictures beside its json, as Roboflow exports COCO."""
    parts = [(file.parent.name, open_coco(file, images, report)) for file in roboflow_files(path)]
    classes = dict.fromkeys(name for _, part in parts for name in part.classes)
    pictures = [
        replace(picture, name=f"{folder}/{picture.name}")
        for folder, part in parts
        for picture in part.pictures
    ]
    return LabelSet(FORMAT, tuple(classes), tuple(pictures))


def _list_in(file: Path, document: Any, name: str) -> list[Any]:
    value = document.get(name)
    if not isinstance(value, list):
        raise DataError(f"{file} cannot be read as COCO json: its '{name}' is missing or no list")
    return value


def _classes(file: Path, document: Any, annotations: list[Any]) -> dict[Any, str]:
    """Return the names of the classes by their id, in the order of the ids."""
    categories = _list_in(file, document, "categories")
    for position, entry in enumerate(categories):
        known = isinstance(entry, dict) and "name" in entry and isinstance(entry.get("id"), int)
        if not known:
            raise DataError(
                f"{file}: entry {position} of its categories has no name, or no id that is a whole number"
            )
    roots = _roots(categories, annotations)
    categories = sorted(
        (entry for entry in categories if entry["id"] not in roots), key=lambda entry: entry["id"]
    )
    class_of = {entry["id"]: str(entry["name"]) for entry in categories}
    if len(class_of) < len(categories):
        raise DataError(f"{file}: two of its categories have the same id; give each its own")
    if len(set(class_of.values())) < len(class_of):
        raise DataError(f"{file}: two classes have the same name: {', '.join(class_of.values())}")
    return class_of


def _roots(categories: list[Any], annotations: list[Any]) -> set[Any]:
    """Return the categories that are no class: Roboflow puts one above all others, and labels nothing with it."""
    used = {
        entry["category_id"]
        for entry in annotations
        if isinstance(entry, dict) and _is_id(entry.get("category_id"))
    }
    parents = {str(entry.get("supercategory")) for entry in categories}
    return {
        entry["id"]
        for entry in categories
        if entry.get("supercategory") == "none" and str(entry["name"]) in parents and entry["id"] not in used
    }


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str)


def _pictures(file: Path, entries: list[Any], finder: Finder, report: Report) -> dict[Any, PictureEntry]:
    """Return the pictures by their id; of those that share one, no object can be told, and none is kept."""
    found: dict[Any, PictureEntry] = {}
    shared: set[Any] = set()
    for position, entry in enumerate(entries):
        key = entry.get("id") if isinstance(entry, dict) else None
        if not _is_id(key) or not isinstance(entry.get("file_name"), str):
            report.broken(file, f"entry {position} of its images has no id or no file_name")
            continue
        stated = entry["file_name"]
        if key in found:
            names = f"{found[key].name} and {name_of(stated)}"
            report.broken(
                file, f"two pictures have the id {key}: {names}; give each its own, and its annotations too"
            )
            shared.add(key)
            continue
        found[key] = PictureEntry(
            name_of(stated), file, finder.find(stated), size=stated_size(entry, "height", "width")
        )
    return {key: picture for key, picture in found.items() if key not in shared}


def _objects(
    file: Path, document: Any, annotations: list[Any], class_of: dict[Any, str], report: Report
) -> Iterator[tuple[Any, ObjectEntry]]:
    """Give the id of its picture with each object that can be used."""
    crowds = _has_crowds(document)
    brushed = 0
    for position, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not all(
            _is_id(annotation.get(key)) for key in ("image_id", "category_id")
        ):
            report.broken(file, f"entry {position} of its annotations has no image_id or no category_id")
            continue
        name = f"annotation {annotation.get('id', f'at position {position}')}"
        category, segmentation = annotation["category_id"], annotation.get("segmentation")
        if category not in class_of:
            report.broken(file, f"has class {category}: not listed", name)
            continue
        if annotation.get("iscrowd"):
            if crowds or not isinstance(segmentation, dict):
                report.doubtful(file, "is a crowd, which is no instance: left out", name)
                continue
            brushed += 1
        try:
            shapes = shapes_in(segmentation)
        except (ValueError, PlanimeterError) as error:
            report.broken(file, str(error), name)
            continue
        area = annotation.get("area")
        stated = float(area) if isinstance(area, int | float) else None
        yield annotation["image_id"], ObjectEntry(name, class_of[category], shapes, stated)
    if brushed:
        report.doubtful(
            file,
            f'masks marked "iscrowd": 1 were read as objects ({brushed}), for CVAT marks all that were brushed '
            "so; delete those that are crowds",
        )


def _has_crowds(document: Any) -> bool:
    """Tell whether a crowd is meant by the mark: in COCO's own files it is, and no other is known."""
    return "cocodataset.org" in str(document.get("info"))


def shapes_in(segmentation: Any) -> tuple[Shape, ...]:
    """Return polygons or a mask; raises `ValueError` with a sentence."""
    if not segmentation:
        raise ValueError(NO_OUTLINE)
    if isinstance(segmentation, list):
        flat = not isinstance(segmentation[0], list)
        return tuple(polygon(points) for points in ([segmentation] if flat else segmentation))
    rle = _rle(segmentation)
    mask = rle_window(rle)

    def draw(height: int, width: int) -> WindowMask:
        refuse_other_size("its mask", rle.size, (height, width))
        return mask

    return (Shape((0, 0, 0, 0), draw),)


def _rle(segmentation: Any) -> Rle:
    size, counts = field(segmentation, "size"), field(segmentation, "counts")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise ValueError(f"its run lengths state the size {size}, and [height, width] is needed")
    height, width = size
    if not 0 < height * width <= Limits().max_pixels:
        raise ValueError(
            f"its size is {width} x {height}, and a picture has {Limits().max_pixels} pixels at most"
        )
    if isinstance(counts, list):
        plain: Any = {"size": [height, width], "counts": counts}
        try:
            packed: Any = coco_mask.frPyObjects(plain, height, width)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError("its run lengths are not all whole numbers") from error
        counts = packed["counts"].decode("ascii")
    if not counts or not isinstance(counts, str):
        raise ValueError("its counts are neither a list of run lengths nor a text")
    return Rle(size=(height, width), counts=counts)
