"""YOLO segmentation: a text file for each picture, a polygon a line (https://docs.ultralytics.com/datasets/segment/)."""

from pathlib import Path
from typing import Any

import yaml

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import pictures_in
from planimeter.labels.shapes import polygon

FORMAT = "YOLO segmentation"
TRAINING_PARTS = ("train", "val")
"""What of a `data.yaml` is read: `test` is for `planimeter evaluate FOLDER/test`."""


def open_yolo(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a `data.yaml`, the folder that holds one, or a folder with `images` and `labels`."""
    config = _config(path)
    names: dict[int, str] | None
    if config and config in {path, path / config.name}:
        names, folders = _configured(config)
    else:
        names = _configured(config)[0] if config else _plain_names(path)
        folders = [path / "images" if (path / "images").is_dir() else path]
    if images:
        folders = [images]
    pictures = []
    for folder in folders:
        labels = _labels_folder(folder) if images is None else _labels_folder(path / "images")
        if not labels.is_dir():
            report.broken(labels, f"is missing; it must hold the labels of {folder}")
        pictures += [
            _picture(file, labels / f"{file.stem}.txt", names, report) for file in pictures_in(folder)
        ]
    if names is None:
        found = {item.class_name for picture in pictures for item in picture.objects}
        classes = tuple(sorted(found, key=int))
    else:
        classes = tuple(names[index] for index in sorted(names))
    return LabelSet(FORMAT, classes, tuple(pictures))


def find_config(folder: Path) -> Path | None:
    """Return the folder's `data.yaml`."""
    return next((file for name in ("data.yaml", "data.yml") if (file := folder / name).is_file()), None)


def _config(path: Path) -> Path | None:
    if path.is_file():
        return path
    return next((file for folder in (path, *path.parents[:3]) if (file := find_config(folder))), None)


def _configured(file: Path) -> tuple[dict[int, str], list[Path]]:
    """Return the names of the classes by their number, and the folders of the pictures."""
    try:
        document: Any = yaml.safe_load(file.read_text("utf-8"))
        names = document["names"]
        numbered = names.items() if isinstance(names, dict) else enumerate(names)
        by_number = {int(number): str(name) for number, name in numbered}
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise DataError(f"{file} cannot be read as YOLO's data.yaml: {error!r}") from error
    if len(set(by_number.values())) < len(by_number):
        raise DataError(f"{file}: two classes have the same name: {', '.join(by_number.values())}")
    folders = [
        _folder(file, document.get("path"), part, str(value))
        for part in TRAINING_PARTS
        for value in _listed(document.get(part))
    ]
    return by_number, folders


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _folder(file: Path, base: Any, part: str, value: str) -> Path:
    """Find a folder of pictures: relative to `path`, else to the data.yaml, else without leading `../`.

    The last is what Roboflow's exports need, whose paths are relative to a folder that is not there.
    """
    places = [file.parent / str(base or ".") / value, file.parent / value, file.parent / value.lstrip("./")]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise DataError(f"{file}: its '{part}' is {value}, and {places[0]} is not a folder")
    return found / "images" if (found / "images").is_dir() else found


def _plain_names(folder: Path) -> dict[int, str] | None:
    for name in ("classes.txt", "labels/classes.txt"):
        if (folder / name).is_file():
            lines = (folder / name).read_text("utf-8").splitlines()
            return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    return None


def _labels_folder(images: Path) -> Path:
    """Return the folder of the labels: the last `images` in the path becomes `labels`, as YOLO does it."""
    parts = list(images.parts)
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] == "images":
            return Path(*parts[:index], "labels", *parts[index + 1 :])
    return images


def _picture(picture: Path, labels: Path, names: dict[int, str] | None, report: Report) -> PictureEntry:
    """Read a picture's lines; without a file of labels it has no object."""
    if not labels.is_file():
        return PictureEntry(picture.name, labels, picture)
    try:
        lines = labels.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        report.broken(labels, f"cannot be read: {error}")
        lines = []
    objects = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            objects.append(_object(where, line.split(), names))
        except ValueError as error:
            report.broken(labels, str(error), where)
    return PictureEntry(picture.name, labels, picture, tuple(objects))


def _object(name: str, fields: list[str], names: dict[int, str] | None) -> ObjectEntry:
    index = int(fields[0])
    if names is not None and index not in names:
        raise ValueError(f"has class {index}; known are {', '.join(str(number) for number in sorted(names))}")
    if len(fields) == 5:
        raise ValueError("is a box (4 numbers), and a mask is needed: a polygon of 3 corners or more")
    shape = polygon([float(field) for field in fields[1:]], shares=True)
    return ObjectEntry(name, str(index) if names is None else names[index], (shape,))
