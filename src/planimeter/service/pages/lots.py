"""Lots as pages: which there are, and one of them summed up."""

from dataclasses import replace

from flask import render_template, request

from planimeter.errors import InvalidOption
from planimeter.service.api.answers.lots import LotOfModel, lot_line
from planimeter.service.api.lots import sum_up_lot
from planimeter.service.api.options.lots import LotListOptions, LotOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.context import context
from planimeter.service.pages.bars import bars_of
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs
from planimeter.store import Filter, Order

SHOWN = 12
_ORDER: Order = "-percent_masked"


@blueprint.get("/lots")
@needs("read")
def lots() -> str:
    """List lots, that with the newest measurement first."""
    options = parse(LotListOptions, known(LotListOptions, request.args))
    store, name = context().store, options.name or ""
    count = store.lots.count(name)
    following = options.offset + options.limit
    return render_template(
        "lots.html",
        lots=[lot_line(lot) for lot in store.lots.list(name, limit=options.limit, offset=options.offset)],
        count=count,
        name=name,
        next_offset=following if following < count else None,
    )


@blueprint.get("/lots/<path:name>")
@needs("read")
def lot(name: str) -> str | tuple[str, int]:
    """Show one lot in sum."""
    try:
        return _lot(name, parse(LotOptions, known(LotOptions, request.args)))
    except InvalidOption as problem:
        return _lot(name, LotOptions(), str(problem)), 400


def _lot(name: str, options: LotOptions, problem: str | None = None) -> str:
    found = sum_up_lot(name, options)
    store, wanted = context().store, Filter(lot=found.name)
    records = store.list(wanted, limit=SHOWN, order=_ORDER)
    return render_template(
        "lot.html",
        lot=found,
        options=options,
        problem=problem,
        bars=[bars_of(entry.statistics.histogram) for entry in found.by_model],
        versions=[_version(wanted, entry) for entry in found.by_model],
        records=records,
        repeated=store.lots.repeated_among(found.name, [record.id for record in records]),
        has_corrected=bool(store.count(replace(wanted, corrected=True))),
        review={"lot": found.name, "order": _ORDER},
    )


def _version(of_lot: Filter, entry: LotOfModel) -> str:
    """Return the version of a model as its newest measurement in the lot tells it."""
    wanted = replace(of_lot, model=entry.model, model_sha256=entry.model_sha256)
    newest = context().store.list(wanted, limit=1)
    return newest[0].measurement.model.version if newest else ""
