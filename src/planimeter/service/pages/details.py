"""What a person says of a measurement on its page: lot, sample, operator, note, tags."""

from flask import redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from planimeter.details import Details
from planimeter.service.api.options.details import DetailsOptions
from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.describing import describe
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs


@blueprint.post("/measurements/<id>/details")
@needs("measure")
def describe_measurement(id: str) -> Response:  # noqa: A002  the URL's own word
    """Say what the form says of a measurement; lead back to it."""
    given = MultiDict({name: request.form.get(name, "").strip() for name in Details.model_fields})
    describe(id, parse(DetailsOptions, given).details)
    return redirect(link("pages.measurement", id=id, **known(OrderOptions, request.args).to_dict()), 303)
