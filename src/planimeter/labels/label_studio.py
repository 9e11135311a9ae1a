"""Label Studio's own json: polygons, rectangles, ellipses and brushed masks (https://labelstud.io/guide/export)."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import field, listed, number, ordered, read_json
from planimeter.labels.finder import PICTURE_ENDINGS, Finder, Missing, name_of, posix
from planimeter.labels.label_studio_masks import bitmask, brushed
from planimeter.labels.shapes import Shape, ellipse, numbers, polygon, turned

FORMAT = "Label Studio json"
_SHAPES = ("polygon", "rectangle", "ellipse", "brush", "bitmask")
_NO_AREA = ("keypoint", "vector")
_NO_REGION = {
    *(
        "choices",
        "textarea",
        "rating",
        "number",
        "taxonomy",
        "datetime",
        "relation",
        "pairwise",
        "ranker",
        "labels",
    ),
}
"""Results that say something of a picture or of a region that another result draws."""
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a picture that was uploaded."""


def is_label_studio(document: Any) -> bool:
    """Tell whether a json document is an export of Label Studio's tasks."""
    return isinstance(document, list) and any(
        isinstance(task, dict) and "data" in task and ("annotations" in task or "completions" in task)
        for task in document
    )


def is_simplified(document: Any) -> bool:
    """Tell whether a json document is Label Studio's JSON-MIN, which leaves out what says where results belong."""
    return isinstance(document, list) and any(
        isinstance(value, list) and value and isinstance(value[0], dict) and "original_width" in value[0]
        for task in document
        if isinstance(task, dict)
        for value in task.values()
    )


def open_label_studio(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read tasks; a task that nobody has labelled is left out, for it does not say that there is nothing."""
    finder = Finder(file, images)
    pictures = []
    for position, task in enumerate(read_json(file, report)):
        where = (
            f"task {task.get('id', f'at position {position}')}"
            if isinstance(task, dict)
            else f"task {position}"
        )
        stated = _picture_of(task)
        if stated is None:
            report.broken(file, "its data names no picture", where)
            continue
        results = _results(file, where, task, report)
        if results is not None:
            objects, size = objects_in(file, where, results, report)
            pictures.append(PictureEntry(name_of(stated), file, _find(stated, finder), objects, size))
    classes = ordered(item.class_name for picture in pictures for item in picture.objects)
    return LabelSet(FORMAT, classes, tuple(pictures))


def _picture_of(task: Any) -> str | None:
    """Return the path of a task's picture, from an address or a path of the machine that Label Studio ran on."""
    data = task.get("data") if isinstance(task, dict) else None
    for value in data.values() if isinstance(data, dict) else ():
        if not isinstance(value, str):
            continue
        address = urlsplit(value)
        local = parse_qs(address.query).get("d")  # /data/local-files/?d=folder/a.png
        path = local[0] if local else unquote(address.path)
        if posix(path).suffix.lower() in PICTURE_ENDINGS:
            return path
    return None


def _results(file: Path, where: str, task: Any, report: Report) -> list[Any] | None:
    """Return what one person has labelled: the ground truth, else the first annotation that was not cancelled."""
    annotations = task.get("annotations", task.get("completions"))
    done = [
        entry
        for entry in (annotations if isinstance(annotations, list) else [])
        if isinstance(entry, dict)
        and not entry.get("was_cancelled")
        and isinstance(entry.get("result"), list)
    ]
    if not done:
        report.doubtful(file, "is not annotated: left out", where)
        return None
    if len(done) > 1:
        report.doubtful(
            file,
            f"has {len(done)} annotations; the ground truth is read, or the first where none is marked",
            where,
        )
    chosen: list[Any] = next((entry for entry in done if entry.get("ground_truth")), done[0])["result"]
    return chosen


def _find(stated: str, finder: Finder) -> Path | Missing:
    """Return the picture under its name in Label Studio, or under the one that it had before it was uploaded."""
    source = finder.find(stated)
    if isinstance(source, Missing):
        original = finder.find(_UPLOADED.sub("", posix(stated).name))
        return source if isinstance(original, Missing) else original
    return source


def objects_in(
    file: Path, where: str, results: list[Any], report: Report
) -> tuple[tuple[ObjectEntry, ...], tuple[int, int] | None]:
    """Return the objects, and the height and width that all of them state."""
    labels = {
        entry.get("id"): names for entry in results if isinstance(entry, dict) and (names := _labels(entry))
    }
    objects, sizes = [], set()
    for position, result in enumerate(results, start=1):
        kind = _kind(result)
        if kind is None:
            continue
        name = f"result {result.get('id', position)} of {where}"
        try:
            objects.append(ObjectEntry(name, _class(result, labels), (_shape(kind, result),)))
            sizes.add((int(number(result, "original_height")), int(number(result, "original_width"))))
        except ValueError as error:
            report.broken(file, str(error), name)
    return tuple(objects), sizes.pop() if len(sizes) == 1 else None


def _kind(result: Any) -> str | None:
    """Return which shape a result is; None for what is no region, such as a choice or a text."""
    if not isinstance(result, dict):
        return None
    kind = str(result.get("type"))
    shape = kind.removesuffix("labels")
    if shape in {*_SHAPES, *_NO_AREA}:
        return shape
    # Regions of a picture state its size; what else does is another kind of them.
    return None if kind in _NO_REGION or "original_width" not in result else kind


def _labels(result: dict[str, Any]) -> list[str]:
    value = result.get("value")
    if not isinstance(value, dict):
        return []
    return [str(name) for key, names in value.items() if key.endswith("labels") for name in listed(names)]


def _class(result: dict[str, Any], labels: dict[Any, list[str]]) -> str:
    """Return the class, which may be told by another result of the same region."""
    names = _labels(result) or labels.get(result.get("id"), [])
    if len(set(names)) != 1:
        raise ValueError(f"has {len(set(names))} labels ({', '.join(names) or 'none'}), and one is needed")
    return names[0].strip()


def _shape(kind: str, result: dict[str, Any]) -> Shape:
    """Return a region; its numbers are percent of the picture's sides."""
    if kind in _NO_AREA:
        raise ValueError(f"a {kind} has no area; read are {', '.join(_SHAPES)}")
    if kind not in _SHAPES:
        raise ValueError(f"a {kind} is not read; read are {', '.join(_SHAPES)}")
    value = field(result, "value")
    width, height = number(result, "original_width") / 100, number(result, "original_height") / 100
    if kind == "polygon":
        return polygon(numbers(field(value, "points")).reshape(-1, 2) * (width, height))
    if kind in {"brush", "bitmask"}:
        drawn = brushed if kind == "brush" else bitmask
        return drawn(value, int(100 * height + 0.5), int(100 * width + 0.5))
    x, y = number(value, "x") * width, number(value, "y") * height
    turn = number(value, "rotation") if value.get("rotation") else 0.0
    if kind == "ellipse":
        return ellipse(
            x, y, number(value, "radiusX") * width, number(value, "radiusY") * height, float(np.radians(turn))
        )
    across, down = number(value, "width") * width, number(value, "height") * height
    return turned(x, y, across, down, degrees=turn, about=(x, y))
