"""The report of many measurements or of one: to read, to print on A4, to attach to a delivery."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from flask import render_template, request

from planimeter.errors import InvalidOption, ScoresNotKept, TooMany
from planimeter.fields import FieldMean, field_mean
from planimeter.measurement import Measurement, judge
from planimeter.rules import Verdict
from planimeter.scale import Unit, symbol_of
from planimeter.service.accuracy import Accuracy, accuracy_of
from planimeter.service.api.answers.many import statistics_answer
from planimeter.service.api.options.filters import query_of
from planimeter.service.api.options.pages import ReportOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.context import context
from planimeter.service.measuring import record_at
from planimeter.service.pages.bars import bars_of
from planimeter.service.pages.batches import is_named
from planimeter.service.pages.history import round_percent
from planimeter.service.pages.known import known
from planimeter.service.pages.measurement import colors_of
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs
from planimeter.service.summing import sum_up
from planimeter.store import EVERYTHING, Filter, Record
from planimeter.store.sums import Statistics

MOST_ROWS = 200
MOST_REPEATS = 10_000
MOST_SHEETS = 50
"""Each shows its picture large: a browser must be able to print them."""
_OF_A_SPECIMEN = ("lot", "sample", "operator", "tag", "batch", "profile", "model", "since", "until")
"""What may narrow down a lot whose mean is told: nothing that looks at what was found in its pictures."""


@dataclass(frozen=True)
class Sheet:
    """One measurement in the report."""

    record: Record
    colors: dict[int, str]
    verdict: Verdict | None
    """By the limit, or without one by the rules of its profile."""
    shown: Measurement
    """With the figures that the list shows."""


@blueprint.get("/report")
@needs("read")
def report() -> str | tuple[str, int]:
    """Show totals, distribution and each matching measurement, the most masked first."""
    try:
        options = parse(ReportOptions, known(ReportOptions, request.args))
        return _report(options)
    except (InvalidOption, ScoresNotKept) as problem:
        plain = parse(ReportOptions, known(ReportOptions, request.args, only={"ids", "batch", "lot"}))
        return _report(plain, str(problem)), 400


def _report(options: ReportOptions, problem: str | None = None) -> str:
    parts = context()
    wanted, limit = options.filter, options.limit_percent
    repeated = [] if options.repeats else parts.store.repeated(wanted)
    if len(repeated) > MOST_REPEATS:
        repeated = []
    records, found = _counted(replace(wanted, without=tuple(repeated)), options)
    colors = parts.models.class_colors(entry.name for entry in found.by_class)
    total = statistics_answer(found, colors, limit)
    shown = [record.with_figures(options.figures) for record in records]
    sheets = [
        Sheet(record, colors_of(record.measurement), _judge(other, limit), other.measurement)
        for record, other in zip(records, shown, strict=True)
    ]
    unit = _unit(sheets)
    return render_template(
        "report.html",
        unit=unit,
        unit_symbol=unit and symbol_of(unit),
        problem=problem,
        options=options,
        query=query_of(wanted),
        review={**query_of(wanted), "order": "-percent_masked"},
        repeated=len(repeated),
        total=total,
        bars=bars_of(total.histogram),
        means=_means(wanted, options, records),
        sheets=sheets,
        full=round_percent(sheet.shown.coverage.percent_masked for sheet in sheets),
        has_corrected=bool(parts.store.count(replace(wanted, corrected=True))),
        detailed=sheets[:MOST_SHEETS] if options.sheets or total.count == 1 else [],
        most_rows=MOST_ROWS,
        most_sheets=MOST_SHEETS,
        models=_models(sheets),
        span=_span(sheets),
        named_batch=is_named(options.batch),
        now=datetime.now(timezone.utc),
    )


def _counted(wanted: Filter, options: ReportOptions) -> tuple[Sequence[Record], Statistics]:
    """Return the measurements that are listed, the most masked first, and all that match in sum.

    At a threshold that was asked for, each is counted anew from what the network found in it: raises `InvalidOption`
    for more than that is done for at once, and `ScoresNotKept`.
    """
    store = context().store
    threshold = options.score_threshold
    if threshold is None:
        listed = store.list(wanted, limit=MOST_ROWS, order="-percent_masked")
        if options.figures == "corrected":
            listed = sorted(listed, key=lambda record: -_percent_or_least(record.with_figures("corrected")))
        return listed, store.statistics(wanted, limit_percent=options.limit_percent, figures=options.figures)
    stored = store.list(wanted, limit=MOST_ROWS + 1)
    if len(stored) > MOST_ROWS:
        raise InvalidOption(
            f"more than {MOST_ROWS} measurements match, too many to count again at score_threshold {threshold:g}; "
            "narrow them down, or leave the threshold out"
        )
    records = [record_at(record, threshold) for record in stored]
    records.sort(key=lambda record: -_percent_or_least(record))
    return records, sum_up([record.measurement for record in records], options.limit_percent)


def _means(wanted: Filter, options: ReportOptions, records: Sequence[Record]) -> list[tuple[str, FieldMean]]:
    """Return the mean of a lot by each model, as ASTM E562 has it; none where that is of no lot."""
    if wanted.lot is None or _without(wanted, _OF_A_SPECIMEN) != EVERYTHING:
        return []
    if options.score_threshold is None:
        try:
            found = context().store.lots.fields(wanted, figures=options.figures)
        except TooMany:
            return []
        return [(model, fields) for model, _, fields in found]
    models = {record.measurement.model.sha256: record.measurement.model.name for record in records}
    percents = [record.measurement.coverage.percent_masked for record in records]
    known = [percent for percent in percents if percent is not None]
    fields = None if options.repeats or len(models) != 1 else field_mean(known)
    return [] if fields is None else [(next(iter(models.values())), fields)]


def _without(wanted: Filter, names: Sequence[str]) -> Filter:
    nothing: dict[str, Any] = dict.fromkeys(names)
    return replace(wanted, **nothing)


def _percent_or_least(record: Record) -> float:
    """Return what to sort by: what has no percentage comes after all others, as in the store."""
    percent_masked = record.measurement.coverage.percent_masked
    return -1.0 if percent_masked is None else percent_masked


def _judge(record: Record, limit: float | None) -> Verdict | None:
    return record.measurement.verdict if limit is None else judge(record.measurement, limit)


def _unit(sheets: list[Sheet]) -> Unit | None:
    """Return the unit of the areas in the list: that of the first picture whose pixels are of a known size."""
    scales = (sheet.record.measurement.image.scale for sheet in sheets)
    return next((scale.unit for scale in scales if scale is not None), None)


def _models(sheets: list[Sheet]) -> list[tuple[str, str, Accuracy | None]]:
    """Return each model and version that measured, with how far its percentage can be trusted."""
    packs = context().models.packs()
    used = {(sheet.record.measurement.model.name, sheet.record.measurement.model.version) for sheet in sheets}
    return [(name, version, accuracy_of(packs.get(name), version)) for name, version in sorted(used)]


def _span(sheets: list[Sheet]) -> tuple[datetime, datetime] | None:
    moments = [sheet.record.created_at for sheet in sheets]
    return (min(moments), max(moments)) if moments else None
