"""GeoJSON of QuPath: a file for each picture, with its annotations or detections (https://qupath.github.io)."""

from pathlib import Path
from typing import Any

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import field, ordered, read_json
from planimeter.labels.finder import Finder, Folders, find_named
from planimeter.labels.shapes import Shape, with_holes

FORMAT = "QuPath GeoJSON"
ONLY_CLASS = "object"
"""Of objects without a classification."""


def is_qupath(document: Any) -> bool:
    """Tell whether a json document is GeoJSON: a collection of features, or a list of them."""
    if isinstance(document, dict):
        return document.get("type") in {"FeatureCollection", "Feature"}
    return isinstance(document, list) and any(
        isinstance(feature, dict) and feature.get("type") == "Feature" for feature in document
    )


def open_qupath(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a file, or a folder of files, each under the name of its picture."""
    pictures = []
    folders = Folders()
    for file in geojson_files(path) if path.is_dir() else [path]:
        try:
            document = read_json(file, report)
        except DataError as error:
            report.broken(file, str(error).removeprefix(f"{file} "))
            continue
        source = find_named(Finder(file, images, folders), file.stem)
        name = source.name if isinstance(source, Path) else file.stem
        pictures.append(PictureEntry(name, file, source, tuple(objects_in(file, document, report))))
    classes = ordered(item.class_name for picture in pictures for item in picture.objects)
    return LabelSet(FORMAT, classes, tuple(pictures))


def geojson_files(folder: Path) -> list[Path]:
    """Return the GeoJSON files of a folder."""
    return sorted(file for file in folder.glob("*.geojson") if not file.name.startswith("."))


def objects_in(file: Path, document: Any, report: Report) -> list[ObjectEntry]:
    """Return the objects of a document; `file` is what `report` names."""
    features = document
    if isinstance(document, dict):
        features = [document] if document.get("type") == "Feature" else document.get("features")
    if not isinstance(features, list):
        report.broken(file, "is no GeoJSON of objects: its 'features' are missing or no list")
        return []
    objects = []
    for count, feature in enumerate(features, start=1):
        name = f"feature {count}"
        try:
            objects.append(ObjectEntry(name, _class(feature), _shapes(field(feature, "geometry"))))
        except ValueError as error:
            report.broken(file, str(error), name)
    return objects


def _class(feature: Any) -> str:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    classification = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(classification, dict):
        names = classification.get("names")  # of a class within a class, as newer versions write it
        name = classification.get("name") or (": ".join(map(str, names)) if isinstance(names, list) else "")
        return str(name).strip() or ONLY_CLASS
    return str(classification or "").strip() or ONLY_CLASS


def _shapes(geometry: Any) -> tuple[Shape, ...]:
    kind = field(geometry, "type")
    if kind == "GeometryCollection":
        parts = field(geometry, "geometries")
        return tuple(
            shape for part in (parts if isinstance(parts, list) else [None]) for shape in _shapes(part)
        )
    coordinates = field(geometry, "coordinates")
    if str(kind) not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"a {kind} has no area; read are Polygon and MultiPolygon")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not all(isinstance(rings, list) and rings for rings in polygons):
        raise ValueError("its coordinates are no rings of corners")
    return tuple(with_holes(rings[0], rings[1:]) for rings in polygons)
