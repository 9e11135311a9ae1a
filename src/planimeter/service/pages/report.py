"""The report of many measurements or of one: to read, to print on A4, to attach to a delivery."""

from dataclasses import dataclass
from datetime import datetime, timezone

from flask import render_template, request

from planimeter.errors import InvalidOption
from planimeter.measurement import Verdict, judge
from planimeter.service.accuracy import Accuracy, accuracy_of
from planimeter.service.api.answers import StatisticsAnswer, statistics_answer
from planimeter.service.api.options import ReportOptions, parse, query_of
from planimeter.service.context import context
from planimeter.service.pages.batches import is_named
from planimeter.service.pages.history import round_percent
from planimeter.service.pages.known import known
from planimeter.service.pages.measurement import colors_of
from planimeter.service.pages.site import blueprint
from planimeter.store import Record

MOST_ROWS = 200
MOST_SHEETS = 50
"""Each shows its picture large: a browser must be able to print them."""
BAR_HEIGHT = 100


@dataclass(frozen=True)
class Sheet:
    """One measurement in the report."""

    record: Record
    colors: dict[int, str]
    verdict: Verdict | None
    """None without a limit."""


@blueprint.get("/report")
def report() -> str | tuple[str, int]:
    """Show totals, distribution and each matching measurement, the most masked first."""
    try:
        options = parse(ReportOptions, known(ReportOptions, request.args))
    except InvalidOption as problem:
        return _report(
            parse(ReportOptions, known(ReportOptions, request.args, only={"ids", "batch"})), str(problem)
        ), 400
    return _report(options)


def _report(options: ReportOptions, problem: str | None = None) -> str:
    parts = context()
    wanted, limit = options.filter, options.limit_percent
    found = parts.store.statistics(wanted, limit_percent=limit)
    colors = parts.models.class_colors(entry.name for entry in found.by_class)
    total = statistics_answer(found, colors, limit)
    sheets = [
        Sheet(record, colors_of(record.measurement), _judge(record, limit))
        for record in parts.store.list(wanted, limit=MOST_ROWS, order="-percent_masked")
    ]
    return render_template(
        "report.html",
        problem=problem,
        options=options,
        query=query_of(wanted),
        review={**query_of(wanted), "order": "-percent_masked"},
        total=total,
        bars=_bars(total),
        sheets=sheets,
        full=round_percent(sheet.record.measurement.coverage.percent_masked for sheet in sheets),
        detailed=sheets[:MOST_SHEETS] if options.sheets or total.count == 1 else [],
        most_rows=MOST_ROWS,
        most_sheets=MOST_SHEETS,
        models=_models(sheets),
        span=_span(sheets),
        named_batch=is_named(options.batch),
        now=datetime.now(timezone.utc),
    )


def _judge(record: Record, limit: float | None) -> Verdict | None:
    return None if limit is None else judge(record.measurement, limit)


def _models(sheets: list[Sheet]) -> list[tuple[str, str, Accuracy | None]]:
    """Return each model and version that measured, with how far its percentage can be trusted."""
    packs = context().models.packs()
    used = {(sheet.record.measurement.model.name, sheet.record.measurement.model.version) for sheet in sheets}
    return [(name, version, accuracy_of(packs.get(name), version)) for name, version in sorted(used)]


def _span(sheets: list[Sheet]) -> tuple[datetime, datetime] | None:
    moments = [sheet.record.created_at for sheet in sheets]
    return (min(moments), max(moments)) if moments else None


def _bars(total: StatisticsAnswer) -> list[dict[str, float]]:
    """Return the bars of the histogram on a canvas of 100 by 100."""
    most = max((entry.count for entry in total.histogram), default=1)
    width = 100 / max(1, len(total.histogram))
    return [
        {
            "x": index * width,
            "width": width,
            "height": BAR_HEIGHT * entry.count / max(1, most),
            "count": entry.count,
            "from": entry.from_percent,
            "to": entry.to_percent,
        }
        for index, entry in enumerate(total.histogram)
    ]
