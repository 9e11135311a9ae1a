"""YOLO segmentation: a text file for each picture, a polygon a line (https://docs.ultralytics.com/datasets/segment/)."""

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import listed, pictures_in, read_lines, read_text
from planimeter.labels.finder import Finder, Missing, posix
from planimeter.labels.shapes import numbers, polygon

FORMAT = "YOLO segmentation"
TRAINING_PARTS = ("train", "val")
"""What of a `data.yaml` is read: `test` is for `planimeter evaluate FOLDER/test`."""


CONFIGS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
PLAIN_PARTS = ("train", "val", "valid")
"""The folders of pictures to learn from, where no `data.yaml` names them."""
FARTHEST_SHARE = 2.0
"""An outline may leave its picture, but hardly by as much as the picture is wide; pixels do."""


class _Texts(yaml.SafeLoader):
    """Takes words as they stand: a class that is called no, on or 1.0 is neither false nor true, nor 1."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in known if tag.endswith((":null", ":merge"))]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def open_yolo(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a `data.yaml`, the folder that holds one, or a folder with `images` and `labels`, or with both in one."""
    config = _config(path)
    document = _document(config, report) if config else {}
    names = _names(config, document) if config else _plain_names(path, report)
    whole = config is not None and config in {path, path / config.name}
    if images:
        pictures = _beside(
            images, _labels_folder(images, path if path.is_dir() else path.parent), names, report
        )
    elif config and whole:
        pictures = _configured(config, document, names, report)
    else:
        pictures = _plain(path, names, report)
    if names is None:
        found = {item.class_name for picture in pictures for item in picture.objects}
        classes = tuple(sorted(found, key=int))
    else:
        classes = tuple(names[index] for index in sorted(names))
    return LabelSet(FORMAT, classes, tuple(pictures))


def find_config(folder: Path) -> Path | None:
    """Return the folder's `data.yaml`."""
    return next((file for name in CONFIGS if (file := folder / name).is_file()), None)


def _plain(path: Path, names: dict[int, str] | None, report: Report) -> list[PictureEntry]:
    """Read a folder without a `data.yaml` of its own: its pictures are in it, in `images`, or in the parts of that."""
    folder = path / "images" if (path / "images").is_dir() else path
    parts = [part for name in PLAIN_PARTS if (part := folder / name).is_dir()]
    if pictures_in(folder) or not parts:
        return _beside(folder, _labels_folder(folder, path), names, report)
    return [entry for part in parts for entry in _beside(part, _labels_folder(part, part), names, report)]


def _config(path: Path) -> Path | None:
    if path.is_file():
        return path
    return next((file for folder in (path, *path.parents[:3]) if (file := find_config(folder))), None)


def _document(file: Path, report: Report) -> dict[str, Any]:
    try:
        document = yaml.load(read_text(file, report), _Texts)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise DataError(f"{file} cannot be read as YOLO's data.yaml: it is no yaml{where}") from error
    if not isinstance(document, dict):
        raise DataError(f"{file} cannot be read as YOLO's data.yaml: it states no 'names' and no 'train'")
    return document


def _names(file: Path, document: dict[str, Any]) -> dict[int, str]:
    """Return the names of the classes by their number."""
    names = document.get("names")
    if not isinstance(names, dict | list) or not names:
        raise DataError(f"{file} cannot be read as YOLO's data.yaml: its 'names' must list the classes")
    numbered = names.items() if isinstance(names, dict) else enumerate(names)
    try:
        by_number = {int(number): str(name) for number, name in numbered}
    except (TypeError, ValueError) as error:
        raise DataError(f"{file}: its 'names' must have whole numbers from 0 before the classes") from error
    if len(set(by_number.values())) < len(by_number):
        raise DataError(f"{file}: two classes have the same name: {', '.join(by_number.values())}")
    return by_number


def _configured(
    file: Path, document: dict[str, Any], names: dict[int, str] | None, report: Report
) -> list[PictureEntry]:
    """Read the parts that are learnt from; one that was not exported is left out, if there is another."""
    read: set[Path] = set()
    pictures: list[PictureEntry] = []
    missing = []
    for part in TRAINING_PARTS:
        for value in listed(document.get(part)):
            place = _place(file, document.get("path"), str(value))
            if place is None:
                missing.append(
                    f"its '{part}' is {value}, and no such folder or list of pictures is beside it"
                )
            elif place.resolve() not in read:
                read.add(place.resolve())
                pictures += _part(place, names, report)
    if not any(document.get(part) for part in TRAINING_PARTS):
        raise DataError(f"{file} states no 'train', the folder of the pictures or a list of them")
    if not pictures and missing:
        raise DataError(f"{file}: {missing[0]}; correct the path, or name the folder with --images")
    for message in missing:
        report.doubtful(file, f"{message}: left out")
    return pictures


def _part(place: Path, names: dict[int, str] | None, report: Report) -> list[PictureEntry]:
    if place.is_file():
        return _in_list(place, names, report)
    folder = place / "images" if (place / "images").is_dir() else place
    return _beside(folder, _labels_folder(folder, folder), names, report)


