"""The history: what was measured, narrowed down, chosen from, taken away as files, deleted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from planimeter.errors import InvalidOption, NoRoom
from planimeter.exports.formats import FORMATS
from planimeter.measuring.table import EXCEL_STYLES
from planimeter.rules import VERDICTS
from planimeter.service.api.options.filters import FilterOptions, query_of
from planimeter.service.api.options.many import MOST_AT_ONCE, DeleteOptions
from planimeter.service.api.options.pages import HistoryOptions
from planimeter.service.api.options.parsing import option_names, parse
from planimeter.service.context import context
from planimeter.service.deleting import delete_many as delete_measurements
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.measurement import colors_of
from planimeter.service.pages.review import review_query
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs
from planimeter.store import EVERYTHING, Filter, Order, Record
from planimeter.store.distribution import round_step

PAGE_SIZE = 48
SHOWN_BEFORE_DELETING = 12
MOST_CLASSES = 12
ORDER_TITLES = {
    "-created_at": "newest first",
    "created_at": "oldest first",
    "-percent_masked": "most masked first",
    "percent_masked": "least masked first",
    "-instances": "most instances first",
    "instances": "fewest instances first",
    "filename": "by name",
    "-filename": "by name, from the end",
    "model": "by model",
    "-model": "by model, from the end",
}
COLUMNS = (
    ("file", "File", "filename", False),
    ("masked", "Masked", "percent_masked", True),
    ("instances", "Instances", "instances", True),
    ("model", "Model", "model", False),
    ("measured", "Measured", "created_at", False),
)
"""Of the table, those that it can be sorted by: name, title, what to sort by, whether it is a number."""
JUST_NOW = {"deleted", "undo", "restored"}
"""What the page tells once of what happened before it."""


@blueprint.get("/measurements")
@needs("read")
def history() -> str | tuple[str, int]:
    """List the matching measurements, newest first, one page at a time."""
    try:
        options = parse(HistoryOptions, known(HistoryOptions, request.args))
    except InvalidOption as problem:
        return _history(HistoryOptions(), str(problem)), 400
    return _history(options)


def _history(options: HistoryOptions, problem: str | None = None) -> str:
    parts = context()
    wanted = options.filter
    found = (
        []
        if problem
        else parts.store.list(wanted, limit=PAGE_SIZE + 1, before=options.before, order=options.order)
    )
    records = found[:PAGE_SIZE]
    given = {
        name: value for name, value in request.args.items() if value and name in option_names(HistoryOptions)
    }
    kept = {name: value for name, value in given.items() if name not in JUST_NOW | {"before"}}
    return render_template(
        "history.html",
        problem=problem,
        options=options,
        given=given,
        given_tags=", ".join(filter(None, request.args.getlist("tag"))),
        filtered=wanted != EVERYTHING,
        # What the fields of the form do not show: it came by a link, from the chart or from a report.
        silent=query_of(_silent(options)),
        query=query_of(wanted),
        exports=_exports(),
        review=review_query(options),
        here=kept,
        records=records,
        colors={record.id: colors_of(record.measurement) for record in records},
        full=round_percent(record.measurement.coverage.percent_masked for record in records),
        orders=ORDER_TITLES,
        trend_models=_models_of(wanted, records),
        columns=COLUMNS,
        sort_by=lambda column: _sort_by(options.order, column),
        class_colors=_class_colors(wanted, options),
        titles={name: pack.manifest.title for name, pack in parts.models.packs().items()},
        older=records[-1].id if len(found) > PAGE_SIZE else None,
        count=0 if problem else parts.store.count(wanted),
        total=parts.store.count(),
        has_corrected=bool(parts.store.count(replace(wanted, corrected=True))),
        lots=parts.store.lots.count(),
        in_trash=parts.store.trash.count(),
        models=parts.store.models(),
        classes=parts.store.classes(),
        profiles=parts.store.measured_by_profiles(),
        verdicts=VERDICTS,
        most_at_once=MOST_AT_ONCE,
    )


def _models_of(wanted: Filter, records: Sequence[Record]) -> list[dict[str, str]]:
    """Return the models that measured what matches, that of the first record first."""
    if wanted.model is not None or not records:
        return []
    parts = context()
    packs = parts.models.packs()
    first = records[0].measurement.model.name
    names = [
        name
        for name in parts.store.models()
        if name == first or parts.store.count(replace(wanted, model=name))
    ]
    names.sort(key=lambda name: name != first)
    return [{"name": name, "title": packs[name].manifest.title if name in packs else name} for name in names]


def _sort_by(order: Order, column: str) -> str:
    """Return the order that a click on the head of a column asks for: falling first, where numbers are."""
    if order.removeprefix("-") == column:
        return column if order.startswith("-") else f"-{column}"
    return column if column in {"filename", "model"} else f"-{column}"


def _class_colors(wanted: Filter, options: HistoryOptions) -> dict[str, str]:
    """Return the classes that the table may show, by falling mean, each with its colour."""
    if options.view != "table":
        return {}
    parts = context()
    names = [entry.name for entry in parts.store.statistics(wanted).by_class]
    colors = parts.models.class_colors(names)
    return {name: colors[name] for name in names[:MOST_CLASSES]}


def round_percent(percents: Iterable[float | None]) -> float:
    """Return the end of a scale for percentages: a round number that the highest nearly fills, at most 100."""
    return min(100.0, round_step(max([*filter(None, percents), 0.01])))


def _silent(options: HistoryOptions) -> Filter:
    return Filter(ids=options.ids, batch=options.batch, since=options.since, until=options.until)


@blueprint.get("/measurements/delete")
@needs("admin")
def confirm_deleting() -> str:
    """Ask before the matching measurements are deleted."""
    wanted = parse(FilterOptions, known(FilterOptions, request.args)).filter
    store = context().store
    return render_template(
        "delete.html",
        query=query_of(wanted),
        count=store.count(wanted),
        records=store.list(wanted, limit=SHOWN_BEFORE_DELETING),
        most_at_once=MOST_AT_ONCE,
        everything=wanted == EVERYTHING,
        full="full" in request.args,
    )


@blueprint.post("/measurements/delete")
@needs("admin")
def delete_many() -> Response:
    """Delete what was asked about, where it is still as many, and lead back to the history."""
    options = parse(DeleteOptions, known(DeleteOptions, request.form))
    wanted = options.filter
    query = query_of(wanted)
    try:
        deleted, deletion = delete_measurements(wanted, options.count, for_good=options.for_good)
    except NoRoom:  # nothing is left but to delete for good
        return redirect(link("pages.confirm_deleting", full=1, **query), 303)
    left = {name: value for name, value in query.items() if name != "ids"}
    return redirect(link("pages.history", deleted=deleted, undo=deletion, **left), 303)


def _exports() -> list[tuple[str, str, str, str]]:
    """Return what each file for another program is called, where it is, and the option that chooses it."""
    return [
        *(
            (form.title, link("api.export_of_many"), "format", name)
            for name, form in FORMATS.items()
            if name != "coco"  # it has a button of its own
        ),
        *((title, link("api.csv"), "csv_style", style) for style, title in EXCEL_STYLES.items()),
    ]
