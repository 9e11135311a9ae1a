"""Lots: which there are, and one of them summed up."""

from flask import Response

from planimeter.details import tidied
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.lots import LotAnswer, LotList, lot_answer, lot_line
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.lots import LotListOptions, LotOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context


@api.get(
    "/lots",
    "List lots",
    answer_of("A part of the lots.", LotList),
    role="read",
    options=LotListOptions,
)
def list_lots(options: LotListOptions) -> Response:
    """List lots, that with the newest measurement first."""
    lots, name = context().store.lots, options.name or ""
    found = lots.list(name, limit=options.limit, offset=options.offset)
    return json_answer(LotList(count=lots.count(name), lots=[lot_line(lot) for lot in found]))


@api.get(
    "/lots/<path:name>",
    "Get a lot summed up",
    answer_of("The lot.", LotAnswer),
    role="read",
    options=LotOptions,
    errors=(400, 404, 409),
    description="Mean, 95 % confidence interval and relative accuracy are those of ASTM E562 with pictures as fields, "
    "each model by itself. A picture that was measured more than once counts once, as it was measured last.",
)
def get_lot(options: LotOptions, name: str) -> Response:
    """Answer a lot in sum."""
    return json_answer(sum_up_lot(name, options))


def sum_up_lot(name: str, options: LotOptions) -> LotAnswer:
    """Return a lot in sum; raises UnknownLot and TooMany."""
    parts = context()
    found = parts.store.lots.get(tidied(name), limit_percent=options.limit_percent, figures=options.figures)
    names = {entry.name for model in found.by_model for entry in model.statistics.by_class}
    return lot_answer(found, parts.models.class_colors(names), options)
