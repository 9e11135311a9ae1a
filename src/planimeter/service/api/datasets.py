"""Data sets that come of what people did here."""

from typing import Literal

from flask import Response, stream_with_context
from pydantic import Field

from planimeter.service.api.answering import file_answer
from planimeter.service.api.described import PICTURE
from planimeter.service.api.many import refuse_too_many
from planimeter.service.api.options.parsing import RequestOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.reviewed import Reviewed


class DatasetOptions(RequestOptions):
    """Options of a data set."""

    model: str | None = Field(None, description="Only pictures that this model measured.")
    format: Literal["coco", "zip"] = Field(
        "coco",
        description="The COCO json alone, with a coco_url for each picture, or a zip of it and the pictures.",
    )


@api.get(
    "/datasets/reviewed",
    "Get the reviewed pictures as a data set",
    {
        "description": "A COCO data set of the corrected instances of all pictures that people reviewed. Unpacked, the "
        "zip can be given to planimeter train and planimeter evaluate. Pictures of which only a part counted are left "
        "out, and so are those whose file is gone or damaged; the zip says in left_out.json which. Of a picture that "
        "was measured several times, the newest counts whose file is whole.",
        "content": {"application/json": {"schema": {"type": "object"}}, "application/zip": PICTURE},
    },
    role="read",
    options=DatasetOptions,
    errors=(400, 409),
)
def reviewed(options: DatasetOptions) -> Response:
    """Answer the reviewed pictures as a data set."""
    found = Reviewed(context().store, options.model)
    refuse_too_many(found.filter)
    if options.format == "zip":
        return file_answer(found.archive(), "application/zip", "reviewed.zip")
    pieces = stream_with_context(found.coco(lambda id_: link("api.image", id=id_)))
    return file_answer(pieces, "application/json", "reviewed.json")
