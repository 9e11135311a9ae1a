"""The size of a pixel that a user sets for one measurement."""

from flask import Response

from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.measurements import MeasurementAnswer, measurement_answer
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.options.scale import ScaleOptions
from planimeter.service.api.routes import api
from planimeter.service.scaling import reset_scale, set_scale


@api.route(
    "PUT",
    "/measurements/<id>/scale",
    "Set how large a pixel is for a measurement",
    answer_of("The measurement in units.", MeasurementAnswer),
    role="measure",
    options=ScaleOptions,
    errors=(400, 403, 404, 409, 503),
    description="By pixel_size and unit, or by a scale bar: a line in the picture, its length and the unit. From then "
    "on all areas and lengths follow it, in lists, tables and reports too; no count of pixels changes. What the "
    "picture was measured with stays in image.scale.measured, and DELETE goes back to that.",
)
def put_scale(options: ScaleOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Let the pixels of a measurement be as large as a person says."""
    return json_answer(measurement_answer(set_scale(id, options), "none"))


@api.route(
    "DELETE",
    "/measurements/<id>/scale",
    "Go back to the size of a pixel that a measurement was measured with",
    answer_of("The measurement as it was measured.", MeasurementAnswer),
    role="measure",
    errors=(400, 403, 404, 503),
)
def delete_scale(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Go back to what the file said, or to what was given with the picture."""
    return json_answer(measurement_answer(reset_scale(id), "none"))
