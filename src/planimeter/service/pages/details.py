"""What a person says of a measurement on its page: lot, sample, operator, note, tags."""

from flask import request
from werkzeug.datastructures import MultiDict

from planimeter.details import Details
from planimeter.service.api.options.details import DetailsOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.describing import describe


def describe_measurement(id_: str) -> None:
    """Say of a measurement what the form of the request says."""
    given = MultiDict({name: request.form.get(name, "").strip() for name in Details.model_fields})
    describe(id_, parse(DetailsOptions, given).details)
