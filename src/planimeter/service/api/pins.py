"""Pins: what retention leaves alone."""

from flask import Response

from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.measurements import MeasurementAnswer, measurement_answer
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import api
from planimeter.service.caller import caller
from planimeter.service.context import context


@api.route(
    "PUT",
    "/measurements/<id>/pin",
    "Pin a measurement",
    answer_of("It is pinned.", MeasurementAnswer),
    role="measure",
    errors=(400, 403, 404, 503),
    description="Pinned measurements stay, however old they are and however much is stored, until they are deleted.",
)
def pin(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Pin a measurement."""
    return json_answer(measurement_answer(context().store.pin(id, by=caller()), "none"))


@api.route(
    "DELETE",
    "/measurements/<id>/pin",
    "Take the pin of a measurement away",
    answer_of("It is not pinned.", MeasurementAnswer),
    role="measure",
    errors=(400, 403, 404, 503),
)
def unpin(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Take the pin of a measurement away."""
    return json_answer(measurement_answer(context().store.pin(id, pinned=False, by=caller()), "none"))
