"""Routes that say what they are, once: their role, options, answers and errors.

The checks of requests and `/openapi.json` are made of what is said.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from planimeter.errors import InvalidOption
from planimeter.service.api.answers.base import ErrorAnswer
from planimeter.service.api.options.parsing import NoOptions, RequestOptions, parse
from planimeter.service.context import context
from planimeter.service.json_options import body_options
from planimeter.service.pictures import body_in_memory
from planimeter.service.roles import Needed, needs
from planimeter.service.uploads import MASK_FIELD, OVERHEAD, with_mask

Json = dict[str, Any]
View = Callable[..., ResponseReturnValue]
FORMS = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
REFERENCE = "#/components/schemas/{model}"
PICTURE: Json = {"schema": {"type": "string", "format": "binary"}}
TEXT: Json = {"schema": {"type": "string"}}


@dataclass(frozen=True)
class Operation:
    """One route, as a client needs to know it."""

    method: str
    path: str
    """With `{name}` for what varies."""
    summary: str
    options: type[RequestOptions] | None
    answer: Json
    role: Needed
    status: int
    errors: Sequence[int]
    description: str = ""
    body: type[BaseModel] | None = None
    """What is sent as JSON, where that is not a picture; the view reads it by itself."""
    places: Mapping[str, Json] = field(default_factory=dict)
    """What varying parts of the path may be, where that is not any text."""
    problem: type[BaseModel] = ErrorAnswer
    """How what goes wrong is answered."""
    uploads: bool = False
    """Whether the options may come in the form fields of an upload, which the view reads by itself."""


class DescribedBlueprint:
    """A blueprint whose routes are described where they are written."""

    def __init__(
        self, name: str, import_name: str, prefix: str = "", *, problem: type[BaseModel] = ErrorAnswer
    ) -> None:
        """`problem` is how what goes wrong is answered, where a protocol has a form of its own."""
        self.blueprint = Blueprint(name, import_name, url_prefix=prefix or None)
        self.operations: list[Operation] = []
        self._prefix = prefix
        self._problem = problem

    def route(
        self,
        method: str,
        rule: str,
        summary: str,
        answer: Json,
        *,
        role: Needed,
        options: type[RequestOptions] | None = NoOptions,
        status: int = 200,
        errors: Sequence[int] = (400,),
        description: str = "",
        uploads: bool = False,
        body: type[BaseModel] | None = None,
        places: Mapping[str, Json] | None = None,
        endpoint: str | None = None,
    ) -> Callable[[View], View]:
        """Return a decorator that routes to a view; the view gets its `options`, checked, as first argument.

        With `options` None there are none to check; with `uploads` the view reads them with the upload. `role` is
        what a key must allow. `endpoint` is the name of one of several routes to a view.
        """
        path = self._prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
        self.operations.append(
            Operation(
                method=method,
                path=path,
                summary=summary,
                options=options,
                answer=answer,
                role=role,
                status=status,
                errors=tuple(errors),
                description=description,
                uploads=uploads,
                body=body,
                places=places or {},
                problem=self._problem,
            )
        )

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def checked(**places: str) -> ResponseReturnValue:
                if options is None or uploads:
                    return view(**places)
                return view(_options_of(options, with_form=body is None), **places)

            self.blueprint.add_url_rule(rule, endpoint, needs(role)(checked), methods=[method])
            return view

        return decorate

    def get(
        self, rule: str, summary: str, answer: Json, *, role: Needed, **more: Any
    ) -> Callable[[View], View]:
        """Route what only reads."""
        return self.route("GET", rule, summary, answer, role=role, **more)


def _options_of(kind: type[RequestOptions], *, with_form: bool) -> RequestOptions:
    """Return the options of the request under way: of its query and of its body, a form or JSON.

    A mask may be a file of the form. Where the body is something else (`with_form` is false), it is left alone: to look
    for fields would read it, within the limits of forms, and curl says of all that it sends that it is one.
    """
    if request.method in {"GET", "DELETE"} or not with_form:
        return parse(kind, request.args, from_program=True)
    has_mask = MASK_FIELD in kind.model_fields
    most_bytes = context().settings.max_bytes if has_mask else 0
    with body_in_memory():
        if request.mimetype == "application/json":
            given = body_options(
                request, kind, most_bytes * 4 // 3 + OVERHEAD
            )  # base64 makes four bytes of three
        elif request.mimetype in FORMS or not _has_body():
            given = with_mask(request, most_bytes) if has_mask else request.form
        else:  # without a word it would be as if nothing were said
            raise InvalidOption(
                f"the body has the content type {request.mimetype or 'none'!r}, in which there can be no options; "
                "give them in the query, as a form or as application/json"
            )
        return parse(kind, request.args, given, from_program=True)


def _has_body() -> bool:
    return bool(request.content_length or request.headers.get("Transfer-Encoding"))


def answer_of(description: str, model: type[BaseModel], **other_types: Json) -> Json:
    """Describe an answer in JSON."""
    reference = {"$ref": REFERENCE.format(model=model.__name__)}
    return {"description": description, "content": {"application/json": {"schema": reference}, **other_types}}


def pictures(description: str, *kinds: str) -> Json:
    """Describe an answer that is a picture."""
    return {"description": description, "content": dict.fromkeys(kinds, PICTURE)}


def coco_file(description: str = "As pycocotools reads it.") -> Json:
    """Describe an answer that is a COCO data set."""
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}