def _place(file: Path, base: Any, value: str) -> Path | None:
    """Find a folder of pictures, or a list of them: relative to `path`, else to the data.yaml, else by its tail.

    The last is what exports need whose paths are those of another machine, or of a folder that is not there.
    """
    path = posix(value)
    roots = [file.parent / posix(str(base)) if base else file.parent, file.parent]
    parts = [part for part in path.parts if part not in {"/", ".", ".."}]
    tails = [PurePosixPath(*parts[start:]) for start in range(len(parts))]
    places = [root / path for root in roots] + [file.parent / tail for tail in tails]
    return next(filter(_holds_pictures, places), None)


def _holds_pictures(place: Path) -> bool:
    try:
        return place.is_dir() or (place.suffix == ".txt" and place.is_file())
    except (OSError, ValueError):  # a name that no system has
        return False


def _in_list(file: Path, names: dict[int, str] | None, report: Report) -> list[PictureEntry]:
    """Read a text that names a picture a line, as CVAT writes it."""
    finder = Finder(file)
    pictures = []
    for number, line in enumerate(read_lines(file, report), start=1):
        if not line:
            continue
        found = finder.find(line)
        if isinstance(found, Missing):
            report.broken(file, f"picture {line} {found.reason}", f"line {number}")
        else:
            pictures += _picture(
                found, _labels_folder(found.parent, found.parent) / f"{found.stem}.txt", names, report
            )
    return pictures


def _plain_names(folder: Path, report: Report) -> dict[int, str] | None:
    for name in ("classes.txt", "labels/classes.txt"):
        if (folder / name).is_file():
            return {number: line for number, line in enumerate(read_lines(folder / name, report)) if line}
    return None


def _labels_folder(images: Path, data: Path) -> Path:
    """Return the folder of the labels.

    The last `images` in the path becomes `labels`, as YOLO does it; else they are in `labels` of the data, or beside
    the pictures.
    """
    parts = list(images.parts)
    swapped = [
        Path(*parts[:index], "labels", *parts[index + 1 :])
        for index in range(len(parts) - 1, -1, -1)
        if parts[index] == "images"
    ][:1]
    beside = [images] if any(images.glob("*.txt")) else []
    places = [*swapped, data / "labels", *beside]
    return next((place for place in places if place.is_dir()), places[0])


def _beside(folder: Path, labels: Path, names: dict[int, str] | None, report: Report) -> list[PictureEntry]:
    """Read the pictures of a folder, whose labels are in another under the same names."""
    if not labels.is_dir():
        report.broken(labels, f"is missing; it must hold the labels of {folder}")
        return []
    return [
        entry
        for picture in pictures_in(folder)
        for entry in _picture(picture, labels / f"{picture.stem}.txt", names, report)
    ]


def _picture(picture: Path, labels: Path, names: dict[int, str] | None, report: Report) -> list[PictureEntry]:
    """Read a picture's lines; without a file of labels it has no object, with a damaged one it is left out."""
    if not labels.is_file():
        return [PictureEntry(picture.name, labels, picture)]
    try:
        lines = read_lines(labels, report)
    except DataError as error:
        report.broken(labels, str(error).removeprefix(f"{labels} "))
        return []
    objects = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        where = f"line {number}"
        try:
            objects.append(object_in(where, line.split(), names))
        except ValueError as error:
            report.broken(labels, str(error), where)
    return [PictureEntry(picture.name, labels, picture, tuple(objects))]


def object_in(name: str, fields: list[str], names: dict[int, str] | None) -> ObjectEntry:
    """Read a line: a class and the corners of a polygon; raises `ValueError` with a sentence."""
    index = _class_number(fields[0])
    if names is not None and index not in names:
        raise ValueError(f"has class {index}; known are {', '.join(str(number) for number in sorted(names))}")
    corners = numbers(fields[1:]).tolist()
    if len(corners) == 4:
        raise ValueError("is a box (4 numbers), and a mask is needed: a polygon of 3 corners or more")
    if len(corners) % 2:
        raise ValueError(
            f"has {len(corners)} numbers after its class, and corners have two each; if the last is a confidence, as "
            "predictions have it, delete it"
        )
    shape = polygon(corners, shares=True)
    farthest = max(map(abs, shape.bounds))
    if farthest > FARTHEST_SHARE:
        raise ValueError(
            f"has a coordinate of {farthest:g}: these look like pixels, and YOLO's are shares of the width "
            "and height, from 0 to 1; divide them by these, or export again"
        )
    return ObjectEntry(name, str(index) if names is None else names[index], (shape,))


def _class_number(text: str) -> int:
    """Return the number of a class, which some tools write as 0.0."""
    try:
        index = float(text)
    except ValueError:
        index = -1.0
    if index < 0 or not index.is_integer():
        raise ValueError(f"starts with {text!r}, and the number of a class is needed: 0, 1, 2, …")
    return int(index)
