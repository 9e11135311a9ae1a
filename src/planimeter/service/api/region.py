"""What of a stored picture counts: a user lets another part of it count."""

from flask import Response

from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.measurements import MeasurementAnswer, measurement_answer
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.api.routes import api
from planimeter.service.keeping import keep_counting, keep_region


@api.route(
    "PUT",
    "/measurements/<id>/region",
    "Let another part of a measured picture count",
    answer_of("The measurement of it.", MeasurementAnswer),
    role="measure",
    options=RegionOptions,
    errors=(400, 403, 404, 409, 413, 415, 422, 503, 504),
    description="From then on all figures and pictures are of what counts, exactly as if it had been given with "
    "the picture; the network does not run again. A region or a region_mask takes the place of both; what is not given "
    "stays as it is, and with whole all of it goes first. What was measured stays stored beside it, and DELETE goes "
    "back to that.",
)
def put_region(options: RegionOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Let another part of a measured picture count."""
    return json_answer(measurement_answer(keep_region(id, options), "none"))


@api.route(
    "DELETE",
    "/measurements/<id>/region",
    "Go back to what of a picture counted when it was measured",
    answer_of("The measurement of that.", MeasurementAnswer),
    role="measure",
    errors=(400, 403, 404, 409, 503),
)
def delete_region(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Go back to what counted when the picture was measured."""
    return json_answer(measurement_answer(keep_counting(id, None), "none"))
