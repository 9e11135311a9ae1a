"""Measurements as files that other programs open, one or many: `planimeter.exports` writes them."""

from flask import Response, jsonify

from planimeter.exports.coco import of_one
from planimeter.exports.files import name_of_many, write_one
from planimeter.service.api.answering import file_answer, unchanging
from planimeter.service.api.described import PICTURE, TEXT, coco_file
from planimeter.service.api.exports import carried_by, export_all, sources
from planimeter.service.api.many import refuse_too_many
from planimeter.service.api.options.many import ManyExportOptions
from planimeter.service.api.options.measurements import ExportOptions, FiguresOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.measuring import record_at

CHANGE_HEADER = "Planimeter-Coverage-Change"


@api.get(
    "/measurements/<id>/coco",
    "Get the measurement as a COCO data set of one picture",
    coco_file(),
    role="read",
    options=FiguresOptions,
    errors=(400, 404, 409),
)
def coco(options: FiguresOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the measurement as a COCO data set of one picture."""
    record = record_at(context().store.get(id), options.score_threshold)
    carried = carried_by(record, options.figures)
    name = f"{record.files.stem}{'_corrected' if carried == 'corrected' else ''}_coco.json"
    return unchanging(
        record,
        "application/json",
        name,
        lambda: jsonify(of_one(next(sources([record], carried)))).data,
        follows=(record,),
    )


@api.get(
    "/measurements/<id>/export",
    "Get the measurement as a file for another program",
    {
        "description": "The file; with yolo and fiji a zip. What the format cannot carry stands in it, in its "
        "README.txt or in the comment of the zip.",
        "content": {
            kind: {"schema": {}}
            for kind in ("application/geo+json", "application/json", "application/xml", "application/zip")
        },
        "headers": {
            CHANGE_HEADER: {
                "description": "Percentage points by which the coverage of what is exported differs from the measured "
                "one, as Planimeter itself reads the file as labels; not there where there is no percentage.",
                "schema": {"type": "number"},
            }
        },
    },
    role="read",
    options=ExportOptions,
    errors=(400, 404, 409),
)
def export(options: ExportOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the measurement as a file for another program."""
    record = record_at(context().store.get(id), options.score_threshold)
    file = write_one(options.format, next(sources([record], options.figures, options.pictures)))
    answer = unchanging(record, file.media_type, file.name, lambda: file.data, follows=(record,))
    if file.change.points is not None:
        answer.headers[CHANGE_HEADER] = f"{file.change.points + 0.0:.6f}"
    return answer


@api.get(
    "/measurements/export",
    "Get measurements as files for another program",
    {
        "description": "One file where the format has that (coco, cvat, label_studio), else a zip of a file for each "
        "picture with README.txt, which says what the format cannot carry, and coverage.csv, which says by how "
        "many percentage points it changes the coverage of each picture.",
        "content": {"application/zip": PICTURE, "application/json": {"schema": {}}, "application/xml": TEXT},
    },
    role="read",
    options=ManyExportOptions,
    errors=(400, 409),
)
def export_of_many(options: ManyExportOptions) -> Response:
    """Answer the matching measurements as files for another program."""
    wanted = options.filter
    refuse_too_many(wanted)
    name, media_type = name_of_many(options.format, options.figures)
    return file_answer(
        export_all(options.format, wanted, options.figures, options.pictures), media_type, name
    )
