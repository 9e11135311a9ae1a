"""Many measurements at once: as one file, summed up, over time, deleted."""

from itertools import islice

from flask import Response, stream_with_context

from planimeter.errors import TooMany
from planimeter.exports.files import name_of_many
from planimeter.measuring.table import CsvStyle
from planimeter.service.api.answering import file_answer, json_answer
from planimeter.service.api.answers.many import (
    Deleted,
    LineList,
    StatisticsAnswer,
    line_answer,
    statistics_answer,
)
from planimeter.service.api.answers.trend import TrendAnswer, trend_answer
from planimeter.service.api.described import PICTURE, TEXT, answer_of, coco_file
from planimeter.service.api.exports import export_all, write_csv, write_zip
from planimeter.service.api.options.many import (
    MOST_AT_ONCE,
    ArchiveOptions,
    CocoOptions,
    DeleteOptions,
    LinesOptions,
    ListOptions,
    StatisticsOptions,
    TableOptions,
    TrendOptions,
)
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.deleting import delete_many
from planimeter.store import Filter


def csv_answer(options: ListOptions, style: CsvStyle = "plain") -> Response:
    """Answer a table of measurements."""
    store = context().store
    records = islice(store.walk(options.filter, before=options.before, order=options.order), options.limit)
    return file_answer(
        write_csv(store, options.filter, records, style), "text/csv; charset=utf-8", "measurements.csv"
    )


@api.get(
    "/measurements/lines",
    "List measurements in short",
    answer_of("Their figures, without instances and masks.", LineList),
    role="read",
    options=LinesOptions,
    description="Quick for long lists: it begins at any place of the order, and no document is read.",
)
def lines(options: LinesOptions) -> Response:
    """Answer measurements in short."""
    store, wanted = context().store, options.filter
    found = store.lines(wanted, limit=options.limit, offset=options.offset, order=options.order)
    return json_answer(LineList(count=store.count(wanted), lines=[line_answer(line) for line in found]))


@api.get(
    "/measurements/csv",
    "Get measurements as a table",
    {"description": "The table.", "content": {"text/csv": TEXT}},
    role="read",
    options=TableOptions,
    errors=(400, 409),
)
def csv(options: TableOptions) -> Response:
    """Answer a table of the matching measurements."""
    return csv_answer(ListOptions(**options.model_dump(exclude={"csv_style"})), options.csv_style)


@api.get(
    "/measurements/coco",
    "Get measurements as one COCO data set",
    coco_file(),
    role="read",
    options=CocoOptions,
    errors=(400, 409),
)
def coco_of_many(options: CocoOptions) -> Response:
    """Answer one COCO data set of the matching measurements."""
    wanted = options.filter
    refuse_too_many(wanted)
    name, media_type = name_of_many("coco", options.figures)
    return file_answer(export_all("coco", wanted, options.figures), media_type, name)


@api.get(
    "/measurements/zip",
    "Get the pictures of measurements as an archive",
    {"description": "The archive.", "content": {"application/zip": PICTURE}},
    role="read",
    options=ArchiveOptions,
    errors=(400, 409),
)
def zip_archive(options: ArchiveOptions) -> Response:
    """Answer an archive of the pictures of the matching measurements."""
    refuse_too_many(options.filter)
    store = context().store
    pieces = write_zip(store, options.filter, store.walk(options.filter), options.content, options.figures)
    said = "corrected_" if options.figures == "corrected" else ""
    return file_answer(
        stream_with_context(pieces), "application/zip", f"measurements_{said}{options.content}.zip"
    )


@api.get(
    "/measurements/trend",
    "Get the percent masked over time",
    answer_of("The trend.", TrendAnswer),
    role="read",
    options=TrendOptions,
    errors=(400, 409),
)
def trend(options: TrendOptions) -> Response:
    """Answer the percent masked over time."""
    parts = context()
    found = parts.store.trend(options.filter, most_buckets=options.buckets, figures=options.figures)
    return json_answer(trend_answer(found, parts.models.class_colors(found.classes)))


@api.get(
    "/measurements/statistics",
    "Get measurements summed up",
    answer_of("The statistics.", StatisticsAnswer),
    role="read",
    options=StatisticsOptions,
    errors=(400, 409),
)
def statistics(options: StatisticsOptions) -> Response:
    """Answer sums and spread of the matching measurements."""
    parts = context()
    found = parts.store.statistics(
        options.filter, limit_percent=options.limit_percent, figures=options.figures
    )
    colors = parts.models.class_colors(entry.name for entry in found.by_class)
    return json_answer(statistics_answer(found, colors, options.limit_percent))


@api.route(
    "DELETE",
    "/measurements",
    "Delete many measurements with their pictures",
    answer_of("They are in the trash, or gone for good.", Deleted),
    role="admin",
    options=DeleteOptions,
    errors=(400, 403, 409, 503, 507),
)
def delete_measurements(options: DeleteOptions) -> Response:
    """Delete the matching measurements with their pictures, if there are as many as `count` says."""
    deleted, deletion = delete_many(options.filter, options.count, for_good=options.for_good)
    return json_answer(Deleted(deleted=deleted, deletion=deletion))


def refuse_too_many(wanted: Filter) -> None:
    """Raise `TooMany` where one file cannot take all that match."""
    found = context().store.count(wanted)
    if found > MOST_AT_ONCE:
        raise TooMany(
            f"{found:,} measurements match, one file takes at most {MOST_AT_ONCE:,}; narrow them down, for "
            "example with since and until"
        )
