"""VIA's other exports, a project of VIA 3 and the CSV of VIA 2, turned into the entries of its json."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, Report
from planimeter.labels.files import read_json, read_text
from planimeter.labels.via import read_entries

_NAMES = {1: "point", 2: "rect", 3: "circle", 4: "ellipse", 5: "line", 6: "polyline", 7: "polygon"}
"""What VIA 3 calls its shapes by number."""
_FIELDS = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}
_CHECKBOX = 2


def is_via_3(document: Any) -> bool:
    """Tell whether a json document is a project of VIA 3."""
    return isinstance(document, dict) and {"file", "view", "metadata"} <= document.keys()


def open_via_3(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a project of VIA 3."""
    document = read_json(file, report)
    if not all(isinstance(document[name], dict) for name in ("file", "view", "metadata")):
        raise DataError(
            f"{file} cannot be read as VIA 3: its file, view and metadata are no objects; save it again"
        )
    entries: dict[str, Any] = {
        str(key): {"filename": entry.get("fname") or entry.get("src") or key, "regions": []}
        for key, entry in document["file"].items()
        if isinstance(entry, dict)
    }
    for key, entry in document["metadata"].items():
        shape = entry.get("xy") if isinstance(entry, dict) else None
        if not shape:
            continue  # what is said about a whole file
        view = document["view"].get(str(entry.get("vid")))
        shown = view.get("fid_list") if isinstance(view, dict) else None
        if not isinstance(shown, list) or not shown or str(shown[0]) not in entries:
            report.broken(file, f"names the view {entry.get('vid')}, which shows no file", f"metadata {key}")
            continue
        entries[str(shown[0])]["regions"].append(_region(document, entry, shape))
    return read_entries(file, images, entries, report)


def _region(document: Any, entry: Any, shape: Any) -> dict[str, Any]:
    number = shape[0] if isinstance(shape, list) else None
    kind = _NAMES.get(number, str(number)) if isinstance(number, int) else "shape of no kind"
    attributes: dict[str, Any] = {"name": kind}
    if kind == "polygon":
        attributes |= {"all_points_x": shape[1::2], "all_points_y": shape[2::2]}
    elif kind in _FIELDS:
        attributes |= dict(zip(_FIELDS[kind], shape[1:], strict=False))
    return {"shape_attributes": attributes, "region_attributes": _attributes(document, entry)}


def _attributes(document: Any, entry: Any) -> dict[str, Any]:
    """Return a region's attributes by their names, each with the words of the option that was chosen."""
    known = document.get("attribute")
    values = entry.get("av")
    if not isinstance(known, dict) or not isinstance(values, dict):
        return {}
    return {
        str(known[key].get("aname", key)): _chosen(known[key], value)
        for key, value in values.items()
        if isinstance(known.get(key), dict)
    }


def _chosen(attribute: dict[str, Any], value: Any) -> Any:
    options = attribute.get("options")
    if not isinstance(options, dict) or not options:
        return value  # a text
    if attribute.get("type") == _CHECKBOX:
        return {options.get(key, key): True for key in str(value).split(",") if key}
    return options.get(str(value), value)


def open_via_csv(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read the annotations that VIA 2 exported as CSV."""
    rows = csv.DictReader(io.StringIO(read_text(file, report)))
    needed = {"filename", "region_shape_attributes", "region_attributes"}
    if not needed <= set(rows.fieldnames or ()):
        raise DataError(
            f"{file} cannot be read as VIA's CSV: its first line must name {', '.join(sorted(needed))}"
        )
    entries: dict[str, Any] = {}
    for row in _rows(file, rows):
        regions = entries.setdefault(row["filename"], {"filename": row["filename"], "regions": []})["regions"]
        try:
            shape, attributes = (
                json.loads(row[name] or "{}") for name in ("region_shape_attributes", "region_attributes")
            )
        except ValueError:
            report.broken(
                file,
                "its attributes are no json; export it again, and do not edit it",
                f"line {rows.line_num}",
            )
            continue
        if shape:  # a picture without a region has a line too
            regions.append({"shape_attributes": shape, "region_attributes": attributes})
    return read_entries(file, images, entries, report)


def _rows(file: Path, rows: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise DataError(
            f"{file}: line {rows.line_num + 1} is damaged, or an outline in it has more than "
            f"{csv.field_size_limit():,} characters; export json instead"
        ) from error
