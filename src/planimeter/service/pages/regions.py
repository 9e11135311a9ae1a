"""The region that a person draws on the page of a measurement: only it counts."""

from flask import redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from planimeter.measuring.parts import read_region
from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.keeping import keep_region
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs


@blueprint.post("/measurements/<id>/region")
@needs("measure")
def set_region(id: str) -> Response:  # noqa: A002  the URL's own word
    """Let only the region of a form count, or go back to what was measured; lead back to the measurement."""
    if "reset" in request.form:
        keep_region(id, None)
    else:
        given = MultiDict({"region": request.form.get("region", "")})
        keep_region(id, read_region(parse(RegionOptions, given).region))
    return redirect(link("pages.measurement", id=id, **known(OrderOptions, request.args).to_dict()), 303)
