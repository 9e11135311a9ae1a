"""The size of a pixel that a person sets on a page: a number, or a scale bar drawn on the picture."""

from flask import redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.scale import ScaleOptions
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs
from planimeter.service.scaling import reset_scale, set_scale

FIELDS = ("pixel_size", "unit", "line", "length")


@blueprint.post("/measurements/<id>/scale")
@needs("measure")
def set_size(id: str) -> Response:  # noqa: A002  the URL's own word
    """Set the size of a pixel for a measurement, or go back to the one before; lead back to it."""
    if "reset" in request.form:
        reset_scale(id)
    else:
        given = MultiDict({name: request.form.get(name, "").strip() for name in FIELDS})
        set_scale(id, parse(ScaleOptions, given))
    return redirect(link("pages.measurement", id=id, **known(OrderOptions, request.args).to_dict()), 303)
