"""What of a picture counts, as a person draws it on the page of a measurement or sends it as a mask."""

from flask import redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from planimeter.measurement import Counting
from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.context import context
from planimeter.service.counting import counting_of
from planimeter.service.keeping import keep_counting
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.pictures import body_in_memory
from planimeter.service.roles import needs
from planimeter.service.uploads import with_mask


@blueprint.post("/measurements/<id>/region")
@needs("measure")
def set_region(id: str) -> Response:  # noqa: A002  the URL's own word
    """Let count what a form says, or go back to what was measured; lead back to the measurement."""
    if "reset" in request.form:
        keep_counting(id, None)
    elif "whole" in request.form:
        keep_counting(id, lambda before: (before or Counting()).without_region)
    else:
        with body_in_memory():
            form = with_mask(request, context().settings.max_bytes)
            given = {
                name: form[name] for name in ("region", "region_mask", "of", "least_area") if form.get(name)
            }
            lists = {name: ",".join(form.getlist(name)) for name in ("ignore", "classes")}
            options = parse(RegionOptions, MultiDict(given | lists | {"whole": "true"}))
        asked = counting_of(context(), options) or Counting()
        # The fields of the form say of what, and what is left out; a region stays where none is drawn.
        filters = asked.model_dump(include={"of", "ignore", "classes", "least_area"})
        keep_counting(id, lambda before: asked.or_else(before).model_copy(update=filters))
    return redirect(link("pages.measurement", id=id, **known(OrderOptions, request.args).to_dict()), 303)
