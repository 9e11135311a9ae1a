"""The formats of exports: who opens them, what they cannot carry, how a picture is written and read back."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from planimeter.exports import coco, cvat, fiji, geojson, label_studio, labelme, yolo
from planimeter.exports.source import Change, Source, change_of
from planimeter.labels.entries import ObjectEntry
from planimeter.measuring.table import Cell

ExportFormat = Literal["coco", "cvat", "geojson", "fiji", "labelme", "label_studio", "yolo"]


@dataclass(frozen=True)
class Format:
    """One format."""

    title: str
    """What it is called, and who opens it."""
    suffix: str
    """What follows the name of the picture."""
    media_type: str
    cannot_carry: str
    """What is lost or altered, and where to look out: a sentence."""
    write: Callable[[Source, dict[str, int]], Any]
    """Takes the numbers of the classes; returns a document, a text or bytes."""
    read: Callable[[Any, Source], Sequence[ObjectEntry]]
    """Returns the objects of what was written, as they are read as labels."""
    one_file: bool = False
    """Whether all pictures of an export are in one file."""
    ending: str = ".json"
    """Of that one file."""
    whole: str = ""
    """What it is called in a folder, where its program expects a name."""
    folder: str = ""
    """Where the files of an export of several pictures are."""


FORMATS: dict[ExportFormat, Format] = {
    "coco": Format(
        "COCO json",
        "_coco.json",
        "application/json",
        "Run lengths carry every mask exactly, with holes, parts and overlaps; scores and classes come along. The "
        "picture does not.",
        lambda source, _: coco.of_one(source),
        coco.read,
        one_file=True,
    ),
    "cvat": Format(
        "CVAT for images 1.1",
        "_cvat.xml",
        "application/xml",
        "Masks are carried exactly, with holes, parts and overlaps. Scores are not carried: in CVAT they would be an "
        "attribute of the label. The task in CVAT needs labels of the same names, and pictures that are called as the "
        "file calls them; the picture does not come along.",
        lambda source, _: cvat.of_one(source, FORMATS["cvat"].cannot_carry),
        cvat.read,
        one_file=True,
        ending=".xml",
        whole="annotations.xml",
    ),
    "geojson": Format(
        "GeoJSON for QuPath",
        ".geojson",
        "application/geo+json",
        "Outlines run along the edges of pixels, so masks are carried exactly, with holes, parts and overlaps; "
        "scores are measurements of the annotations. A curve has the steps of its pixels. The picture does not come "
        "along.",
        lambda source, _: geojson.write(source),
        geojson.read,
    ),
    "fiji": Format(
        "ROI zip for Fiji and ImageJ",
        "_rois.zip",
        "application/zip",
        "Traced regions, composite ones where an object has holes or parts, carry masks exactly, and overlaps too. "
        "The class and the score are properties of a region, which the ROI Manager shows but does not measure "
        "with; characters beyond 16 bits in the names of classes become underscores. The picture does not "
        "come along.",
        lambda source, _: fiji.write(source, FORMATS["fiji"].cannot_carry),
        fiji.read,
    ),
    "labelme": Format(
        "LabelMe json",
        ".json",
        "application/json",
        "Polygons along the edges of pixels, and masks where an object has holes (LabelMe 5.2 or newer shows them; "
        "many converters leave them out), carry masks exactly, and overlaps too; the parts of an object are shapes "
        "of one group. LabelMe shows the score as a description only. The picture does not come along.",
        lambda source, _: labelme.write(source),
        labelme.read,
    ),
    "label_studio": Format(
        "Label Studio json",
        "_label_studio.json",
        "application/json",
        "Polygons along the edges of pixels, and brushed masks where there are holes or parts, carry masks exactly, "
        'with overlaps and scores. They need <PolygonLabels name="polygon" toName="image"> and <BrushLabels '
        'name="brush" toName="image"> in the labelling configuration, each with the classes. The picture does not come '
        "along: make its name in data.image an address that Label Studio reaches.",
        lambda source, _: label_studio.write(source),
        label_studio.read,
        one_file=True,
    ),
    "yolo": Format(
        "YOLO segmentation labels",
        ".txt",
        "text/plain",
        "Scores are not carried. A line is one polygon, so holes and parts are joined to the outline by seams without "
        "width: exact for readers that ask for the centres of pixels, while those that draw outlines too, as "
        "Ultralytics does, fill the seams a pixel wide. Overlaps are carried. Pictures do not come along: they belong "
        "into images, beside labels.",
        yolo.write,
        yolo.read,
        folder="labels/",
    ),
}
"""In the order in which they are listed."""


@dataclass(frozen=True)
class Exported:
    """One picture, written."""

    source: Source
    document: Any
    change: Change


def export(kind: ExportFormat, source: Source, numbers: dict[str, int]) -> Exported:
    """Return a picture as a document, a text or bytes, and what became of its coverage."""
    form = FORMATS[kind]
    document = form.write(source, numbers)
    change = change_of(source, form.read(document, source))
    if isinstance(document, dict):
        document = _with_facts(form, source, document, change)
    return Exported(source, document, change)


def encoded(document: Any) -> bytes:
    """Return what was written as the bytes of a file."""
    if isinstance(document, bytes):
        return document
    if isinstance(document, str):
        return document.encode()
    return (json.dumps(document, ensure_ascii=False) + "\n").encode()


def readme(kind: ExportFormat) -> str:
    """Return what goes with the files of an export: what they are and what they cannot carry."""
    form = FORMATS[kind]
    return (
        f"{form.title}, written by Planimeter {version('planimeter')}.\n\n{form.cannot_carry}\n\n"
        "coverage.csv says for each picture which figures it has, measured or corrected by people, how much of it is "
        "masked by them, how much the written shapes "
        "cover when Planimeter reads them back as labels, and the difference in percentage points.\n"
    )


def coverage_row(entry: Exported, file: str) -> dict[str, Cell]:
    """Return a picture's row of `coverage.csv`."""
    change = entry.change
    return {
        "file": file,
        "filename": entry.source.measurement.image.filename,
        "measurement": entry.source.id or "",
        "model": entry.source.measurement.model.name,
        "score_threshold": entry.source.measurement.options.score_threshold,
        "figures": entry.source.figures,
        "reviewed": entry.source.reviewed,
        "instances": len(entry.source.measurement.instances),
        "objects_exported": change.objects_exported,
        **{name: "" if value is None else value for name, value in change.described().items()},
    }


COVERAGE_COLUMNS = (
    "file",
    "filename",
    "measurement",
    "model",
    "score_threshold",
    "figures",
    "reviewed",
    "instances",
    "objects_exported",
    "percent_masked",
    "percent_exported",
    "change_in_percentage_points",
)


def largest(changes: Iterable[Change]) -> float:
    """Return the largest change in percentage points, whatever its sign."""
    return max((change.points or 0.0 for change in changes), key=abs, default=0.0)


def _with_facts(form: Format, source: Source, document: dict[str, Any], change: Change) -> dict[str, Any]:
    """Return a document with what a careful reader must know, where its format takes what it does not know."""
    model = source.measurement.model
    facts = {
        "written_by": f"Planimeter {version('planimeter')}",
        "measurement": source.id,
        "model": f"{model.name} {model.version}",
        "score_threshold": source.measurement.options.score_threshold,
        **source.facts,
        "cannot_carry": form.cannot_carry,
        **change.described(),
    }
    if "meta" in document:
        return document | {"meta": facts}
    return document | {"planimeter": facts}
