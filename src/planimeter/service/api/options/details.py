"""Options of saying something of a stored measurement."""

from planimeter.details import Details
from planimeter.service.api.options.parsing import RequestOptions


class DetailsOptions(RequestOptions, Details):
    """All that is said of a measurement: what is left out is said no more."""
