"""Corrections: what people say is wrong with a measurement, and what it comes to."""

import sys

from flask import Response
from pydantic import ValidationError

from planimeter.corrections import Correction
from planimeter.errors import InvalidOption
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.corrections import (
    CorrectionList,
    correction_answer,
    rejected_answers,
)
from planimeter.service.api.answers.measurements import MeasurementAnswer, measurement_answer
from planimeter.service.api.bodies import read_body
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.corrections import CorrectionListOptions
from planimeter.service.api.options.uploads import AnswerOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.correcting import correct
from planimeter.service.json_text import MOST_VALUES, refuse_many_values
from planimeter.service.links import link
from planimeter.service.pictures import body_in_memory

LARGEST = 32 * 2**20
"""Bytes of a correction."""
MOST_ERRORS = 1000
LONGEST_PLACE = 200
"""Characters: the name of a field that there is none of may be of any length."""
EXAMPLE = '{"after": 0, "reject": [2], "reason": "a reflection", "complete": true}'


@api.route(
    "POST",
    "/measurements/<id>/corrections",
    "Correct a measurement",
    answer_of("The measurement with its corrected figures.", MeasurementAnswer),
    role="measure",
    options=AnswerOptions,
    status=201,
    errors=(400, 403, 404, 409, 413, 503, 504),
    body=Correction,
    description="What was measured stays as it is; corrected says what comes of it. Ids are those of the instances of "
    "corrected, or, before the first correction, those that were measured; they never change and never come twice. All "
    "of a correction happens or nothing. With complete the picture is reviewed: its corrected figures are taken for "
    "the truth.",
)
def post_correction(options: AnswerOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Correct a measurement."""
    with body_in_memory(MOST_VALUES):
        record = correct(id, _body())
    return json_answer(measurement_answer(record, options.mask_format), 201)


@api.get(
    "/measurements/<id>/corrections",
    "List the corrections of a measurement",
    answer_of("A page of its corrections, the first one first, and what is rejected now.", CorrectionList),
    role="read",
    options=CorrectionListOptions,
    errors=(400, 404),
)
def list_corrections(options: CorrectionListOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """List the corrections of a measurement."""
    store = context().store
    corrections, id_ = store.corrections, store.get(id).id
    with_masks = options.masks == "all"
    numbers = corrections.page(
        id_, after=options.after, limit=options.limit, most_characters=LARGEST if with_masks else sys.maxsize
    )
    count = corrections.count(id_)
    last = numbers[-1] if numbers else count
    more = {"limit": options.limit, "after": last, "masks": options.masks}
    return json_answer(
        CorrectionList(
            corrections=[
                correction_answer(entry, masks=with_masks) for entry in corrections.list(id_, numbers)
            ],
            count=count,
            next_url=link(".list_corrections", id=id_, **more) if last < count else None,
            rejected=rejected_answers(corrections.objects(id_) or [], masks=options.masks != "none"),
        )
    )


def _body() -> Correction:
    body = read_body("a correction", EXAMPLE, LARGEST)
    refuse_many_values(
        body,
        "the correction",
        "a corner of a polygon is three of them: send masks as run lengths, or several corrections",
    )
    try:
        return Correction.model_validate_json(body)
    except ValidationError as error:
        raise InvalidOption(f"this is no correction{_first(error)}; send one like {EXAMPLE}") from None


def _first(error: ValidationError) -> str:
    """Return what is wrong first; of fields that there are none of, there may be too many to list them."""
    if error.error_count() > MOST_ERRORS:
        return ""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ").replace("Input", "it", 1)
    return f" ({f'{place[:LONGEST_PLACE]}: ' if place else ''}{said})"
