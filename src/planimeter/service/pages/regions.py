"""What of a picture counts, as a person draws it on the page of a measurement or sends it as a mask."""

from flask import request
from werkzeug.datastructures import MultiDict

from planimeter.measurement import Counting
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.context import context
from planimeter.service.counting import counting_of
from planimeter.service.keeping import keep_counting
from planimeter.service.pictures import body_in_memory
from planimeter.service.uploads import with_mask


def set_region(id_: str) -> None:
    """Let count what the form of the request says, or go back to what was measured."""
    if "reset" in request.form:
        keep_counting(id_, None)
    elif "whole" in request.form:
        keep_counting(id_, lambda before: (before or Counting()).without_region)
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
        keep_counting(id_, lambda before: asked.or_else(before).model_copy(update=filters))
