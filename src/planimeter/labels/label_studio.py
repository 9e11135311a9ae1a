"""Label Studio's own json: polygons, rectangles, ellipses and brushed masks (https://labelstud.io/guide/export)."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report, refuse_other_size
from planimeter.labels.files import field, listed, number, ordered, read_json
from planimeter.labels.finder import PICTURE_ENDINGS, Finder, Missing, name_of, posix
from planimeter.labels.shapes import Shape, bitmap, ellipse, numbers, polygon, turned
from planimeter.masks.window import WindowMask
from planimeter.settings import Limits

FORMAT = "Label Studio json"
_SHAPES = ("polygon", "rectangle", "ellipse", "brush")
_NO_AREA = ("keypoint", "vector")
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
    kind = str(result.get("type")) if isinstance(result, dict) else ""
    return next((name for name in (*_SHAPES, *_NO_AREA) if kind in {name, f"{name}labels"}), None)


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
    value = field(result, "value")
    width, height = number(result, "original_width") / 100, number(result, "original_height") / 100
    if kind == "polygon":
        return polygon(numbers(field(value, "points")).reshape(-1, 2) * (width, height))
    if kind == "brush":
        return _brushed(value, int(100 * height + 0.5), int(100 * width + 0.5))
    x, y = number(value, "x") * width, number(value, "y") * height
    turn = number(value, "rotation") if value.get("rotation") else 0.0
    if kind == "ellipse":
        return ellipse(
            x, y, number(value, "radiusX") * width, number(value, "radiusY") * height, float(np.radians(turn))
        )
    across, down = number(value, "width") * width, number(value, "height") * height
    return turned(x, y, across, down, degrees=turn, about=(x, y))


def _brushed(value: Any, height: int, width: int) -> Shape:
    if not 0 < height * width <= Limits().max_pixels:
        raise ValueError(
            f"its size is {width} x {height}, and a picture has {Limits().max_pixels} pixels at most"
        )
    packed = field(value, "rle")
    try:
        data = np.array(packed, np.uint8)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("its rle is no list of bytes") from error
    opacity = _unpack(data, 4 * height * width).reshape(height, width, 4)[..., 3]
    shape = bitmap(0, 0, opacity > 0)

    def draw(picture_height: int, picture_width: int) -> WindowMask:
        refuse_other_size("its mask", (height, width), (picture_height, picture_width))
        return shape.draw(picture_height, picture_width)

    return Shape(shape.bounds, draw)


def _unpack(data: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return the `count` values of a brushed RGBA picture, packed as thi.ng's rle-pack does it.

    Behind the count (32 bits), the length of a value and four lengths of counts stand runs: a bit that says whether
    one value is repeated, two that choose the length of the run's count, the count, and the value or values.
    """
    bits = _Bits(data)
    if bits.take(32) != count:
        raise ValueError("its rle is not as long as its picture")
    word = bits.take(5) + 1
    lengths = [bits.take(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeated = bits.take(1)
        end = at + 1 + bits.take(lengths[bits.take(2)])
        if end > count:
            raise ValueError("its rle is longer than its picture")
        if repeated:
            values[at:end] = bits.take(word) & 0xFF
        else:
            values[at:end] = [bits.take(word) & 0xFF for _ in range(at, end)]
        at = end
    return values


class _Bits:
    """Reads numbers of any length in bits."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._bits = (np.unpackbits(data) + ord("0")).tobytes().decode("ascii")
        self._at = 0

    def take(self, length: int) -> int:
        """Return the next number; raises `ValueError` where nothing is left."""
        bits = self._bits[self._at : self._at + length]
        if len(bits) < length:
            raise ValueError("its rle is cut short")
        self._at += length
        return int(bits, 2)
