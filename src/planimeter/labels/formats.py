"""Which format labels have, told by what is in them."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from planimeter.errors import DataError
from planimeter.labels.coco import is_coco, open_coco, open_coco_parts
from planimeter.labels.entries import LabelSet, Report
from planimeter.labels.files import need, pictures_in, read_json
from planimeter.labels.identity import distinct
from planimeter.labels.labelme import is_labelme, labelme_files, open_labelme
from planimeter.labels.via import is_via, open_via
from planimeter.labels.yolo import open_yolo

Reader = Callable[[Path, Path | None, Report], LabelSet]

KNOWN = (
    "a COCO json, a VIA json, a folder of LabelMe json, a YOLO segmentation folder (data.yaml, or images/ and "
    "labels/), or a folder of masks (images/ and masks/ or instances/); docs/labels.md shows each"
)


def open_labels(path: Path, images: Path | None = None, report: Report | None = None) -> LabelSet:
    """Read the label files at `path`, but no picture yet.

    Broken things go to `report`, or raise `DataError` where it is not given.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    report = report or Report()
    found = _open_folder(path, images, report) if path.is_dir() else _open_file(path, images, report)
    if found is None:
        raise DataError(f"{path} is in no label format that Planimeter reads: {KNOWN}")
    if not found.pictures and not any(finding.broken for finding in report.findings):
        raise DataError(f"{path} was read as {found.format} and has no pictures")
    return replace(found, pictures=distinct(found.pictures, report))


def _open_file(path: Path, images: Path | None, report: Report) -> LabelSet | None:
    if path.suffix.lower() in {".yaml", ".yml"}:
        return open_yolo(path, images, report)
    document = read_json(path)
    for known, reader in _JSON_READERS:
        if known(document):
            return reader(path, images, report)
    return None


_JSON_READERS: tuple[tuple[Callable[[Any], bool], Reader], ...] = (
    (is_coco, open_coco),
    (is_via, open_via),
    (is_labelme, open_labelme),
)
"""The formats of one json, and how each is told."""


def _open_folder(path: Path, images: Path | None, report: Report) -> LabelSet | None:
    entries = {entry.name: entry for entry in path.iterdir() if not entry.name.startswith(".")}
    json_files = [entry for name, entry in sorted(entries.items()) if name.lower().endswith(".json")]
    if {"images", "labels"} <= entries.keys() and any(entries["labels"].glob("*.json")):
        return open_labelme(entries["labels"], images, report)
    if _is_yolo(path, entries.keys(), json_files):
        return open_yolo(path, images, report)
    if parts := _roboflow_parts(path):
        return open_coco_parts(parts, report)
    if {"masks", "instances"} & entries.keys() or any((item / "masks").is_dir() for item in entries.values()):
        return _open_extra("mask_files", path, images, report)
    if not json_files and (path / "annotations").is_dir():  # as CVAT exports COCO
        path = path / "annotations"
        json_files = sorted(path.glob("*.json"))
    return _open_json_folder(path, json_files or labelme_files(path), images, report)


def _roboflow_parts(path: Path) -> list[Path]:
    """Return the parts that are learnt from; `test` is for `planimeter evaluate FOLDER/test`."""
    places = [path / part / "_annotations.coco.json" for part in ("train", "valid")]
    return [place for place in places if place.is_file()]


def _is_yolo(path: Path, names: Collection[str], json_files: list[Path]) -> bool:
    if "data.yaml" in names or "data.yml" in names or ("images" in names and "labels" in names):
        return True
    if any(file.with_suffix(".txt").is_file() for file in pictures_in(path)):  # labels beside their pictures
        return True
    # A part of a YOLO folder: images/test, whose labels are in labels/test.
    part_of = "images" in path.parts and not json_files
    return part_of and Path(*("labels" if part == "images" else part for part in path.parts)).is_dir()


def _open_json_folder(path: Path, files: list[Path], images: Path | None, report: Report) -> LabelSet | None:
    whole: list[Path] = []
    for file in files:
        try:
            document = read_json(file)
        except DataError:
            continue  # reported by the reader of its format
        if is_labelme(document):
            return open_labelme(path, images, report)
        if is_coco(document) or is_via(document):
            whole.append(file)
    if len(whole) > 1:
        raise DataError(f"{path} has {len(whole)} label files; name one: {', '.join(map(str, whole))}")
    return _open_file(whole[0], images, report) if whole else None


def _open_extra(module: str, path: Path, images: Path | None, report: Report) -> LabelSet:
    """Open with a reader whose library only the `train` extra installs."""
    reader = need(f"planimeter.labels.{module}", path)
    return cast("LabelSet", getattr(reader, f"open_{module}")(path, images, report))
