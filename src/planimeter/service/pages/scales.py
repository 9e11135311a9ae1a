"""The size of a pixel that a person sets on a page: a number, or a scale bar drawn on the picture."""

from flask import request
from werkzeug.datastructures import MultiDict

from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.scale import ScaleOptions
from planimeter.service.scaling import reset_scale, set_scale

FIELDS = ("pixel_size", "unit", "line", "length")


def set_size(id_: str) -> None:
    """Set the size of a pixel that the form of the request says, or go back to the one before."""
    if "reset" in request.form:
        reset_scale(id_)
    else:
        given = MultiDict({name: request.form.get(name, "").strip() for name in FIELDS})
        set_scale(id_, parse(ScaleOptions, given))
