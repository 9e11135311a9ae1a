"""What people change on the page of a measurement: what of it counts, how large a pixel is, what they say of it.

The forms are sent to the address of the page itself. Where what they say cannot be, the page comes again with a
sentence, and with all that was entered and drawn.
"""

from collections.abc import Callable, Mapping

from flask import redirect, request
from werkzeug.wrappers import Response as AnyResponse

from planimeter.errors import InvalidOption, PlanimeterError, UnknownMeasurement
from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.links import link
from planimeter.service.pages.details import describe_measurement
from planimeter.service.pages.known import known
from planimeter.service.pages.measurement import measurement_page
from planimeter.service.pages.refused import Part, Refused
from planimeter.service.pages.regions import set_region
from planimeter.service.pages.scales import set_size
from planimeter.service.pages.site import blueprint
from planimeter.service.problems import status_of
from planimeter.service.roles import needs

_CHANGES: Mapping[Part, Callable[[str], None]] = {
    "region": set_region,
    "scale": set_size,
    "details": describe_measurement,
}


@blueprint.post("/measurements/<id>")
@needs("measure")
def change(id: str) -> AnyResponse | tuple[str, int]:  # noqa: A002  the URL's own word
    """Change what a form says; lead back to the measurement, or show the form again and say what is wrong."""
    asked = request.args.get("change")
    part = next((part for part in _CHANGES if part == asked), None)
    if part is None:
        raise InvalidOption(f"change is {asked!r}; it can be {', '.join(_CHANGES)}")
    try:
        _CHANGES[part](id)
    except UnknownMeasurement:  # of which there is no page
        raise
    except PlanimeterError as problem:
        return measurement_page(id, Refused(part, str(problem), request.form)), status_of(problem)
    return redirect(link("pages.measurement", id=id, **known(OrderOptions, request.args).to_dict()), 303)
