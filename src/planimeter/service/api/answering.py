"""How answers are written: JSON, files that are written while they are sent, and what never changes."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from importlib.metadata import version
from typing import AnyStr, BinaryIO

from flask import Response, request
from pydantic import BaseModel
from werkzeug.wsgi import wrap_file

from planimeter.pictures.decode import Picture
from planimeter.pictures.formats import PICTURE_FORMATS
from planimeter.service.context import context
from planimeter.service.pictures import opened
from planimeter.settings import Limits
from planimeter.store import Record

SMALL_BYTES = 2**18
"""Of files that are read at once."""
MEDIA_TYPES = {entry.name: entry.media_type for entry in PICTURE_FORMATS}
"""Of the formats in which pictures come."""


def json_answer(answer: BaseModel, status: int = 200) -> Response:
    """Answer a model as JSON."""
    return Response(answer.model_dump_json(by_alias=True) + "\n", status, content_type="application/json")


def file_answer(pieces: Iterator[AnyStr], content_type: str, filename: str) -> Response:
    """Answer a file that is written while it is sent."""
    leave = context().downloads.enter()
    answer = Response(_then(leave, pieces), content_type=content_type)
    answer.call_on_close(leave)  # also where nothing was read
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


def _then(leave: Callable[[], None], pieces: Iterator[AnyStr]) -> Iterator[AnyStr]:
    try:
        yield from pieces
    finally:
        leave()


def unchanging(
    record: Record,
    content_type: str,
    filename: str,
    make: Callable[[], bytes | BinaryIO],
    *,
    follows: Sequence[Record] = (),
) -> Response:
    """Answer something that never changes while it exists: the client may keep it, and need not ask again.

    What `follows` the score thresholds that users keep for measurements changes with those: then the client asks
    whether it has. What `make` returns as an open file is sent from the disk: in no thread, and never in memory as a
    whole.
    """
    options = [
        (each.measurement.options.model_dump_json(), each.corrections, each.reviewed) for each in follows
    ]
    what = f"{record.id} {request.full_path} {options} {version('planimeter')}"
    answer = Response(content_type=content_type)
    answer.set_etag(sha256(what.encode()).hexdigest()[:32])
    answer.cache_control.private = True
    if follows:
        answer.cache_control.no_cache = True
    else:
        answer.cache_control.max_age = 365 * 24 * 3600
        answer.cache_control.immutable = True
    answer.headers.set("Content-Disposition", "inline", filename=filename)
    if request.if_none_match.contains(answer.get_etag()[0] or ""):
        answer.status_code = 304
        return answer
    send(answer, make())
    return answer


def send(answer: Response, content: bytes | BinaryIO) -> None:
    """Make `content` the body: a large open file is sent from the disk, piece by piece."""
    if isinstance(content, bytes):
        answer.set_data(content)
        return
    size = os.fstat(content.fileno()).st_size
    if size <= SMALL_BYTES:
        with content:
            answer.set_data(content.read())
        return
    answer.content_length = size
    answer.response = wrap_file(request.environ, content)
    answer.direct_passthrough = True


def stored_picture(record: Record) -> AbstractContextManager[Picture]:
    """Open the stored upload; it was within the limits when it came, whatever they are today."""
    data = context().store.read(record, "image")
    image = record.measurement.image
    longest = max(image.width, image.height)
    return opened(data, limits=Limits(max(1, len(data)), image.width * image.height, longest))
