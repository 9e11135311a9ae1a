"""How answers are written: JSON, files that are written while they are sent, and what never changes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from importlib.metadata import version
from typing import AnyStr

from flask import Response, request
from pydantic import BaseModel

from planimeter.pictures.decode import Picture
from planimeter.pictures.formats import PICTURE_FORMATS
from planimeter.service.context import context
from planimeter.service.pictures import opened
from planimeter.settings import Limits
from planimeter.store import Record

MEDIA_TYPES = {entry.name: entry.media_type for entry in PICTURE_FORMATS}
"""Of the formats in which pictures come."""


def json_answer(answer: BaseModel, status: int = 200) -> Response:
    """Answer a model as JSON."""
    return Response(answer.model_dump_json(by_alias=True) + "\n", status, content_type="application/json")


def file_answer(pieces: Iterator[AnyStr], content_type: str, filename: str) -> Response:
    """Answer a file that is written while it is sent."""
    answer = Response(pieces, content_type=content_type)
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


def unchanging(record: Record, content_type: str, filename: str, make: Callable[[], bytes]) -> Response:
    """Answer something that never changes while it exists: the client may keep it, and need not ask again."""
    what = f"{record.id} {request.full_path} {version('planimeter')}"
    answer = Response(content_type=content_type)
    answer.set_etag(sha256(what.encode()).hexdigest()[:32])
    answer.cache_control.private = True
    answer.cache_control.max_age = 365 * 24 * 3600
    answer.cache_control.immutable = True
    answer.headers.set("Content-Disposition", "inline", filename=filename)
    if request.if_none_match.contains(answer.get_etag()[0] or ""):
        answer.status_code = 304
    else:
        answer.set_data(make())
    return answer


def stored_picture(record: Record) -> AbstractContextManager[Picture]:
    """Open the stored upload; it was within the limits when it came, whatever they are today."""
    data = context().store.read(record, "image")
    image = record.measurement.image
    longest = max(image.width, image.height)
    return opened(data, limits=Limits(max(1, len(data)), image.width * image.height, longest))
