"""What a person says of a stored measurement: lot, sample, operator, note, tags."""

from flask import Response

from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.measurements import MeasurementAnswer, measurement_answer
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.details import DetailsOptions
from planimeter.service.api.routes import api
from planimeter.service.describing import describe


@api.route(
    "PUT",
    "/measurements/<id>/details",
    "Say what a measurement is of",
    answer_of("The measurement with them.", MeasurementAnswer),
    role="measure",
    options=DetailsOptions,
    errors=(400, 403, 404, 503),
    description="Lot, sample, operator, note and tags, all of them: what is left out is said no more. Figures stay.",
)
def put_details(options: DetailsOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Say this of a measurement instead of what was said before."""
    return json_answer(measurement_answer(describe(id, options.details), "none"))
