"""Options of a request that come as a JSON object."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Request
from werkzeug.datastructures import MultiDict

from planimeter.errors import InvalidOption
from planimeter.service.api.options.parsing import LISTS, LONGEST_SHOWN, RequestOptions
from planimeter.service.json_text import load_json

MOST_FIELDS = 100
"""Of a JSON object; there are some twenty options."""
COMMAS = frozenset({"ignore", "classes"})
"""Options that have commas between their parts, and in JSON may be a list."""
IGNORE = "ignore"
REGION = "region"
_EXAMPLE = 'send the options as an object, for example {"lot": "2026/117"}'


def body_options(request: Request, kind: type[RequestOptions], largest: int) -> "MultiDict[str, str]":
    """Return the options of the body of a request, JSON of at most `largest` bytes; none where it is empty.

    Raises `InvalidOption` for what is no object, and what `options_in_json` raises.
    """
    request.max_content_length = largest
    body = request.get_data(cache=False)
    fields = load_json(body, "the request", _EXAMPLE) if body.strip() else {}
    if not isinstance(fields, dict):
        raise InvalidOption(f"the body is JSON, but no object; {_EXAMPLE}")
    return options_in_json(fields, kind)


def options_in_json(fields: Mapping[str, Any], kind: type[RequestOptions]) -> "MultiDict[str, str]":
    """Return the options in a JSON object as they would come in a form; null is not given.

    Raises `InvalidOption` for too many, and for one of a type that it cannot have.
    """
    if len(fields) > MOST_FIELDS:
        raise InvalidOption(f"{len(fields):,} options came, and there may be {MOST_FIELDS}")
    options: MultiDict[str, str] = MultiDict()
    for name, value in fields.items():
        texts = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        if name in LISTS and texts:
            options.setlist(name, value)
        elif name in COMMAS and texts and not any("," in entry for entry in value):
            if value or name != IGNORE:  # to ignore nothing is what happens without it
                options.add(name, ",".join(value))
        elif isinstance(value, str):
            options.add(name, value)
        elif _is_plain(name, value, kind):
            options.add(name, json.dumps(value))
        elif value is not None:
            raise InvalidOption(
                f"{name[:LONGEST_SHOWN]} is {_kind_of(value)}, which it cannot be; give a text, as in a form"
            )
    return options


def _is_plain(name: str, value: object, kind: type[RequestOptions]) -> bool:
    """Say whether a value, which is no text, can be that of an option."""
    if isinstance(value, bool):
        field = kind.model_fields.get(name)
        return field is not None and field.annotation is bool
    return isinstance(value, (int, float)) or (name == REGION and isinstance(value, dict))


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "a list" if isinstance(value, list) else "an object"
