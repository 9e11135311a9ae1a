"""The history: what was measured, narrowed down, chosen from, taken away as files, deleted."""

from collections.abc import Iterable

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from planimeter.errors import InvalidOption
from planimeter.exports.formats import FORMATS
from planimeter.measuring.table import EXCEL_STYLES
from planimeter.service.api.options import (
    MOST_AT_ONCE,
    DeleteOptions,
    FilterOptions,
    HistoryOptions,
    option_names,
    parse,
    query_of,
)
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.measurement import colors_of
from planimeter.service.pages.review import review_query
from planimeter.service.pages.site import blueprint
from planimeter.store import EVERYTHING, Filter
from planimeter.store.distribution import round_step

PAGE_SIZE = 48
SHOWN_BEFORE_DELETING = 12
FIELDS = ("filename", "model", "class", "from", "to", "min_percent", "max_percent")
"""Of the form, in its order."""


@blueprint.get("/measurements")
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
    kept = {name: value for name, value in given.items() if name not in {"before", "deleted"}}
    return render_template(
        "history.html",
        problem=problem,
        options=options,
        given=given,
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
        older=records[-1].id if len(found) > PAGE_SIZE else None,
        count=0 if problem else parts.store.count(wanted),
        total=parts.store.count(),
        models=parts.store.models(),
        classes=parts.store.classes(),
        most_at_once=MOST_AT_ONCE,
    )


def round_percent(percents: Iterable[float]) -> float:
    """Return the end of a scale for percentages: a round number that the highest nearly fills, at most 100."""
    return min(100.0, round_step(max([*percents, 0.01])))


def _silent(options: HistoryOptions) -> Filter:
    return Filter(ids=options.ids, batch=options.batch, since=options.since, until=options.until)


@blueprint.get("/measurements/delete")
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
    )


@blueprint.post("/measurements/delete")
def delete_many() -> Response:
    """Delete what was asked about, where it is still as many, and lead back to the history."""
    options = parse(DeleteOptions, known(DeleteOptions, request.form))
    wanted = options.filter
    deleted = context().store.delete_many(wanted, count=options.count)
    left = {name: value for name, value in query_of(wanted).items() if name != "ids"}
    return redirect(link("pages.history", deleted=deleted, **left), 303)


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
