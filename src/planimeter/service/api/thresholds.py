"""The score threshold that a user keeps for one measurement."""

from flask import Response

from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.measurements import MeasurementAnswer, measurement_answer
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.measurements import KeptOptions
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import api
from planimeter.service.keeping import keep_threshold


@api.route(
    "PUT",
    "/measurements/<id>/threshold",
    "Keep a score threshold for a measurement",
    answer_of("The measurement at it.", MeasurementAnswer),
    role="measure",
    options=KeptOptions,
    errors=(400, 403, 404, 409, 503),
    description="From then on the measurement counts at this threshold everywhere: its numbers and pictures, lists, "
    "tables, trend, statistics and reports. The network does not run again. What was measured stays stored beside it; "
    "measured_threshold tells with which threshold, and DELETE goes back to that.",
)
def keep(options: KeptOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Let a measurement count at another score threshold from now on."""
    return json_answer(measurement_answer(keep_threshold(id, options.score_threshold), "none"))


@api.route(
    "DELETE",
    "/measurements/<id>/threshold",
    "Go back to the score threshold that a measurement was measured with",
    answer_of("The measurement as it was measured.", MeasurementAnswer),
    role="measure",
    errors=(400, 403, 404, 503),
)
def keep_none(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Go back to what was measured."""
    return json_answer(measurement_answer(keep_threshold(id, None), "none"))
