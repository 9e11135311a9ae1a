"""Bodies of JSON, within the limits of the routes that take them."""

from flask import request

from planimeter.errors import InvalidOption
from planimeter.service.json_text import load_json


def read_body(what: str, example: str, largest: int) -> bytes:
    """Return the body of the request, in which `what` ("a profile") is sent as JSON of at most `largest` bytes.

    Raises `InvalidOption` for another media type.
    """
    if request.mimetype != "application/json":
        raise InvalidOption(f"{what} is sent as application/json, for example {example}")
    request.max_content_length = largest
    return request.get_data(cache=False)


def read_json(what: str, example: str, largest: int) -> object:
    """Return what that body holds; raises `InvalidOption` for what is no JSON too."""
    return load_json(read_body(what, example, largest), what, f"send {what}, for example {example}")
